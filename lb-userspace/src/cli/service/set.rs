//! `lb service set`.

use clap::Args;

use super::{policy_args, settings::Settings};
use crate::{
    cli::{console::Console, failure::Failure, force::Force},
    model::ServiceName,
    state::{Change, ServiceSettings},
};

/// Change settings of a service; what is not named stays.
#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Its name.
    name: ServiceName,
    #[command(flatten)]
    force: Force,
    #[command(flatten)]
    settings: Settings,
    /// Check its backends no more: every enabled one serves.
    #[arg(long, conflicts_with = "check", help_heading = "Health check")]
    no_check: bool,
    /// Clients keep their backend no longer than their flows live.
    #[arg(long, conflicts_with = "affinity", help_heading = policy_args::HEADING)]
    no_affinity: bool,
    /// Give a backend that comes up its share at once.
    #[arg(long, conflicts_with = "slow_start", help_heading = policy_args::HEADING)]
    no_slow_start: bool,
}

impl Set {
    pub(crate) async fn run(self, console: &Console) -> Result<(), Failure> {
        let force = self.force;
        console.change(force.request(self.change()?)).await
    }

    pub(crate) fn change(self) -> Result<Change, Failure> {
        let Self { name, settings, no_check, no_affinity, no_slow_start, force: _ } = self;
        let mut settings = settings.resolve()?;
        if no_check {
            settings.check = Some(None);
        }
        if no_affinity {
            settings.affinity = Some(None);
        }
        if no_slow_start {
            settings.slow_start = Some(None);
        }
        if settings == ServiceSettings::default() {
            return Err(Failure::Usage(
                "nothing to set: name a setting, such as --scheduler, --check or --no-check; \
                 `lb service set --help` lists them"
                    .to_owned(),
            ));
        }
        Ok(Change::SetService { name, settings })
    }
}
