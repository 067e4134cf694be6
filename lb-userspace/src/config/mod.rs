//! The config file, `lb.toml`: from text to types that cannot be wrong, or one line that says what
//! is wrong with it.

mod daemon;
mod export;
mod file;
mod place;
mod policy;
mod resolve;
mod restart;
mod service;

use std::{fs, path::Path};

pub use daemon::{DaemonConfig, InterfaceName, LimitExceeded, Limits, Mode, Paths, Secret};
pub use export::export;
pub use place::ConfigError;

use crate::state::Desired;

/// A config file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The services.
    pub desired: Desired,
    /// Everything else.
    pub daemon: DaemonConfig,
}

impl Config {
    /// Reads a file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let name = path.display().to_string();
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&name, &text),
            Err(source) => Err(ConfigError::Read { file: name, source }),
        }
    }

    /// Reads a file that the daemon shall run by: it must name an interface.
    pub fn load_to_run(path: &Path) -> Result<Self, ConfigError> {
        let config = Self::load(path)?;
        if config.daemon.interfaces.is_empty() {
            return Err(ConfigError::NoInterface { file: path.display().to_string() });
        }
        Ok(config)
    }

    /// Reads a text; `name` stands for it in errors.
    pub fn parse(name: &str, text: &str) -> Result<Self, ConfigError> {
        let place = place::Place { file: name, text };
        let file = toml::from_str(text).map_err(|error| place.toml(error))?;
        resolve::resolve(place, &file)
    }
}

#[cfg(test)]
mod tests;
