//! `lb backend`.

mod add;
mod admin;
mod list;
mod remove;
mod set;

use clap::{Args, Subcommand};

use super::{console::Console, failure::Failure};
use crate::model::{Admin, BackendAddress, BackendKey, ServiceName};

pub(crate) use list::backends;

const EXAMPLES: &str = "\
Examples:
  lb backend add web 192.0.2.21 --weight 10
  lb backend set web 192.0.2.21 --weight 5
  lb backend drain web 192.0.2.21
  lb backend disable web [2001:db8::21]:443
  lb backend enable web 192.0.2.21
  lb backend remove web 192.0.2.21
  lb backend list
  lb backend list web";

const BACKEND_FORMS: &str =
    "The backend's address: 192.0.2.21, 192.0.2.21:443, 2001:db8::21 or [2001:db8::21]:443";

/// Add, change, drain, remove and show backends.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Backend {
    /// Add a backend to a service; nothing when the same is there.
    Add(add::Add),
    /// Change a backend's weight.
    Set(set::Set),
    /// Remove a backend, and with it its flows; nothing when it is not there.
    Remove(remove::Remove),
    /// Give a backend no new flows, and let it keep those it has.
    Drain(Target),
    /// Let a backend serve again.
    Enable(Target),
    /// Take a backend out at once: its flows move to others.
    Disable(Target),
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
            Self::Drain(target) => admin::run(target, Admin::Draining, console).await,
            Self::Enable(target) => admin::run(target, Admin::Enabled, console).await,
            Self::Disable(target) => admin::run(target, Admin::Disabled, console).await,
            Self::List(list) => list.run(console).await,
        }
    }
}
