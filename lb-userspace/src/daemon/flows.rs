//! The live flows, for whoever asks.

use lb_common::flow::State;
use tokio::task::block_in_place;

use super::owner::Owner;
use crate::{
    api::{BackendFlows, FlowAges, FlowStates, Flows},
    dataplane::Census,
    model::{BackendAddress, ServiceName},
};

impl Owner {
    pub(super) fn flows(&self) -> Flows {
        // It looks at every lane of the flow table.
        let census = block_in_place(|| self.dataplane.census());
        let services = self.state.desired.services.iter();
        let backends = services.flat_map(|(name, service)| {
            service.backends.keys().map(|address| {
                let id = self.state.ids.backend(name, address);
                let counted = id.and_then(|id| census.get(&id)).copied().unwrap_or_default();
                view(name, *address, &counted)
            })
        });
        Flows { backends: backends.collect() }
    }
}

fn view(service: &ServiceName, address: BackendAddress, census: &Census) -> BackendFlows {
    let ages = census.ages;
    let states = |state: State| census.states[state as usize];
    BackendFlows {
        service: service.clone(),
        address,
        live: census.live(),
        states: FlowStates {
            opening: states(State::Opening),
            fresh: states(State::Fresh),
            established: states(State::Established),
            closing: states(State::Closing),
        },
        silent: FlowAges {
            under_10s: ages[0],
            under_1m: ages[1],
            under_10m: ages[2],
            under_1h: ages[3],
            longer: ages[4],
        },
    }
}
