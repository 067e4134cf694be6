//! `lb backend set`.

use clap::Args;

use super::{MAX_FLOWS, Target, max_flows};
use crate::{
    cli::{console::Console, failure::Failure, force::Force, values::weight},
    model::{MaxFlows, Weight},
    state::{BackendSettings, Change},
};

/// Change settings of a backend; what is not named stays.
#[derive(Debug, Args)]
pub(crate) struct Set {
    #[command(flatten)]
    target: Target,
    /// Its share of new flows, relative to the other backends; 0 for none.
    #[arg(long, value_name = "N", value_parser = weight)]
    weight: Option<Weight>,
    /// Let it serve only while fewer primaries than the service's min_primaries are healthy.
    #[arg(long)]
    backup: bool,
    /// Let it serve like any other.
    #[arg(long, conflicts_with = "backup")]
    no_backup: bool,
    #[arg(help = MAX_FLOWS, long, value_name = "N", value_parser = max_flows())]
    max_flows: Option<MaxFlows>,
    /// Let it have any number of flows.
    #[arg(long, conflicts_with = "max_flows")]
    no_max_flows: bool,
    #[command(flatten)]
    force: Force,
}

impl Set {
    pub(crate) async fn run(self, console: &Console) -> Result<(), Failure> {
        let force = self.force;
        console.change(force.request(self.change()?)).await
    }

    pub(crate) fn change(self) -> Result<Change, Failure> {
        let settings = BackendSettings {
            weight: self.weight,
            backup: (self.backup || self.no_backup).then_some(self.backup),
            max_flows: self.max_flows.map(Some).or(self.no_max_flows.then_some(None)),
        };
        if settings == BackendSettings::default() {
            return Err(Failure::Usage(
                "nothing to set: name --weight, --backup, --no-backup, --max-flows or \
                 --no-max-flows"
                    .to_owned(),
            ));
        }
        Ok(Change::SetBackend { backend: self.target.into(), settings })
    }
}
