//! One daemon for what is pinned in a directory.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

use super::{DataplaneError, pin};

/// The right to change what is pinned in a directory. One process at a time has it; the kernel takes
/// it back however that process ends.
///
/// The lock is on the directory itself: that is one, whatever sockets, state files and paths lead
/// two daemons to it.
#[derive(Debug)]
pub struct Claim {
    pin_dir: PathBuf,
    _lock: Flock<File>,
}

impl Claim {
    /// Takes the right, or says that another daemon has it. The directory is made where it is
    /// missing, in a BPF file system that is mounted if there is none.
    pub fn take(pin_dir: &Path) -> Result<Self, DataplaneError> {
        pin::prepare(pin_dir, pin_dir)?;
        let claiming = || format!("claiming {}", pin_dir.display());
        let directory = File::open(pin_dir).map_err(DataplaneError::file(claiming()))?;
        match Flock::lock(directory, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Self { pin_dir: pin_dir.to_owned(), _lock: lock }),
            Err((_, Errno::EWOULDBLOCK)) => {
                Err(DataplaneError::Claimed { path: pin_dir.to_owned() })
            }
            Err((_, error)) => Err(DataplaneError::file(claiming())(error.into())),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // A start that failed leaves no empty directory; one with pins in it stays.
        let _ = fs::remove_dir(&self.pin_dir);
    }
}
