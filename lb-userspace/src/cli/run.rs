//! `lb run`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{failure::Failure, machine};

/// Run the daemon.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The config file.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// Log what becomes of each packet for a VIP. It slows packets down until the daemon is started
    /// without it.
    #[arg(long)]
    trace: bool,
}

impl Run {
    pub(crate) fn run(self, socket: Option<&Path>) -> Result<(), Failure> {
        Ok(machine::run_daemon(&self.config, socket, self.trace)?)
    }
}
