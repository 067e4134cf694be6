//! `lb backend remove`.

use clap::Args;

use super::Target;
use crate::{
    cli::{console::Console, failure::Failure},
    state::Change,
};

/// Remove a backend, and with it its flows; nothing when it is not there.
#[derive(Debug, Args)]
pub(crate) struct Remove {
    #[command(flatten)]
    target: Target,
}

impl Remove {
    pub(crate) async fn run(self, console: &Console) -> Result<(), Failure> {
        console.change(Change::RemoveBackend { backend: self.target.into() }).await
    }
}
