//! `lb backend list`.

use clap::Args;

use crate::{
    api::{BackendView, ServiceView},
    cli::{
        console::Console,
        failure::Failure,
        table::{Column, table},
    },
    model::ServiceName,
};

/// List the backends of one service, or of all.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// The service's name; all when it is left out.
    service: Option<ServiceName>,
}

impl List {
    pub(crate) async fn run(self, console: &Console) -> Result<(), Failure> {
        let services = match &self.service {
            Some(name) => vec![console.daemon.service(name).await?],
            None => console.daemon.services().await?,
        };
        console.show(&services, |services| backends(services))
    }
}

const COLUMNS: [Column; 7] = [
    Column::Left("SERVICE"),
    Column::Left("BACKEND"),
    Column::Right("WEIGHT"),
    Column::Left("STATE"),
    Column::Right("SHARE"),
    Column::Right("FLOWS"),
    Column::Left("REASON"),
];

/// A table of the backends of some services.
pub(crate) fn backends<'a>(services: impl IntoIterator<Item = &'a ServiceView>) -> String {
    let rows = services
        .into_iter()
        .flat_map(|service| service.backends.iter().map(|backend| row(service, backend)));
    table(&COLUMNS, rows)
}

fn row(service: &ServiceView, backend: &BackendView) -> Vec<String> {
    let share = f64::from(backend.slots) / f64::from(u32::from(service.table_size));
    vec![
        service.name.to_string(),
        backend.address.to_string(),
        backend.weight.to_string(),
        backend.state.to_string(),
        format!("{:.1}%", 100.0 * share),
        backend.flows.map_or_else(|| "-".to_owned(), |flows| flows.to_string()),
        backend.reason.clone().unwrap_or_default(),
    ]
}
