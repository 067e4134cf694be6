//! What pinned maps tell a start whose state file is gone.

use std::{os::fd::AsFd as _, path::Path};

use aya::maps::{Array, Map, MapData};

use super::{DataplaneError, kept, loads::Loads, memory::Words, pin::Pins, tables::Arrays};
use crate::state::{HashSeed, Tables};

/// The seed of the hash key, beside the tables that the key laid out.
const SEED: &str = "HASH_SEED";

/// What is pinned.
#[derive(Debug)]
pub struct Recalled {
    /// The seed of the key that laid the tables out.
    pub hash_seed: HashSeed,
    /// What the maps hold.
    pub tables: Tables,
}

/// Reads what is pinned in a directory; none when maps are missing.
pub fn recall(pin_dir: &Path) -> Result<Option<Recalled>, DataplaneError> {
    let maps = Pins::new(pin_dir).maps();
    let Some(hash_seed) = seed(&maps)? else { return Ok(None) };
    let arrays = arrays(&maps)?;
    Ok(arrays.map(|arrays| Recalled { hash_seed, tables: arrays.read().tables() }))
}

/// Pins the seed beside the maps.
pub(super) fn keep_seed(maps: &Path, seed: HashSeed) -> Result<(), DataplaneError> {
    let mut map = kept::array::<[u8; 32]>(Some(maps), SEED, 1)?;
    map.set(0, seed.to_bytes(), 0).map_err(DataplaneError::bpf(format!("writing {SEED}")))
}

fn seed(maps: &Path) -> Result<Option<HashSeed>, DataplaneError> {
    let Some(map) = pinned(maps, SEED)? else { return Ok(None) };
    let bytes = Array::try_from(Map::Array(map)).and_then(|map| map.get(&0, 0));
    let bytes = bytes.map_err(DataplaneError::bpf(format!("reading {SEED}")))?;
    Ok(Some(HashSeed::from_bytes(bytes)))
}

fn arrays(maps: &Path) -> Result<Option<Arrays>, DataplaneError> {
    let names = ["GUARD", "SERVICES", "BACKENDS", "SHADOWS", "LOADS", "ARENA"];
    let words: Result<Vec<Words>, _> =
        names.iter().filter_map(|name| words(maps, name).transpose()).collect();
    Ok(words?.try_into().ok().map(
        |[guard, services, backends, shadows, loads, arena]: [Words; 6]| Arrays {
            guard,
            services,
            backends,
            shadows,
            loads: Loads::new(loads),
            arena,
        },
    ))
}

/// A pinned array. Its shape is known: the directory is named after the version of the ABI.
fn words(maps: &Path, name: &str) -> Result<Option<Words>, DataplaneError> {
    let Some(map) = pinned(maps, name)? else { return Ok(None) };
    let info = map.info().map_err(DataplaneError::bpf(format!("looking at {name}")))?;
    let bytes = info.value_size() as usize * info.max_entries() as usize;
    let words = Words::map(map.fd().as_fd(), bytes);
    words.map(Some).map_err(DataplaneError::io(format!("mapping {name}")))
}

fn pinned(maps: &Path, name: &str) -> Result<Option<MapData>, DataplaneError> {
    let path = maps.join(name);
    if !path.exists() {
        return Ok(None);
    }
    let map = MapData::from_pin(&path);
    map.map(Some).map_err(DataplaneError::bpf(format!("opening {}", path.display())))
}
