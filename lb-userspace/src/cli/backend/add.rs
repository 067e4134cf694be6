//! `lb backend add`.

use clap::{Args, builder::TypedValueParser};

use super::Target;
use crate::{
    cli::{console::Console, failure::Failure},
    model::Weight,
    state::Change,
};

/// Add a backend to a service; nothing when the same is there.
#[derive(Debug, Args)]
pub(crate) struct Add {
    #[command(flatten)]
    target: Target,
    /// Its share of new flows, relative to the other backends; 0 for none.
    #[arg(long, value_name = "N", default_value = "1",
          value_parser = clap::value_parser!(u16).map(Weight))]
    weight: Weight,
}

impl Add {
    pub(crate) async fn run(self, console: &Console) -> Result<(), Failure> {
        let Self { target, weight } = self;
        let backend = target.into();
        console.change(Change::AddBackend { backend, weight, backup: false, max_flows: None }).await
    }
}
