//! `lb service`.

mod add;
mod fields;
mod list;
mod policy_args;
mod remove;
mod set;
mod settings;
mod show;

use clap::Subcommand;

use super::{console::Console, failure::Failure};

pub(crate) use list::services;
pub(crate) use show::check as describe_check;

const EXAMPLES: &str = "\
Examples:
  lb service add web tcp:203.0.113.10:443 --check tcp
  lb service add api tcp:[2001:db8::10]:80 --check http --check-path /healthz --check-expect 200,204
  lb service add dns udp:203.0.113.10:53 --check tcp --check-interval 500ms --check-timeout 200ms
  lb service set web --check http --check-port 8080 --rise 2 --fall 3
  lb service set web --no-check
  lb service set web --scheduler wlc --slow-start 1m --min-healthy 2
  lb service set web --affinity prefix4=24,prefix6=56,timeout=10m --idle established=30m
  lb service set web --no-affinity --idle default --force
  lb service remove web
  lb service list
  lb service show web";

/// Add, change, remove and show services.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Service {
    /// Add a service; nothing when the same is there.
    Add(Box<add::Add>),
    /// Change settings of a service; what is not named stays.
    Set(Box<set::Set>),
    /// Remove a service and its backends; nothing when it is not there.
    Remove(remove::Remove),
    /// List the services.
    List(list::List),
    /// Show one service and its backends.
    Show(show::Show),
}

impl Service {
    pub(crate) async fn run(self, console: &Console) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(console).await,
            Self::Set(set) => set.run(console).await,
            Self::Remove(remove) => remove.run(console).await,
            Self::List(list) => list.run(console).await,
            Self::Show(show) => show.run(console).await,
        }
    }
}
