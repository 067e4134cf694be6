//! `lb backend add`.

use clap::Args;

use super::Target;
use crate::{
    cli::{console::Console, failure::Failure, values::weight},
    model::Weight,
    state::Change,
};

/// Add a backend to a service; nothing when the same is there.
#[derive(Debug, Args)]
pub(crate) struct Add {
    #[command(flatten)]
    target: Target,
    /// Its share of new flows, relative to the other backends; 0 for none.
    #[arg(long, value_name = "N", default_value = "1", value_parser = weight)]
    weight: Weight,
}

impl Add {
    pub(crate) async fn run(self, console: &Console) -> Result<(), Failure> {
        let Self { target, weight } = self;
        console.change(Change::AddBackend { backend: target.into(), weight }).await
    }
}
