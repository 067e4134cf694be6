//! The interfaces that packets may leave by.

use std::collections::BTreeSet;

use aya::maps::{DevMapHash, MapData, MapError};

use super::DataplaneError;

/// Adds the interfaces that are not in the map yet.
///
/// One that is gone does not hold up the change: its backends are unreachable either way, and
/// others may wait for this change to take their place.
pub(super) fn add(
    map: &mut DevMapHash<MapData>,
    wanted: &BTreeSet<u32>,
) -> Result<(), DataplaneError> {
    for index in wanted.difference(&held(map)?) {
        if let Err(error) = map.insert(*index, *index, None, 0) {
            log::warn!("packets cannot leave by interface {index}: {error}");
        }
    }
    Ok(())
}

/// Removes the interfaces that no backend is reached by.
pub(super) fn remove_others(
    map: &mut DevMapHash<MapData>,
    wanted: &BTreeSet<u32>,
) -> Result<(), DataplaneError> {
    for index in held(map)?.difference(wanted) {
        map.remove(*index).map_err(DataplaneError::bpf(format!("EGRESS of interface {index}")))?;
    }
    Ok(())
}

fn held(map: &DevMapHash<MapData>) -> Result<BTreeSet<u32>, DataplaneError> {
    let keys: Result<_, MapError> = map.keys().collect();
    keys.map_err(DataplaneError::bpf("reading EGRESS"))
}
