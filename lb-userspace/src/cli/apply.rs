//! `lb apply`.

use std::path::PathBuf;

use clap::Args;

use super::{console::Console, failure::Failure, force::Force, machine};
use crate::{api::ChangeRequest, state::Change};

/// Make the running daemon equal to a config file.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// The config file.
    file: PathBuf,
    /// Show what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    force: Force,
}

impl Apply {
    pub(crate) async fn run(self, console: &Console) -> Result<(), Failure> {
        let change = Change::Apply(machine::read_config(&self.file)?);
        console.change(ChangeRequest { dry_run: self.dry_run, ..self.force.request(change) }).await
    }
}
