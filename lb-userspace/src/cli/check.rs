//! `lb check`.

use std::path::PathBuf;

use clap::Args;

use super::{console::Console, failure::Failure, machine};

/// Validate a config file, without a daemon.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The config file.
    file: PathBuf,
}

impl Check {
    pub(crate) fn run(self, console: &Console) -> Result<(), Failure> {
        let desired = machine::read_config(&self.file)?;
        console.show(&desired, |desired| {
            let services = desired.services.len();
            let backends: usize = desired.services.values().map(|one| one.backends.len()).sum();
            format!("{}: good, {services} services, {backends} backends", self.file.display())
        })
    }
}
