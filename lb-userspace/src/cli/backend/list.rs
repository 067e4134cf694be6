//! `lb backend list`.

use clap::Args;

use crate::{
    api::{BackendView, ServiceView},
    cli::{
        console::Console,
        failure::Failure,
        table::{Column, table},
    },
    model::{Scheduler, ServiceName},
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

const COLUMNS: [Column; 9] = [
    Column::Left("SERVICE"),
    Column::Left("BACKEND"),
    Column::Right("WEIGHT"),
    Column::Left("BACKUP"),
    Column::Left("STATE"),
    Column::Right("SHARE"),
    Column::Right("FLOWS"),
    Column::Right("MAX"),
    Column::Left("REASON"),
];

/// A table of the backends of some services. What none of them uses has no column.
pub(crate) fn backends<'a>(services: impl IntoIterator<Item = &'a ServiceView>) -> String {
    let all: Vec<_> = services
        .into_iter()
        .flat_map(|service| service.backends.iter().map(move |backend| (service, backend)))
        .collect();
    let backup = all.iter().any(|(_, backend)| backend.backup);
    let max = all.iter().any(|(_, backend)| backend.max_flows.is_some());
    let is_shown = |at: usize| match COLUMNS[at] {
        Column::Left("BACKUP") => backup,
        Column::Right("MAX") => max,
        _ => true,
    };
    let columns: Vec<_> =
        (0..COLUMNS.len()).filter(|at| is_shown(*at)).map(|at| COLUMNS[at]).collect();
    let rows = all.into_iter().map(|(service, backend)| {
        let cells = row(service, backend).into_iter().enumerate();
        cells.filter(|(at, _)| is_shown(*at)).map(|(_, cell)| cell).collect()
    });
    table(&columns, rows)
}

fn row(service: &ServiceView, backend: &BackendView) -> [String; COLUMNS.len()] {
    let or_dash = |number: Option<String>| number.unwrap_or_else(|| "-".to_owned());
    [
        service.name.to_string(),
        backend.address.to_string(),
        backend.weight.to_string(),
        if backend.backup { "yes" } else { "" }.to_owned(),
        backend.state.to_string(),
        or_dash(share(service, backend)),
        or_dash(backend.flows.map(|flows| flows.to_string())),
        or_dash(backend.max_flows.map(|most| most.to_string())),
        backend.reason.clone().unwrap_or_default(),
    ]
}

/// A backend's part of new flows, where weights decide it: `rr` puts them aside, and `lc` and `wlc` go by
/// the flows that are there.
fn share(service: &ServiceView, backend: &BackendView) -> Option<String> {
    let share = f64::from(backend.slots) / f64::from(u32::from(service.table_size));
    match service.policy.scheduler {
        Scheduler::Rr | Scheduler::Lc | Scheduler::Wlc => None,
        Scheduler::Maglev | Scheduler::Wrr | Scheduler::Sh | Scheduler::P2c => {
            Some(format!("{:.1}%", 100.0 * share))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::status::tests::web, model::MaxFlows};

    #[test]
    fn backups_and_limits_are_shown_where_there_are_any() {
        let mut web = web();
        assert!(!backends([&web]).contains("BACKUP") && !backends([&web]).contains("MAX"));
        web.backends[0].max_flows = MaxFlows::new(5000);
        assert!(!backends([&web]).contains("BACKUP") && backends([&web]).contains("MAX"));
        web.backends[2].backup = true;
        let expected = "\
SERVICE  BACKEND             WEIGHT  BACKUP  STATE     SHARE  FLOWS   MAX  REASON
web      192.0.2.21:443          10          up        75.0%   1234  5000
web      192.0.2.22:443           3          draining  25.0%   1234     -
web      [2001:db8::23]:443       1  yes     down       0.0%      -     -  tcp refused (3/3) for 12s";
        assert_eq!(backends([&web]), expected);
    }

    #[test]
    fn a_share_is_shown_only_where_weights_decide_it() {
        let mut web = web();
        web.policy.scheduler = Scheduler::Wrr;
        assert!(backends([&web]).contains("75.0%"));
        web.policy.scheduler = Scheduler::Lc;
        assert!(!backends([&web]).contains('%'));
    }
}
