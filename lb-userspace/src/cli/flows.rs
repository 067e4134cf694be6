//! `lb flows`.

use std::num::NonZeroUsize;

use clap::Args;

use super::{
    console::Console,
    failure::Failure,
    table::{Column, table},
};
use crate::{
    api::{BackendFlows, ErrorBody, FlowStates, Flows, FlowsQuery, client::ClientError},
    model::{BackendAddress, ServiceName},
};

const EXAMPLES: &str = "\
Examples:
  lb flows
  lb flows --service web --top 10
  lb flows --backend 192.0.2.21 -o json

States are what the clients' packets show: opening (a SYN), fresh (more than that, in one epoch of
about four seconds only), established (it lived over an epoch's end), closing (FIN or RST). The last
columns count the same flows by the time since their last packet.";

/// Show how many live flows backends have, by state and by the time since their last packet.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct FlowsCommand {
    /// Only the backends of this service.
    #[arg(long, value_name = "NAME")]
    service: Option<ServiceName>,
    /// Only the backends with this address; with any port where it names none.
    #[arg(long, value_name = "ADDRESS")]
    backend: Option<BackendAddress>,
    /// Only the first so many: those with the most flows.
    #[arg(long, value_name = "N")]
    top: Option<NonZeroUsize>,
}

impl FlowsCommand {
    pub(crate) async fn run(self, console: &Console) -> Result<(), Failure> {
        let Self { service, backend, top } = self;
        let query = FlowsQuery { service, backend, top };
        let flows = console.daemon.flows(&query).await?;
        if flows.backends.is_empty() {
            missing(console, &query).await?;
        }
        console.show(&flows, text)
    }
}

/// Whether there is nothing because it was asked for something that is not there.
async fn missing(console: &Console, query: &FlowsQuery) -> Result<(), Failure> {
    if let Some(name) = &query.service {
        console.daemon.service(name).await?;
    }
    match (&query.service, query.backend) {
        (_, None) => Ok(()),
        (Some(name), Some(backend)) => {
            Err(not_found(format!("service \"{name}\" has no backend {backend}")))
        }
        (None, Some(backend)) => Err(not_found(format!("no service has a backend {backend}"))),
    }
}

fn not_found(sentence: String) -> Failure {
    ClientError::Refused(ErrorBody::not_found(sentence)).into()
}

const COLUMNS: [Column; 12] = [
    Column::Left("SERVICE"),
    Column::Left("BACKEND"),
    Column::Right("LIVE"),
    Column::Right("OPENING"),
    Column::Right("FRESH"),
    Column::Right("ESTABLISHED"),
    Column::Right("CLOSING"),
    Column::Right("<10s"),
    Column::Right("<1m"),
    Column::Right("<10m"),
    Column::Right("<1h"),
    Column::Right("MORE"),
];

fn text(flows: &Flows) -> String {
    table(&COLUMNS, flows.backends.iter().map(row))
}

fn row(flows: &BackendFlows) -> Vec<String> {
    let FlowStates { opening, fresh, established, closing } = flows.states;
    let ages = flows.silent;
    let states = [flows.live, opening, fresh, established, closing];
    let ages = [ages.under_10s, ages.under_1m, ages.under_10m, ages.under_1h, ages.longer];
    let counts = states.into_iter().chain(ages).map(|count| count.to_string());
    [flows.service.to_string(), flows.address.to_string()].into_iter().chain(counts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::tests::a_flow_count;

    #[test]
    fn flows_are_counted_by_state_and_by_silence_side_by_side() {
        let flows = Flows { backends: vec![a_flow_count("web", "192.0.2.21:443", 1000)] };
        let expected = "\
SERVICE  BACKEND         LIVE  OPENING  FRESH  ESTABLISHED  CLOSING  <10s  <1m  <10m  <1h  MORE
web      192.0.2.21:443  1015        1      2         1007        5  1001    2     3    4     5";
        assert_eq!(text(&flows), expected);
    }
}
