//! What the maps shall hold.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use lb_common::{
    backend::{BackendEntry, BackendId},
    service::ServiceKey,
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
}

/// One service: what its slot says, and its Maglev table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceTable {
    /// Its number in the maps; never 0.
    pub id: u16,
    /// One of [`lb_common::service::Scheduler`].
    pub scheduler: u8,
    /// Idle time-outs of flows in epochs, indexed by [`lb_common::flow::State`].
    pub idle: [u16; 4],
    /// The backend of each slot, a power of two of them; `None` when no backend can serve.
    pub maglev: Option<Arc<[BackendId]>>,
}
