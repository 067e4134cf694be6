//! `lb backend remove`.

use clap::Args;

use super::Target;
use crate::{
    cli::{console::Console, failure::Failure, force::Force},
    state::Change,
};

/// Remove a backend, and with it its flows; nothing when it is not there.
#[derive(Debug, Args)]
pub(crate) struct Remove {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    force: Force,
}

impl Remove {
    pub(crate) async fn run(self, console: &Console) -> Result<(), Failure> {
        let Self { target, force } = self;
        console.change(force.request(Change::RemoveBackend { backend: target.into() })).await
    }
}
