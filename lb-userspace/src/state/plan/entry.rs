//! What the data path needs to send a packet to a backend.

use std::net::IpAddr;

use lb_common::{
    address::Address,
    backend::{BackendEntry, Method},
    forward::ipip,
};

use super::{
    TunnelSources,
    pool::{Candidate, Pool},
};
use crate::{
    maglev::Ramp,
    model::{Admin, Forward, OnDrain, OnFailure, Service},
    state::NextHop,
};

/// What the entries of a service's backends have in common.
pub(super) struct Entries<'a> {
    pub(super) service: &'a Service,
    pub(super) number: u16,
    pub(super) tunnel: TunnelSources,
}

impl Entries<'_> {
    pub(super) fn entry(&self, pool: &Pool<'_>, one: &Candidate<'_>) -> BackendEntry {
        let Forward::Ipip = self.service.forward;
        let entry = BackendEntry {
            outer_destination: one.address.ip.into(),
            service: self.number,
            method: Method::Ipip as u8,
            payload: if self.service.address.vip.is_ipv4() { ipip::IPV4 } else { ipip::IPV6 },
            flags: self.flags(pool, one),
            ..BackendEntry::default()
        };
        let way = one.next_hop.and_then(|hop| Some((hop, self.outer_source(one.address.ip, hop)?)));
        match way {
            Some((next_hop, source)) => resolved(entry, *next_hop, source, one.address.ip),
            None => entry,
        }
    }

    fn flags(&self, pool: &Pool<'_>, one: &Candidate<'_>) -> u8 {
        let policy = &self.service.policy;
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        let keeps_flows = one.is_healthy || pool.panics || policy.on_failure == OnFailure::Keep;
        let usable = keeps_flows && one.backend.admin != Admin::Disabled;
        let leaving = one.backend.admin == Admin::Draining
            && policy.on_drain(self.service.address.protocol) == OnDrain::Move
            && pool.is_open();
        flag(usable, BackendEntry::USABLE)
            | flag(pool.ramp(one) > Ramp::NONE, BackendEntry::OPEN)
            | flag(leaving, BackendEntry::LEAVING)
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
