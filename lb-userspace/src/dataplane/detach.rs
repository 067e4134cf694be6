//! Taking everything off.

use std::{fs, path::Path};

use super::{DataplaneError, attach, pin};

/// What was taken off.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Detached {
    /// The interfaces that the program was attached to.
    pub interfaces: Vec<String>,
    /// How many pinned maps were let go.
    pub maps: usize,
}

/// Takes the balancer's program off all interfaces and lets its maps go, of every ABI version,
/// with or without a daemon; nothing when there is nothing.
pub fn detach(pin_dir: &Path) -> Result<Detached, DataplaneError> {
    let mut detached = Detached::default();
    for version in pin::names(pin_dir)?.iter().filter(|name| pin::is_version(name)) {
        let maps = pin_dir.join(version);
        let links = maps.join("links");
        for link in pin::names(&links)? {
            if attach::remove(&links.join(&link))? {
                detached.interfaces.push(pin::interface(&link));
            }
        }
        pin::remove_dir(&links)?;
        for map in pin::names(&maps)? {
            detached.maps += usize::from(pin::remove(&maps.join(map))?);
        }
        pin::remove_dir(&maps)?;
    }
    // It stays when it holds what is of `lb decap`, or is where a file system is mounted.
    let _ = fs::remove_dir(pin_dir);
    Ok(detached)
}
