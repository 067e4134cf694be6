//! `lb backend set`.

use clap::Args;

use super::Target;
use crate::{
    cli::{console::Console, failure::Failure, values::weight},
    model::Weight,
    state::Change,
};

/// Change a backend's weight.
#[derive(Debug, Args)]
pub(crate) struct Set {
    #[command(flatten)]
    target: Target,
    /// Its share of new flows, relative to the other backends; 0 for none.
    #[arg(long, value_name = "N", value_parser = weight)]
    weight: Weight,
}

impl Set {
    pub(crate) async fn run(self, console: &Console) -> Result<(), Failure> {
        let Self { target, weight } = self;
        console.change(Change::SetBackend { backend: target.into(), weight }).await
    }
}
