//! What the maps shall hold.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use lb_common::{
    backend::{BackendEntry, BackendId},
    service::{Affinity, ServiceKey, ServiceSlot},
};

/// Everything the data path reads, as it shall be: the result of planning.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tables {
    /// Every VIP of every service.
    pub vips: BTreeSet<IpAddr>,
    /// Every service.
    pub services: BTreeMap<ServiceKey, ServiceTable>,
    /// Every backend. An entry without [`BackendEntry::USABLE`] takes no packets.
    pub backends: BTreeMap<BackendId, BackendEntry>,
    /// What each backend's live flows are weighed against; nothing of one that takes no new flows.
    pub shares: BTreeMap<BackendId, Share>,
}

/// One service: what its slot says, and its tables.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceTable {
    /// Its number in the maps; never 0.
    pub id: u16,
    /// How its packets are treated.
    pub tuning: Tuning,
    /// The backend of each slot, a power of two of them; `None` when no backend can serve.
    pub maglev: Option<Arc<[BackendId]>>,
    /// The backends in the order of their turns; `None` for a scheduler that needs none.
    pub rotation: Option<Arc<[BackendId]>>,
}

/// What a service's packets are decided by, beside its tables: fields of
/// [`lb_common::service::ServiceSlot`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tuning {
    /// One of [`lb_common::service::Scheduler`].
    pub scheduler: u8,
    /// What of a flow the consistent hash looks at.
    pub hash: u8,
    /// Idle time-outs of flows in epochs, indexed by [`lb_common::flow::State`].
    pub idle: [u16; 4],
    /// How clients keep their backend.
    pub affinity: Affinity,
    /// [`lb_common::service::ServiceSlot::STATEFUL`] and the bits beside it.
    pub flags: u8,
}

impl Tuning {
    /// The tuning that a slot has.
    pub fn of(slot: &ServiceSlot) -> Self {
        let ServiceSlot { scheduler, hash, idle, affinity, flags, .. } = *slot;
        Self { scheduler, hash, idle, affinity, flags }
    }

    /// The slot with this tuning.
    #[must_use]
    pub fn tune(self, slot: ServiceSlot) -> ServiceSlot {
        let Self { scheduler, hash, idle, affinity, flags } = self;
        ServiceSlot { scheduler, hash, idle, affinity, flags, ..slot }
    }
}

/// A backend's part of [`lb_common::backend::Load`] that userspace decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Share {
    /// What its live flows are weighed against.
    pub weight: u32,
    /// How many live flows it may have before new ones go elsewhere.
    pub most: u32,
}
