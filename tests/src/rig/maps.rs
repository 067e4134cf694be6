//! The maps of the data path as vectors.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use lb::state::Tables;
use lb_common::{
    address::Address,
    backend::{BackendEntry, BackendId, Load},
    flow::{
        Entry,
        bucket::{Bucket, LANES},
        entry::Epoch,
    },
    maglev::{CHUNK_SLOTS, Region},
    pipeline::{Arrival, Maps, Steps, Table},
    rotation::Rotation,
    service::{ServiceKey, ServiceSlot},
    settings::{GUARD_BITS, Settings},
};

/// The buckets of a table that packets have come to.
type Buckets = RefCell<BTreeMap<u32, Rc<Lanes>>>;

/// What the kernel's maps hold, laid out anew from the tables.
pub(super) struct HostMaps {
    settings: Settings,
    guard: Vec<u64>,
    services: Vec<ServiceSlot>,
    backends: BTreeMap<BackendId, BackendEntry>,
    loads: BTreeMap<BackendId, Cell<Load>>,
    arena: Vec<BackendId>,
    turns: BTreeMap<u16, Cell<u32>>,
    flows: Buckets,
    affinity: Buckets,
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
            loads: BTreeMap::new(),
            arena: Vec::new(),
            turns: BTreeMap::new(),
            flows: Buckets::default(),
            affinity: Buckets::default(),
            ingress: 0,
            now: Epoch::new(0),
        }
    }

    /// Holds these tables from now on; flows stay, and so do their counts and the turns of services that
    /// were there before.
    pub(super) fn hold(&mut self, tables: &Tables) {
        self.guard = vec![0; GUARD_BITS as usize / 64];
        self.services = vec![ServiceSlot::default(); self.settings.service_mask as usize + 1];
        self.backends = tables.backends.clone();
        self.loads = tables.backends.keys().map(|id| (*id, self.load_of(tables, *id))).collect();
        let turns = std::mem::take(&mut self.turns);
        let ids = tables.services.values().map(|service| service.id);
        self.turns = ids.map(|id| (id, turns.get(&id).cloned().unwrap_or_default())).collect();
        self.arena = Vec::new();
        for vip in &tables.vips {
            let address = Address::from(*vip);
            let bit = self.settings.guard_bit(self.settings.address_hash(address));
            self.guard[bit as usize / 64] |= 1 << (bit % 64);
            self.insert(ServiceKey::vip(address), ServiceSlot::default());
        }
        for (key, table) in &tables.services {
            let maglev = table.maglev.as_ref().map_or(0, |slots| {
                let log2 = slots.len().ilog2() as u8;
                Region::new(self.lay_out(slots), log2, 1).word()
            });
            let rotation = table
                .rotation
                .as_ref()
                .map_or(0, |turns| Rotation::new(self.lay_out(turns), turns.len(), 1).word());
            let slot = ServiceSlot { id: table.id, maglev, rotation, ..Default::default() };
            let slot = table.tuning.tune(slot);
            self.insert(*key, slot);
        }
    }

    /// Puts a table behind the others; its first chunk.
    fn lay_out(&mut self, slots: &[BackendId]) -> u32 {
        let chunk = (self.arena.len() / CHUNK_SLOTS) as u32;
        self.arena.extend(slots);
        self.arena.resize(self.arena.len().next_multiple_of(CHUNK_SLOTS), 0);
        chunk
    }

    fn load_of(&self, tables: &Tables, id: BackendId) -> Cell<Load> {
        let share = tables.shares.get(&id).copied().unwrap_or_default();
        let flows = self.loads.get(&id).map_or(0, |load| load.get().flows);
        Cell::new(Load { flows, weight: share.weight, most: share.most })
    }

    /// How many live flows each backend has.
    pub(super) fn live_flows(&self) -> BTreeMap<BackendId, u64> {
        self.loads.iter().map(|(id, load)| (*id, load.get().flows)).collect()
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

    /// Forgets the flows of these backends, and their clients.
    pub(super) fn forget(&self, retired: &BTreeSet<BackendId>) {
        for lanes in self.flows.borrow().values().chain(self.affinity.borrow().values()) {
            for lane in lanes.iter() {
                let entry = Entry::from_word(lane.get());
                if entry.is_some_and(|entry| retired.contains(&entry.backend())) {
                    lane.set(0);
                }
            }
        }
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

    fn load(&self, id: BackendId) -> Option<Load> {
        Some(self.loads.get(&id).map_or_else(Load::default, Cell::get))
    }

    fn slot(&self, chunk: u32, slot: usize) -> Option<BackendId> {
        self.arena.get(chunk as usize * CHUNK_SLOTS + slot).copied()
    }

    fn next_turn(&self, service: u16) -> Option<u32> {
        let turns = self.turns.get(&service)?;
        Some(turns.replace(turns.get().wrapping_add(1)))
    }

    fn bucket(&self, table: Table, index: u32) -> Option<HostBucket> {
        let (table, mask) = match table {
            Table::Flows => (&self.flows, self.settings.bucket_mask),
            Table::Affinity => (&self.affinity, self.settings.affinity_mask),
        };
        let is_there = index <= mask;
        is_there.then(|| HostBucket(Rc::clone(table.borrow_mut().entry(index).or_default())))
    }

    fn now(&self) -> Epoch {
        self.now
    }

    fn ingress(&self) -> u32 {
        self.ingress
    }

    fn add_flows(&self, id: BackendId, change: i64) {
        if let Some(load) = self.loads.get(&id) {
            let held = load.get();
            load.set(Load { flows: held.flows.wrapping_add_signed(change), ..held });
        }
    }

    fn count(&self, _: BackendId, _: u32, _: Arrival) {}

    fn count_evicted(&self, _: BackendId) {}
}

impl Steps for HostMaps {}
