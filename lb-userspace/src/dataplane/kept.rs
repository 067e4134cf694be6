//! Maps that no packet reads: notes of userspace that are to last as long as the tables and counters
//! they are about, and no longer.

use std::path::Path;

use aya::{
    Pod,
    maps::{Array, Map, MapData},
};

use super::{DataplaneError, limits::Shape, load};

/// An array of such notes: the one that is pinned by this name, or a new one; not pinned where there
/// is no directory for it.
pub(super) fn array<V: Pod>(
    maps: Option<&Path>,
    name: &'static str,
    entries: u32,
) -> Result<Array<MapData, V>, DataplaneError> {
    let making = || format!("making the map {name}");
    let create = || Array::create(entries, 0).map_err(DataplaneError::bpf(making()));
    let Some(maps) = maps else { return create() };
    let value = size_of::<V>() as u32;
    load::check_pinned(maps, &Shape { name, key: 4, value, entries: Some(entries), limit: None })?;
    let path = maps.join(name);
    if !path.exists() {
        create()?.pin(&path).map_err(DataplaneError::bpf(making()))?;
    }
    let map = MapData::from_pin(&path).map(Map::Array).and_then(Array::try_from);
    map.map_err(DataplaneError::bpf(format!("opening {}", path.display())))
}
