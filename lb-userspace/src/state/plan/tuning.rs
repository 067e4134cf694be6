//! How the data path treats a service's packets, beside its tables.

use std::time::Duration;

use lb_common::service::{self, Affinity, ServiceSlot};

use crate::{
    model::{HashFields, OnFailure, Scheduler, Service},
    state::{
        Tuning,
        idle::{epochs, idle_epochs},
        table_cache::Order,
    },
};

pub(super) fn of(service: &Service, epoch: Duration) -> Tuning {
    let policy = &service.policy;
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    let by_hash = matches!(policy.scheduler, Scheduler::Maglev | Scheduler::Sh);
    let stateful = !by_hash || policy.affinity.is_some() || is_limited(service);
    Tuning {
        scheduler: scheduler(policy.scheduler) as u8,
        hash: hash(policy.hash()),
        idle: idle_epochs(service, epoch),
        affinity: policy.affinity.map_or_else(Affinity::default, |affinity| Affinity {
            prefix4: affinity.prefix4,
            prefix6: affinity.prefix6,
            idle: epochs(affinity.timeout.get(), epoch),
        }),
        flags: flag(stateful, ServiceSlot::STATEFUL)
            | flag(is_limited(service), ServiceSlot::LIMITED)
            | flag(policy.on_failure == OnFailure::Reset, ServiceSlot::RESETS),
    }
}

/// The order in which the rotation of a service has its backends; none for a service without one.
pub(super) fn order(service: &Service) -> Option<Order> {
    match service.policy.scheduler {
        Scheduler::Rr => Some(Order::Turns),
        Scheduler::Wrr => Some(Order::WeightedTurns),
        Scheduler::Lc | Scheduler::Wlc => Some(Order::Roster),
        // Where a backend is full, the least busy of the others takes its flow.
        Scheduler::Maglev | Scheduler::Sh | Scheduler::P2c => {
            is_limited(service).then_some(Order::Roster)
        }
    }
}

fn is_limited(service: &Service) -> bool {
    service.backends.values().any(|backend| backend.max_flows.is_some())
}

fn scheduler(scheduler: Scheduler) -> service::Scheduler {
    match scheduler {
        Scheduler::Maglev | Scheduler::Sh => service::Scheduler::Maglev,
        Scheduler::Rr | Scheduler::Wrr => service::Scheduler::Rotation,
        Scheduler::Lc | Scheduler::Wlc => service::Scheduler::LeastFlows,
        Scheduler::P2c => service::Scheduler::TwoChoices,
    }
}

fn hash(fields: HashFields) -> u8 {
    const SOURCE: u8 = ServiceSlot::BY_SOURCE;
    const DESTINATION: u8 = ServiceSlot::BY_DESTINATION;
    match fields {
        HashFields::FiveTuple => 0,
        HashFields::Source => SOURCE,
        HashFields::SourceAndDestination => SOURCE | DESTINATION,
        HashFields::SourcePortFree => SOURCE | DESTINATION | ServiceSlot::BY_DESTINATION_PORT,
    }
}
