//! The maps of the data path as vectors.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use lb::state::Tables;
use lb_common::{
    address::Address,
    backend::{BackendEntry, BackendId},
    flow::{
        bucket::{Bucket, LANES},
        entry::Epoch,
    },
    maglev::{CHUNK_SLOTS, Region},
    pipeline::{Arrival, Maps},
    service::{ServiceKey, ServiceSlot},
    settings::{GUARD_BITS, Settings},
};

/// What the kernel's maps hold, laid out anew from the tables.
pub(super) struct HostMaps {
    settings: Settings,
    guard: Vec<u64>,
    services: Vec<ServiceSlot>,
    backends: BTreeMap<BackendId, BackendEntry>,
    arena: Vec<BackendId>,
    /// The buckets that packets have come to.
    flows: RefCell<BTreeMap<u32, Rc<Lanes>>>,
    ingress: u32,
    now: Epoch,
}

impl HostMaps {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            guard: Vec::new(),
            services: Vec::new(),
            backends: BTreeMap::new(),
            arena: Vec::new(),
            flows: RefCell::default(),
            ingress: 0,
            now: Epoch::new(0),
        }
    }

    /// Holds these tables from now on; flows stay.
    pub(super) fn hold(&mut self, tables: &Tables) {
        self.guard = vec![0; GUARD_BITS as usize / 64];
        self.services = vec![ServiceSlot::default(); self.settings.service_mask as usize + 1];
        self.backends = tables.backends.clone();
        self.arena = Vec::new();
        for vip in &tables.vips {
            let address = Address::from(*vip);
            let bit = self.settings.guard_bit(self.settings.address_hash(address));
            self.guard[bit as usize / 64] |= 1 << (bit % 64);
            self.insert(ServiceKey::vip(address), ServiceSlot::default());
        }
        for (key, table) in &tables.services {
            let maglev = table.maglev.as_ref().map_or(0, |slots| {
                let chunk = (self.arena.len() / CHUNK_SLOTS) as u32;
                self.arena.extend(slots.iter());
                Region::new(chunk, slots.len().ilog2() as u8, 1).word()
            });
            let slot = ServiceSlot { id: table.id, idle: table.idle, maglev, ..Default::default() };
            self.insert(*key, slot);
        }
    }

    fn insert(&mut self, key: ServiceKey, slot: ServiceSlot) {
        let home = self.settings.service_home(self.settings.address_hash(key.address), key);
        let free = (0..).map(|probe| ((home + probe) & self.settings.service_mask) as usize);
        let at = free.into_iter().find(|at| self.services[*at] == ServiceSlot::default());
        let ServiceKey { address, selector } = key;
        self.services[at.expect("a free slot")] = ServiceSlot { address, selector, ..slot };
    }

    /// Prepares for a packet that comes in by an interface, now.
    pub(super) fn begin(&mut self, ingress: u32, now: Epoch) {
        self.ingress = ingress;
        self.now = now;
    }
}

type Lanes = [Cell<u64>; LANES];

/// A bucket of the flow table.
pub(super) struct HostBucket(Rc<Lanes>);

impl Bucket for HostBucket {
    fn load(&self, lane: usize) -> u64 {
        self.0[lane].get()
    }

    fn exchange(&self, lane: usize, old: u64, new: u64) -> bool {
        let holds = self.0[lane].get() == old;
        if holds {
            self.0[lane].set(new);
        }
        holds
    }
}

impl Maps for HostMaps {
    type Bucket<'a> = HostBucket;

    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn guard(&self, word: u32) -> Option<u64> {
        self.guard.get(word as usize).copied()
    }

    fn service(&self, slot: u32) -> Option<&ServiceSlot> {
        self.services.get(slot as usize)
    }

    fn backend(&self, id: BackendId) -> Option<&BackendEntry> {
        self.backends.get(&id)
    }

    fn maglev(&self, chunk: u32, slot: usize) -> Option<BackendId> {
        self.arena.get(chunk as usize * CHUNK_SLOTS + slot).copied()
    }

    fn bucket(&self, index: u32) -> Option<HostBucket> {
        let is_there = index <= self.settings.bucket_mask;
        is_there.then(|| HostBucket(Rc::clone(self.flows.borrow_mut().entry(index).or_default())))
    }

    fn now(&self) -> Epoch {
        self.now
    }

    fn ingress(&self) -> u32 {
        self.ingress
    }

    fn count(&self, _: BackendId, _: u32, _: Arrival) {}
}
