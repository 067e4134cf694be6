//! Where maps and links are kept while no daemon runs: `<pin_dir>/v<ABI version>/<MAP>`,
//! `<pin_dir>/v<ABI version>/links/<interface>` and `<pin_dir>/decap/<interface>/`.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use lb_common::ABI_VERSION;
use nix::{
    mount::{MsFlags, mount},
    sys::statfs::statfs,
};

use super::DataplaneError;

/// Where a BPF file system is by custom.
const CUSTOMARY_MOUNT: &str = "/sys/fs/bpf";
/// `BPF_FS_MAGIC` of linux/magic.h.
const BPFFS_MAGIC: u32 = 0xcafe_4a11;

/// The directories below a pin directory.
#[derive(Debug, Clone)]
pub(super) struct Pins {
    root: PathBuf,
}

impl Pins {
    pub(super) fn new(pin_dir: &Path) -> Self {
        Self { root: pin_dir.to_owned() }
    }

    /// The maps; the name changes with their shape.
    pub(super) fn maps(&self) -> PathBuf {
        self.root.join(format!("v{ABI_VERSION}"))
    }

    /// Refuses to start beside a program whose maps have another shape: packets would go on through
    /// it, and its links are not in the way of the new ones.
    pub(super) fn refuse_other_versions(&self) -> Result<(), DataplaneError> {
        let own = self.maps();
        // What cannot be read is told of by the step that has to write there.
        let names_here = names(&self.root).unwrap_or_default();
        for version in names_here.iter().filter(|name| is_version(name)) {
            let path = self.root.join(version);
            let links = names(&path.join("links"))?;
            if path != own && !links.is_empty() {
                let interfaces = links.iter().map(|link| interface(link)).collect();
                return Err(DataplaneError::OtherVersion { path, interfaces });
            }
        }
        Ok(())
    }

    /// The balancer's links.
    pub(super) fn links(&self) -> PathBuf {
        self.maps().join("links")
    }

    /// The link of an interface.
    pub(super) fn link(&self, interface: &str) -> PathBuf {
        self.links().join(file_name(interface))
    }

    /// The backend's side: a directory for each interface.
    pub(super) fn decap(&self) -> PathBuf {
        self.root.join("decap")
    }

    /// The backend's side on an interface.
    pub(super) fn decap_on(&self, interface: &str) -> PathBuf {
        self.decap().join(file_name(interface))
    }
}

/// True of a directory of maps.
pub(super) fn is_version(name: &str) -> bool {
    name.strip_prefix('v').is_some_and(|number| number.parse::<u32>().is_ok())
}

/// A file name in a BPF file system, where dots are reserved, for an interface such as `eth0.7`.
fn file_name(interface: &str) -> String {
    interface.replace('%', "%25").replace('.', "%2e")
}

/// The interface that a file is named after.
pub(super) fn interface(file_name: &str) -> String {
    file_name.replace("%2e", ".").replace("%25", "%")
}

/// The names in a directory; none when there is no such directory.
pub(super) fn names(dir: &Path) -> Result<Vec<String>, DataplaneError> {
    let failed = || format!("reading {}", dir.display());
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(DataplaneError::file(failed()))?,
    };
    let name = |entry: io::Result<fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into());
    let names: io::Result<Vec<String>> = entries.map(name).collect();
    let mut names = names.map_err(DataplaneError::file(failed()))?;
    names.sort();
    Ok(names)
}

/// Removes a pin; true when there was one.
pub(super) fn remove(path: &Path) -> Result<bool, DataplaneError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(DataplaneError::file(format!("removing {}", path.display()))(error)),
    }
}

/// Removes a directory that is empty, if there is one.
pub(super) fn remove_dir(dir: &Path) -> Result<(), DataplaneError> {
    match fs::remove_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(DataplaneError::file(format!("removing {}", dir.display()))(error))
        }
        _ => Ok(()),
    }
}

/// Makes a directory for pins, in a BPF file system that is mounted if there is none.
///
/// Nothing is ever mounted over a directory that has something in it. All of it is its owner's alone:
/// whoever can open the directory can hold its lock.
pub(super) fn prepare(pin_dir: &Path, dir: &Path) -> Result<(), DataplaneError> {
    if !is_bpffs(pin_dir) {
        mount_for(pin_dir)?;
    }
    let created = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    created.map_err(DataplaneError::file(format!("creating {}", dir.display())))
}

/// True when the directory lies, or would lie, in a BPF file system.
fn is_bpffs(dir: &Path) -> bool {
    let existing = dir.ancestors().find(|dir| dir.exists());
    let magic = existing
        .and_then(|dir| statfs(dir).ok())
        .map(|fs| fs.filesystem_type().0.cast_unsigned() as u32);
    magic == Some(BPFFS_MAGIC)
}

fn mount_for(pin_dir: &Path) -> Result<(), DataplaneError> {
    let customary = Path::new(CUSTOMARY_MOUNT);
    let mount_point = if pin_dir.starts_with(customary) { customary } else { pin_dir };
    mount_bpffs(mount_point).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => DataplaneError::MayNotMount(mount_point.to_owned()),
        _ => DataplaneError::NoBpffs {
            path: pin_dir.to_owned(),
            mount_point: mount_point.to_owned(),
            reason: error.to_string(),
        },
    })
}

fn mount_bpffs(mount_point: &Path) -> io::Result<()> {
    match fs::create_dir(mount_point) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if fs::read_dir(mount_point)?.next().is_some() {
        return Err(io::Error::other("it has other files in it"));
    }
    mount(Some("bpf"), mount_point, Some("bpf"), MsFlags::empty(), Some("mode=700"))?;
    log::info!("mounted a BPF file system on {}", mount_point.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pin_of_a_vlan_interface_has_no_dot_and_names_it_still() {
        for name in ["eth0", "eth0.7", "a%2eb", "%.%"] {
            assert!(!file_name(name).contains('.'), "{name}");
            assert_eq!(interface(&file_name(name)), name);
        }
    }
}
