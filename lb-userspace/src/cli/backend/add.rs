//! `lb backend add`.

use clap::Args;

use super::{MAX_FLOWS, Target, max_flows};
use crate::{
    cli::{console::Console, failure::Failure, values::weight},
    model::{MaxFlows, Weight},
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
    /// Let it serve only while fewer primaries than the service's min_primaries are healthy.
    #[arg(long)]
    backup: bool,
    #[arg(help = MAX_FLOWS, long, value_name = "N", value_parser = max_flows())]
    max_flows: Option<MaxFlows>,
}

impl Add {
    pub(crate) async fn run(self, console: &Console) -> Result<(), Failure> {
        let Self { target, weight, backup, max_flows } = self;
        let backend = target.into();
        console.change(Change::AddBackend { backend, weight, backup, max_flows }).await
    }
}
