//! `lb service set`.

use clap::Args;

use super::settings::Settings;
use crate::{
    cli::{console::Console, failure::Failure},
    model::ServiceName,
    state::{Change, ServiceSettings},
};

/// Change settings of a service; what is not named stays.
#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Its name.
    name: ServiceName,
    #[command(flatten)]
    settings: Settings,
    /// Check its backends no more: every enabled one serves.
    #[arg(long, conflicts_with = "check", help_heading = "Health check")]
    no_check: bool,
}

impl Set {
    pub(crate) async fn run(self, console: &Console) -> Result<(), Failure> {
        console.change(self.change()?).await
    }

    pub(crate) fn change(self) -> Result<Change, Failure> {
        let Self { name, settings, no_check } = self;
        let mut settings = settings.resolve()?;
        if no_check {
            settings.check = Some(None);
        }
        if settings == ServiceSettings::default() {
            return Err(Failure::Usage(
                "nothing to set: name --scheduler, --forward, --table-size, --check or --no-check"
                    .to_owned(),
            ));
        }
        Ok(Change::SetService { name, settings })
    }
}
