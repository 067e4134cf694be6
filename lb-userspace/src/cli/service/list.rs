//! `lb service list`.

use clap::Args;

use super::describe_check;
use crate::{
    api::ServiceView,
    cli::{
        console::Console,
        failure::Failure,
        table::{Column, table},
    },
    state::named,
};

/// List the services.
#[derive(Debug, Args)]
pub(crate) struct List {}

impl List {
    pub(crate) async fn run(self, console: &Console) -> Result<(), Failure> {
        console.show(&console.daemon.services().await?[..], services)
    }
}

const COLUMNS: [Column; 6] = [
    Column::Left("NAME"),
    Column::Left("ADDRESS"),
    Column::Left("SCHEDULER"),
    Column::Left("FORWARD"),
    Column::Right("HEALTHY"),
    Column::Left("CHECK"),
];

/// A table of services.
pub(crate) fn services(services: &[ServiceView]) -> String {
    table(
        &COLUMNS,
        services.iter().map(|service| {
            vec![
                service.name.to_string(),
                service.address.to_string(),
                named(&service.policy.scheduler),
                named(&service.forward),
                format!("{}/{}", service.healthy, service.total),
                service.check.as_ref().map_or_else(|| "-".to_owned(), describe_check),
            ]
        }),
    )
}
