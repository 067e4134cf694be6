//! Which backends of a service take new flows, and how many each.

use std::net::{IpAddr, Ipv4Addr};

use lb_common::backend::BackendId;

use crate::{
    maglev::{Member, Ramp},
    model::{Admin, Backend, BackendAddress, BackendKey, Scheduler, Service, ServiceName},
    state::{Health, NextHop, Observed, Share, ids::Numbers},
};

/// A backend, what is wanted of it and what is seen of it.
pub(super) struct Candidate<'a> {
    pub(super) id: BackendId,
    pub(super) address: BackendAddress,
    pub(super) backend: Backend,
    pub(super) is_healthy: bool,
    pub(super) next_hop: Option<&'a NextHop>,
    /// How much of its share of new flows it takes, if it takes any.
    ramp: Ramp,
}

impl Candidate<'_> {
    fn is_wanted(&self) -> bool {
        self.backend.admin == Admin::Enabled && self.backend.weight.0 > 0
    }

    /// True when nothing but its role stands between it and new flows.
    fn is_able(&self) -> bool {
        self.is_wanted() && self.is_healthy && self.next_hop.is_some()
    }
}

/// The backends of one service.
pub(super) struct Pool<'a> {
    candidates: Vec<Candidate<'a>>,
    /// So few backends are healthy that those that are not are used as well.
    pub(super) panics: bool,
    /// Too few primaries are able and warm: backups take part.
    needs_backups: bool,
    /// There are too few primaries even when all are able: backups take part for good, and have
    /// slots of their own.
    lives_on_backups: bool,
}

/// Stands in a key until a backend's own address does.
const NO_BACKEND: BackendAddress =
    BackendAddress { ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED), port: None };

impl<'a> Pool<'a> {
    pub(super) fn new(
        name: &ServiceName,
        service: &Service,
        numbers: &Numbers,
        observed: &'a Observed,
    ) -> Self {
        // One key for all: a name is not copied for every look-up.
        let mut key = BackendKey { service: name.clone(), address: NO_BACKEND };
        let mut candidate = |(address, backend): (&BackendAddress, &Backend)| {
            let id = numbers.backends.get(address).copied()?;
            key.address = *address;
            let is_healthy =
                service.check.is_none() || observed.health.get(&key) == Some(&Health::Up);
            let next_hop = observed.next_hops.get(&address.ip);
            let ramp = observed.ramps.get(&key).copied().unwrap_or(Ramp::FULL);
            Some(Candidate { id, address: *address, backend: *backend, is_healthy, next_hop, ramp })
        };
        let candidates: Vec<_> = service.backends.iter().filter_map(&mut candidate).collect();
        let primaries = candidates.iter().filter(|one| !one.backend.backup);
        // Until a primary is warm somebody has to take the rest of its share.
        let ready = primaries.clone().filter(|one| one.is_able() && one.ramp == Ramp::FULL).count();
        let all = primaries.filter(|one| one.backend.weight.0 > 0).count();
        let wanted = usize::from(service.policy.min_primaries.get());
        Self {
            panics: panics(service, &candidates),
            needs_backups: ready < wanted,
            lives_on_backups: all < wanted,
            candidates,
        }
    }

    pub(super) fn candidates(&self) -> &[Candidate<'a>] {
        &self.candidates
    }

    /// How much of its share of new flows a backend takes.
    pub(super) fn ramp(&self, one: &Candidate<'_>) -> Ramp {
        let takes_part = !one.backend.backup || self.needs_backups || self.panics;
        let is_able = one.is_able() || self.panics && one.is_wanted() && one.next_hop.is_some();
        if takes_part && is_able { one.ramp } else { Ramp::NONE }
    }

    /// True when some backend takes new flows.
    pub(super) fn is_open(&self) -> bool {
        self.candidates.iter().any(|one| self.ramp(one) > Ramp::NONE)
    }

    pub(super) fn members(&self) -> Vec<Member> {
        let member = |one: &Candidate<'_>| Member {
            id: one.id,
            address: one.address,
            weight: one.backend.weight,
            ramp: self.ramp(one),
            is_primary: !one.backend.backup || self.lives_on_backups,
        };
        self.candidates.iter().map(member).collect()
    }

    /// What the live flows of those that take new ones are weighed against. `lc` counts flows alone;
    /// but a backend that is warming up takes fewer of them there too.
    pub(super) fn shares(&self, service: &Service) -> Vec<(BackendId, Share)> {
        let share = |one: &Candidate<'_>| {
            let steps = u32::from(self.ramp(one).steps());
            let weight = match service.policy.scheduler {
                Scheduler::Lc => steps,
                _ => steps * u32::from(one.backend.weight.0),
            };
            let most = one.backend.max_flows.map_or(u32::MAX, u32::from);
            (weight > 0).then_some((one.id, Share { weight, most }))
        };
        self.candidates.iter().filter_map(share).collect()
    }
}

fn panics(service: &Service, candidates: &[Candidate<'_>]) -> bool {
    let wanted = candidates.iter().filter(|one| one.is_wanted());
    let (all, healthy) =
        wanted.fold((0, 0), |(all, healthy), one| (all + 1, healthy + usize::from(one.is_healthy)));
    healthy * 100 < all * usize::from(service.policy.panic_threshold.get())
}
