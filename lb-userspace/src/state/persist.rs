//! What outlives the daemon: the state file.

use std::{
    fmt, fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use lb_common::flow::hash::HashKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::{Desired, Difference, Ids};

/// The form of the state file. Raise it when an older `lb` would misread what a newer one wrote.
const VERSION: u32 = 1;

/// What the daemon remembers over a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// What is wanted: the file, and the commands since.
    pub desired: Desired,
    /// Who has which number in the maps.
    pub ids: Ids,
    /// Where the key of the flow hash comes from, unless the config file gives a secret.
    pub hash_seed: HashSeed,
    /// The services of the config file when it was applied last.
    pub file: Desired,
}

/// Secret random bytes.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HashSeed([u8; 32]);

impl HashSeed {
    /// Fresh bytes from the kernel.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The bytes that follow from a secret of any length.
    pub fn of_secret(secret: &[u8]) -> Self {
        Self(Sha256::new().chain_update(b"lb hash seed").chain_update(secret).finalize().into())
    }

    /// Bytes that were a seed before.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, to keep them.
    pub fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// The bytes, for [`hash_key`].
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for HashSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashSeed(secret)")
    }
}

/// The key of the flow hash: SHA-256 in counter mode over the seed. Balancers with one seed have
/// one key, so this must never change.
pub fn hash_key(seed: &[u8]) -> HashKey {
    let mut words = [0; 12];
    for (counter, block) in (0u32..).zip(words.chunks_exact_mut(4)) {
        let digest = Sha256::new()
            .chain_update(b"lb hash key")
            .chain_update(counter.to_le_bytes())
            .chain_update(seed)
            .finalize();
        for (word, bytes) in block.iter_mut().zip(digest.chunks_exact(8)) {
            *word = bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        }
    }
    HashKey::new(words)
}

/// What to begin with: when the file is the one applied last, the saved state, commands included;
/// otherwise the file, as by [`super::Change::Apply`]. With it, what that makes different.
pub fn startup(file: &Desired, saved: Option<&State>) -> (Desired, Vec<Difference>) {
    match saved {
        Some(saved) if saved.file == *file => (saved.desired.clone(), Vec::new()),
        Some(saved) => {
            let desired = saved.desired.replaced(file);
            let differences = super::differences(&saved.desired, &desired);
            (desired, differences)
        }
        None => (file.clone(), super::differences(&Desired::default(), file)),
    }
}

/// The state file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file is there and cannot be read.
    #[error("{path}: the state file cannot be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The file cannot be replaced; the old one is still whole.
    #[error(
        "{path}: the state file cannot be written: {source}: make its directory writable, with room \
         in it, or name another file by `state` under [daemon]"
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The file is of another `lb`.
    #[error(
        "{path}: the state file has version {found}, this lb reads version {VERSION}: run the lb \
         that wrote it, or delete the file to start from the config file, without the changes made \
         by command"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// The file is damaged.
    #[error(
        "{path}: the state file is damaged ({why}): delete it to start from the config file, \
         without the changes made by command"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// In what way.
        why: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Versioned {
    version: u32,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    #[serde(flatten)]
    state: &'a State,
}

impl State {
    /// The state in a file; `None` when there is none yet.
    pub fn load(path: &Path) -> Result<Option<Self>, StateError> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StateError::Read { path: path.to_owned(), source }),
        };
        let damaged = |why: String| StateError::Damaged { path: path.to_owned(), why };
        let Versioned { version } =
            serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if version != VERSION {
            return Err(StateError::Version { path: path.to_owned(), found: version });
        }
        let state: Self =
            serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        for desired in [&state.desired, &state.file] {
            let whole = desired.completed().map_err(|refusal| damaged(refusal.to_string()))?;
            if whole != *desired {
                return Err(damaged("a backend lacks its port".to_owned()));
            }
        }
        if !state.ids.is_sound() {
            return Err(damaged("a number has two owners, or is 0".to_owned()));
        }
        Ok(Some(state))
    }

    /// Replaces the file: after a crash it holds either the old state or this one. Only its owner
    /// can read it, as it holds a secret.
    pub fn save(&self, path: &Path) -> Result<(), StateError> {
        self.replace(path).map_err(|source| StateError::Write { path: path.to_owned(), source })
    }

    fn replace(&self, path: &Path) -> io::Result<()> {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(directory)?;
        let mut file = NamedTempFile::new_in(directory)?;
        let text = serde_json::to_vec_pretty(&Written { version: VERSION, state: self })?;
        file.write_all(&text)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        // The new name is durable only once its directory is.
        fs::File::open(directory)?.sync_all()
    }
}

#[cfg(test)]
mod tests;
