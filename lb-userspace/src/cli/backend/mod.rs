//! `lb backend`.

mod add;
mod admin;
mod drain;
mod list;
mod remove;
mod set;

use clap::{Args, Subcommand, builder::TypedValueParser};

use super::{console::Console, failure::Failure};
use crate::model::{BackendAddress, BackendKey, MaxFlows, ServiceName};

pub(crate) use list::backends;

const EXAMPLES: &str = "\
Examples:
  lb backend add web 192.0.2.21 --weight 10
  lb backend add web 192.0.2.29 --backup --max-flows 10000
  lb backend set web 192.0.2.21 --weight 5
  lb backend set web 192.0.2.29 --no-backup --no-max-flows
  lb backend drain web 192.0.2.21
  lb backend drain web 192.0.2.21 --wait --deadline 5m
  lb backend disable web [2001:db8::21]:443
  lb backend enable web 192.0.2.21
  lb backend remove web 192.0.2.21 --force
  lb backend list
  lb backend list web";

const BACKEND_FORMS: &str =
    "The backend's address: 192.0.2.21, 192.0.2.21:443, 2001:db8::21 or [2001:db8::21]:443";

const MAX_FLOWS: &str = "The most flows that it shall have at a time [default: any number]";

fn max_flows() -> impl TypedValueParser<Value = MaxFlows> {
    clap::value_parser!(u32).range(1..).try_map(MaxFlows::try_from)
}

/// Add, change, drain, remove and show backends.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Backend {
    /// Add a backend to a service; nothing when the same is there.
    Add(add::Add),
    /// Change settings of a backend; what is not named stays.
    Set(set::Set),
    /// Remove a backend, and with it its flows; nothing when it is not there.
    Remove(remove::Remove),
    /// Give a backend no new flows; those it has stay or move as the service's on_drain says.
    Drain(drain::Drain),
    /// Let a backend serve again.
    Enable(admin::Enable),
    /// Take a backend out at once: its flows move to others.
    Disable(admin::Disable),
    /// List the backends of one service, or of all.
    List(list::List),
}

/// Which backend.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// The service's name.
    service: ServiceName,
    #[arg(help = BACKEND_FORMS)]
    address: BackendAddress,
}

impl From<Target> for BackendKey {
    fn from(Target { service, address }: Target) -> Self {
        Self { service, address }
    }
}

impl Backend {
    pub(crate) async fn run(self, console: &Console) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(console).await,
            Self::Set(set) => set.run(console).await,
            Self::Remove(remove) => remove.run(console).await,
            Self::Drain(drain) => drain.run(console).await,
            Self::Enable(enable) => enable.run(console).await,
            Self::Disable(disable) => disable.run(console).await,
            Self::List(list) => list.run(console).await,
        }
    }
}
