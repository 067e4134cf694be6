//! `lb backend enable` and `disable`: the operator's word on a backend.

use clap::Args;

use super::Target;
use crate::{
    cli::{console::Console, failure::Failure, force::Force},
    model::Admin,
    state::Change,
};

/// Let a backend serve again.
#[derive(Debug, Args)]
pub(crate) struct Enable {
    #[command(flatten)]
    target: Target,
}

impl Enable {
    pub(crate) async fn run(self, console: &Console) -> Result<(), Failure> {
        let backend = self.target.into();
        console.change(Change::SetAdmin { backend, admin: Admin::Enabled }).await
    }
}

/// Take a backend out at once: its flows move to others.
#[derive(Debug, Args)]
pub(crate) struct Disable {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    force: Force,
}

impl Disable {
    pub(crate) async fn run(self, console: &Console) -> Result<(), Failure> {
        let Self { target, force } = self;
        let change = Change::SetAdmin { backend: target.into(), admin: Admin::Disabled };
        console.change(force.request(change)).await
    }
}
