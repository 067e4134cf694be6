//! The flows that the flow table holds, counted.

use std::{cmp::Reverse, num::NonZeroUsize};

use serde::{Deserialize, Serialize};

use crate::model::{BackendAddress, ServiceName};

/// The body of `GET /v1/flows`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Flows {
    /// The backends that were asked for, those with the most flows first.
    pub backends: Vec<BackendFlows>,
}

/// The live flows of a backend: those that have not been silent for longer than their time-out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendFlows {
    /// Its service.
    pub service: ServiceName,
    /// Its address.
    pub address: BackendAddress,
    /// All of them.
    pub live: u64,
    /// The same by how far they have come.
    pub states: FlowStates,
    /// The same by the time since the last packet, right to an epoch of about four seconds.
    pub silent: FlowAges,
}

/// Flows by how far they have come, as their clients' packets show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FlowStates {
    /// A TCP SYN came; nothing since.
    pub opening: u64,
    /// Other packets came, in one epoch only.
    pub fresh: u64,
    /// They have lived over an epoch's end: new flows never take their place.
    pub established: u64,
    /// A FIN or RST came.
    pub closing: u64,
}

/// Flows by the time since their last packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FlowAges {
    /// Less than 10 seconds.
    pub under_10s: u64,
    /// Less than a minute, and not less than the above.
    pub under_1m: u64,
    /// Less than 10 minutes.
    pub under_10m: u64,
    /// Less than an hour.
    pub under_1h: u64,
    /// An hour or more.
    pub longer: u64,
}

/// The query of `GET /v1/flows`: which backends; all where nothing is said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowsQuery {
    /// Those of this service.
    pub service: Option<ServiceName>,
    /// Those with this address; any port where it names none.
    pub backend: Option<BackendAddress>,
    /// The first so many.
    pub top: Option<NonZeroUsize>,
}

impl FlowsQuery {
    /// As it is written behind the path. Every character of a name or an address stands for itself.
    pub(super) fn written(&self) -> String {
        let Self { service, backend, top } = self;
        let service = service.as_ref().map(|name| format!("service={name}"));
        let backend = backend.map(|address| format!("backend={address}"));
        let top = top.map(|top| format!("top={top}"));
        let fields: Vec<String> = [service, backend, top].into_iter().flatten().collect();
        if fields.is_empty() { String::new() } else { format!("?{}", fields.join("&")) }
    }

    fn wants(&self, flows: &BackendFlows) -> bool {
        self.service.as_ref().is_none_or(|service| *service == flows.service)
            && self.backend.is_none_or(|backend| backend.may_be(flows.address))
    }
}

impl Flows {
    /// What a query asks for, those with the most flows first.
    #[must_use]
    pub fn selected(self, query: &FlowsQuery) -> Self {
        let mut backends = self.backends;
        backends.retain(|flows| query.wants(flows));
        backends.sort_by(|one, other| {
            let rank = |flows: &BackendFlows| (Reverse(flows.live), flows.address);
            rank(one).cmp(&rank(other)).then_with(|| one.service.cmp(&other.service))
        });
        backends.truncate(query.top.map_or(usize::MAX, NonZeroUsize::get));
        Self { backends }
    }
}
