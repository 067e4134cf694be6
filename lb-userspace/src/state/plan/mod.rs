//! From what is wanted and what is seen to what the maps shall hold.

mod entry;
mod pool;
mod tuning;

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use lb_common::service::{ANY_PORT, ServiceKey};

use self::{entry::Entries, pool::Pool};
use super::{Desired, Ids, Observed, ServiceTable, TableCache, Tables, table_cache::TableWish};
use crate::model::ServiceAddress;

/// The source of outer headers, where it shall not be the address that the route prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TunnelSources {
    /// Of outer IPv4 headers.
    pub v4: Option<Ipv4Addr>,
    /// Of outer IPv6 headers.
    pub v6: Option<Ipv6Addr>,
}

/// What does not change while the daemon runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanSettings {
    /// Sources of outer headers.
    pub tunnel: TunnelSources,
    /// How long an epoch of the flow table lasts.
    pub epoch: Duration,
}

/// What the maps shall hold: a function of its arguments alone, whatever the order in which they
/// came to be as they are. `cache` only makes it quicker.
///
/// `ids` must have numbers for all of `desired` ([`Ids::assign`]): what has none is left out.
pub fn plan(
    desired: &Desired,
    observed: &Observed,
    ids: &Ids,
    settings: &PlanSettings,
    cache: &mut TableCache,
) -> Tables {
    let mut tables = Tables::default();
    let mut wishes = Vec::with_capacity(desired.services.len());
    let mut planned = Vec::with_capacity(desired.services.len());
    for (name, service) in &desired.services {
        let Some(numbers) = ids.of(name) else { continue };
        let pool = Pool::new(name, service, numbers, observed);
        let entries = Entries { service, number: numbers.id, tunnel: settings.tunnel };
        for candidate in pool.candidates() {
            tables.backends.insert(candidate.id, entries.entry(&pool, candidate));
        }
        tables.shares.extend(pool.shares(service));
        tables.vips.insert(service.address.vip);
        let order = tuning::order(service);
        wishes.push(TableWish {
            service: name,
            size: service.table_size,
            members: pool.members(),
            order,
        });
        planned.push((numbers.id, service));
    }
    for ((id, service), (maglev, rotation)) in planned.into_iter().zip(cache.tables(wishes)) {
        let tuning = tuning::of(service, settings.epoch);
        let table = ServiceTable { id, tuning, maglev, rotation };
        tables.services.insert(service_key(service.address), table);
    }
    tables
}

/// The key of a service in the maps.
pub fn service_key(address: ServiceAddress) -> ServiceKey {
    let port = address.port.map_or(ANY_PORT, u16::from).to_be_bytes();
    ServiceKey::service(address.vip.into(), port, address.protocol.number())
}

#[cfg(test)]
mod tests;
