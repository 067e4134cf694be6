//! `lb service add`.

use clap::Args;

use super::{policy_args::blame, settings::Settings};
use crate::{
    cli::{console::Console, failure::Failure},
    model::{Service, ServiceAddress, ServiceName},
    state::Change,
};

const SERVICE_FORMS: &str = "What clients dial: tcp:203.0.113.10:443, udp:[2001:db8::10]:53, or \
     tcp:203.0.113.10:* for every port";

/// Add a service; nothing when the same is there.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Its name.
    name: ServiceName,
    #[arg(help = SERVICE_FORMS)]
    address: ServiceAddress,
    #[command(flatten)]
    settings: Settings,
}

impl Add {
    pub(crate) async fn run(self, console: &Console) -> Result<(), Failure> {
        console.change(self.change()?).await
    }

    pub(crate) fn change(self) -> Result<Change, Failure> {
        let Self { name, address, settings } = self;
        let settings = settings.resolve()?;
        let service = settings.applied(Service::new(address));
        if let Some(check) = &service.check {
            check.suits(&address).map_err(|error| Failure::Usage(format!("--check-{error}")))?;
        }
        let suits = service.policy.suits(address.protocol);
        suits.map_err(|invalid| Failure::Usage(blame(&invalid)))?;
        Ok(Change::AddService { name, service })
    }
}
