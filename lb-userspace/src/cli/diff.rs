//! `lb diff`.

use std::path::PathBuf;

use clap::Args;

use super::{console::Console, failure::Failure, machine};
use crate::{api::ChangeRequest, state::Change};

/// Show what applying a config file would change.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The config file.
    file: PathBuf,
}

impl Diff {
    pub(crate) async fn run(self, console: &Console) -> Result<(), Failure> {
        let change = Change::Apply(machine::read_config(&self.file)?);
        console.change(ChangeRequest { dry_run: true, ..change.into() }).await
    }
}
