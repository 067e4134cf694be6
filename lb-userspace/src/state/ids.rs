//! The numbers by which the maps know services and backends.
//!
//! A number stays with its owner for as long as that exists. Then it is *quarantined*: entries of
//! the flow table may still name it, and would lead into whatever got it next. The one who swept
//! them calls [`Ids::release`].

mod recovered;

use std::collections::{BTreeMap, BTreeSet};

use lb_common::backend::BackendId;
use serde::{Deserialize, Serialize};

use super::Desired;
use crate::model::{BackendAddress, BackendKey, ServiceName};

/// How many numbers the maps have room for: 1 up to each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdLimits {
    /// `limits.services` of the config file.
    pub services: u16,
    /// `limits.backends` of the config file.
    pub backends: u16,
}

/// Who has which number.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ids {
    services: BTreeMap<ServiceName, Numbers>,
    quarantine: Quarantine,
    /// The number given out last: the search for the next begins behind it, so that a number comes
    /// back as late as can be.
    last_service: u16,
    last_backend: BackendId,
}

/// One service's number, and those of its backends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Numbers {
    pub(super) id: u16,
    pub(super) backends: BTreeMap<BackendAddress, BackendId>,
}

/// Numbers that had an owner and get no other before the flow table is swept of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Quarantine {
    /// Of services.
    pub services: BTreeSet<u16>,
    /// Of backends.
    pub backends: BTreeSet<BackendId>,
}

/// There is no number left.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{owner}: no number is free: limits.{field} is {limit}, and {quarantined} of them wait for \
     their flows to be swept; raise limits.{field}"
)]
pub struct IdsExhausted {
    owner: String,
    field: &'static str,
    limit: u16,
    quarantined: usize,
}

impl Ids {
    /// Numbers for all that is desired: those it has, and new ones in the order of names and
    /// addresses. The numbers of what is no longer desired are quarantined.
    pub fn assign(&self, desired: &Desired, limits: IdLimits) -> Result<Self, IdsExhausted> {
        let mut next = self.kept(desired, limits);
        let mut services = next.free_services(limits.services);
        let mut backends = next.free_backends(limits.backends);
        for (name, service) in &desired.services {
            if !next.services.contains_key(name) {
                let id = services.take(|| format!("service \"{name}\""))?;
                next.services.insert(name.clone(), Numbers { id, backends: BTreeMap::new() });
            }
            let Some(own) = next.services.get_mut(name) else { continue };
            for address in service.backends.keys() {
                if !own.backends.contains_key(address) {
                    let owner = || format!("service \"{name}\": backend {address}");
                    own.backends.insert(*address, backends.take(owner)?);
                }
            }
        }
        next.last_service = services.last;
        next.last_backend = backends.last;
        Ok(next)
    }

    /// The number of a service.
    pub fn service(&self, name: &ServiceName) -> Option<u16> {
        self.services.get(name).map(|own| own.id)
    }

    /// The numbers of a service and its backends.
    pub(super) fn of(&self, name: &ServiceName) -> Option<&Numbers> {
        self.services.get(name)
    }

    /// The number of a backend.
    pub fn backend(&self, service: &ServiceName, address: &BackendAddress) -> Option<BackendId> {
        self.services.get(service)?.backends.get(address).copied()
    }

    /// Every service and its number, in the order of names.
    pub fn services(&self) -> impl Iterator<Item = (&ServiceName, u16)> {
        self.services.iter().map(|(name, own)| (name, own.id))
    }

    /// Every backend and its number, in the order of services and addresses.
    pub fn backends(&self) -> impl Iterator<Item = (BackendKey, BackendId)> {
        self.services.iter().flat_map(|(service, own)| {
            own.backends.iter().map(|(address, id)| {
                (BackendKey { service: service.clone(), address: *address }, *id)
            })
        })
    }

    /// The numbers that wait for the flow table to be swept of them.
    pub fn quarantine(&self) -> &Quarantine {
        &self.quarantine
    }

    /// Makes numbers available again: no entry of the flow table names them any more.
    pub fn release(&mut self, swept: &Quarantine) {
        self.quarantine.services.retain(|id| !swept.services.contains(id));
        self.quarantine.backends.retain(|id| !swept.backends.contains(id));
    }

    /// False when a number has two owners, or is 0: no file that [`Self::assign`] led to says so.
    pub(super) fn is_sound(&self) -> bool {
        let services = self.services.values().map(|own| own.id);
        let backends = self.services.values().flat_map(|own| own.backends.values().copied());
        is_distinct(services.chain(self.quarantine.services.iter().copied()))
            && is_distinct(backends.chain(self.quarantine.backends.iter().copied()))
    }

    /// What stays: numbers of owners that are still desired, and that the maps have room for.
    fn kept(&self, desired: &Desired, limits: IdLimits) -> Self {
        let mut next = self.clone();
        let quarantine = &mut next.quarantine;
        next.services.retain(|name, own| {
            let service = desired.services.get(name).filter(|_| own.id <= limits.services);
            own.backends.retain(|address, id| {
                let stays = service.is_some_and(|service| service.backends.contains_key(address))
                    && *id <= limits.backends;
                stays || !quarantine.backends.insert(*id)
            });
            service.is_some() || !quarantine.services.insert(own.id)
        });
        next
    }

    fn free_services(&self, limit: u16) -> Free {
        let owned = self.services.values().map(|own| own.id);
        Free::new("services", limit, owned, &self.quarantine.services, self.last_service)
    }

    fn free_backends(&self, limit: u16) -> Free {
        let owned = self.services.values().flat_map(|own| own.backends.values().copied());
        Free::new("backends", limit, owned, &self.quarantine.backends, self.last_backend)
    }
}

fn is_distinct(ids: impl Iterator<Item = u16>) -> bool {
    let mut seen = BTreeSet::from([0]);
    ids.into_iter().all(|id| seen.insert(id))
}

/// The numbers of one kind that can be given out.
struct Free {
    field: &'static str,
    limit: u16,
    /// Indexed by number.
    taken: Vec<bool>,
    quarantined: usize,
    last: u16,
}

impl Free {
    fn new(
        field: &'static str,
        limit: u16,
        owned: impl Iterator<Item = u16>,
        quarantine: &BTreeSet<u16>,
        last: u16,
    ) -> Self {
        let mut taken = vec![false; usize::from(limit) + 1];
        for id in owned.chain(quarantine.iter().copied()) {
            if let Some(taken) = taken.get_mut(usize::from(id)) {
                *taken = true;
            }
        }
        let quarantined = quarantine.range(..=limit).count();
        Self { field, limit, taken, quarantined, last }
    }

    fn take(&mut self, owner: impl FnOnce() -> String) -> Result<u16, IdsExhausted> {
        let behind = self.last.saturating_add(1)..=self.limit;
        let before = 1..=self.last.min(self.limit);
        let Some(id) = behind.chain(before).find(|id| !self.taken[usize::from(*id)]) else {
            let Self { field, limit, quarantined, .. } = *self;
            return Err(IdsExhausted { owner: owner(), field, limit, quarantined });
        };
        self.taken[usize::from(id)] = true;
        self.last = id;
        Ok(id)
    }
}

#[cfg(test)]
mod tests;
