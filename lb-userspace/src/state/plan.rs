//! From what is wanted and what is seen to what the maps shall hold.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use lb_common::{
    address::Address,
    backend::{BackendEntry, Method},
    forward::ipip,
    service::{ANY_PORT, Scheduler as SchedulerNumber, ServiceKey},
};

use super::{
    Desired, Health, Ids, MaglevCache, NextHop, Observed, ServiceTable, Tables, idle::idle_epochs,
    ids::Numbers, maglev_cache::TableWish,
};
use crate::{
    maglev::{Member, Ramp},
    model::{
        Admin, Backend, BackendAddress, BackendKey, Forward, Scheduler, Service, ServiceAddress,
        ServiceName,
    },
};

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
    cache: &mut MaglevCache,
) -> Tables {
    let mut tables = Tables::default();
    let mut wishes = Vec::with_capacity(desired.services.len());
    for (name, service) in &desired.services {
        let Some(numbers) = ids.of(name) else { continue };
        let servers = Servers { name, service, numbers, observed, tunnel: settings.tunnel };
        let members = servers.plan(&mut tables);
        wishes.push(TableWish { service: name, size: service.table_size, members });
        tables.vips.insert(service.address.vip);
    }
    let built = cache.tables(wishes);
    let planned = desired.services.iter().filter_map(|(name, s)| Some((s, ids.service(name)?)));
    for ((service, id), maglev) in planned.zip(built) {
        let idle = idle_epochs(service.address.protocol, settings.epoch);
        let Scheduler::Maglev = service.scheduler;
        let scheduler = SchedulerNumber::Maglev as u8;
        let table = ServiceTable { id, scheduler, idle, maglev };
        tables.services.insert(service_key(service.address), table);
    }
    tables
}

/// The key of a service in the maps.
pub fn service_key(address: ServiceAddress) -> ServiceKey {
    let port = address.port.map_or(ANY_PORT, u16::from).to_be_bytes();
    ServiceKey::service(address.vip.into(), port, address.protocol.number())
}

/// The backends of one service.
struct Servers<'a> {
    name: &'a ServiceName,
    service: &'a Service,
    numbers: &'a Numbers,
    observed: &'a Observed,
    tunnel: TunnelSources,
}

impl Servers<'_> {
    /// Adds an entry for each backend; returns them with what they take of new flows.
    fn plan(&self, tables: &mut Tables) -> Vec<Member> {
        let mut members = Vec::with_capacity(self.service.backends.len());
        // One key for all: a name is not copied for every look-up.
        let mut key = BackendKey { service: self.name.clone(), address: NO_BACKEND };
        for (address, backend) in &self.service.backends {
            let Some(id) = self.numbers.backends.get(address).copied() else { continue };
            key.address = *address;
            let is_healthy =
                self.service.check.is_none() || self.observed.health.get(&key) == Some(&Health::Up);
            let entry = self.entry(*address, *backend, is_healthy);
            let is_resolved = entry.flags & BackendEntry::RESOLVED != 0;
            let is_wanted = backend.admin == Admin::Enabled;
            let takes_flows = is_wanted && is_healthy && is_resolved;
            members.push(Member {
                id,
                address: *address,
                weight: backend.weight,
                ramp: if takes_flows { Ramp::FULL } else { Ramp::NONE },
                is_primary: true,
            });
            tables.backends.insert(id, entry);
        }
        members
    }

    fn entry(&self, address: BackendAddress, backend: Backend, is_healthy: bool) -> BackendEntry {
        let Forward::Ipip = self.service.forward;
        let takes_packets = is_healthy && backend.admin != Admin::Disabled;
        let entry = BackendEntry {
            outer_destination: address.ip.into(),
            service: self.numbers.id,
            method: Method::Ipip as u8,
            payload: if self.service.address.vip.is_ipv4() { ipip::IPV4 } else { ipip::IPV6 },
            flags: if takes_packets { BackendEntry::USABLE } else { 0 },
            ..BackendEntry::default()
        };
        let next_hop = self.observed.next_hops.get(&address.ip);
        let way = next_hop.and_then(|hop| Some((hop, self.outer_source(address.ip, hop)?)));
        match way {
            Some((next_hop, source)) => resolved(entry, *next_hop, source, address.ip),
            None => entry,
        }
    }

    /// The source of an outer header to a backend; `None` when no address of its family is known.
    fn outer_source(&self, backend: IpAddr, next_hop: &NextHop) -> Option<IpAddr> {
        let chosen = match backend {
            IpAddr::V4(_) => self.tunnel.v4.map(IpAddr::V4),
            IpAddr::V6(_) => self.tunnel.v6.map(IpAddr::V6),
        };
        let source = chosen.unwrap_or(next_hop.source);
        (source.is_ipv4() == backend.is_ipv4()).then_some(source)
    }
}

/// Stands in a key until a backend's own address does.
const NO_BACKEND: BackendAddress =
    BackendAddress { ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED), port: None };

fn resolved(
    entry: BackendEntry,
    next_hop: NextHop,
    source: IpAddr,
    backend: IpAddr,
) -> BackendEntry {
    let mut macs = [0; 12];
    let (destination_mac, source_mac) = macs.split_at_mut(6);
    destination_mac.copy_from_slice(&next_hop.destination_mac);
    source_mac.copy_from_slice(&next_hop.source_mac);
    BackendEntry {
        outer_source: Address::from(source),
        macs,
        egress: next_hop.egress,
        vlans: next_hop.vlans,
        mtu: next_hop.mtu,
        checksum: match (source, backend) {
            (IpAddr::V4(source), IpAddr::V4(backend)) => {
                ipip::header_sum(source.octets(), backend.octets(), entry.payload)
            }
            _ => 0,
        },
        flags: entry.flags | BackendEntry::RESOLVED,
        ..entry
    }
}

#[cfg(test)]
mod tests;
