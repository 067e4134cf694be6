//! The data path on the host, over the very memory that the daemon writes and sweeps.

use std::{
    sync::atomic::{
        AtomicU32, AtomicU64,
        Ordering::{Relaxed, SeqCst},
    },
    thread,
};

use lb_common::{
    backend::{BackendEntry, BackendId, Load},
    flow::{Epoch, bucket::Bucket},
    maglev::Chunk,
    pipeline::{Arrival, Maps, Steps, Table},
    service::ServiceSlot,
    settings::Settings,
};

use crate::{
    config::Limits,
    dataplane::{
        layout::{Capacity, Step},
        loads::Loads,
        mapped::Mapped,
        memory::{LINE_WORDS, Words},
        tables::Arrays,
    },
    state::Tables,
};

const LINE: usize = LINE_WORDS * size_of::<u64>();

/// A data path with memory of its own, and a clock that stands still unless it is set.
pub(super) struct Replica {
    capacity: Capacity,
    pub(super) mapped: Mapped,
    turns: Vec<AtomicU32>,
    now: AtomicU64,
}

impl Replica {
    /// Everything is empty, and the time is the epoch `now`.
    pub(super) fn new(limits: Limits, settings: Settings, now: u64) -> Self {
        let lines = |lines: usize| Words::anonymous(lines * LINE);
        let backends = usize::from(limits.backends) + 1;
        let capacity = limits.capacity();
        let arrays = Arrays {
            guard: Words::anonymous(size_of::<lb_common::settings::Guard>()),
            services: lines(settings.service_mask as usize + 1),
            backends: lines(backends),
            shadows: lines(backends),
            loads: Loads::new(Words::anonymous(backends * size_of::<Load>())),
            arena: lines(capacity.chunks as usize),
        };
        let flow_table = lines(settings.bucket_mask as usize + 1);
        let affinity = lines(settings.affinity_mask as usize + 1);
        Self {
            capacity,
            mapped: Mapped::adopt(settings, capacity, arrays, flow_table, affinity).unwrap(),
            turns: (0..=limits.services).map(|_| AtomicU32::new(0)).collect(),
            now: AtomicU64::new(now),
        }
    }

    /// The daemon is gone, and another one takes over what it left.
    pub(super) fn restart(self) -> Self {
        let Self { capacity, mapped, .. } = self;
        let Mapped { settings, arrays, flow_table, affinity, .. } = mapped;
        let mapped = Mapped::adopt(settings, capacity, arrays, flow_table, affinity).unwrap();
        Self { mapped, ..self }
    }

    /// Makes the arrays hold what is wanted. No packet is under way meanwhile, to be waited for.
    pub(super) fn apply(&mut self, wanted: &Tables) {
        let (mut steps, after) = self.mapped.plan(wanted).unwrap();
        steps.retain(|step| *step != Step::Grace);
        self.mapped.perform(&steps, after).unwrap();
    }

    /// The epoch, counted up without end.
    pub(super) fn now(&self) -> u64 {
        self.now.load(Relaxed)
    }

    pub(super) fn wait(&self, epochs: u64) {
        self.now.fetch_add(epochs, Relaxed);
    }
}

/// A bucket of the flow table or of the affinity table.
pub(super) struct Lanes<'a>(&'a [AtomicU64]);

impl Bucket for Lanes<'_> {
    fn load(&self, lane: usize) -> u64 {
        self.0[lane].load(Relaxed)
    }

    fn exchange(&self, lane: usize, old: u64, new: u64) -> bool {
        // Others come in between a look and what follows from it.
        thread::yield_now();
        self.0[lane].compare_exchange(old, new, SeqCst, Relaxed).is_ok()
    }
}

impl Maps for Replica {
    type Bucket<'a> = Lanes<'a>;

    fn settings(&self) -> &Settings {
        &self.mapped.settings
    }

    fn guard(&self, word: u32) -> Option<u64> {
        Some(self.mapped.arrays.guard.all().get(word as usize)?.load(Relaxed))
    }

    fn service(&self, slot: u32) -> Option<&ServiceSlot> {
        self.mapped.arrays.services.value(slot as usize)
    }

    fn backend(&self, id: BackendId) -> Option<&BackendEntry> {
        let entry: &BackendEntry = self.mapped.arrays.backends.value(id.into())?;
        if entry.flags & BackendEntry::SHADOWED == 0 {
            return Some(entry);
        }
        self.mapped.arrays.shadows.value(id.into())
    }

    fn load(&self, id: BackendId) -> Option<Load> {
        let words = self.mapped.arrays.loads.words().all().chunks_exact(2).nth(id.into())?;
        let [flows, limits] = [0, 1].map(|at| words[at].load(Relaxed));
        Some(Load { flows, weight: limits as u32, most: (limits >> 32) as u32 })
    }

    fn slot(&self, chunk: u32, slot: usize) -> Option<BackendId> {
        let chunk: &Chunk = self.mapped.arrays.arena.value(chunk as usize)?;
        chunk.slots.get(slot).copied()
    }

    fn next_turn(&self, service: u16) -> Option<u32> {
        Some(self.turns.get(usize::from(service))?.fetch_add(1, Relaxed))
    }

    fn bucket(&self, table: Table, index: u32) -> Option<Lanes<'_>> {
        let table = match table {
            Table::Flows => &self.mapped.flow_table,
            Table::Affinity => &self.mapped.affinity,
        };
        table.all().chunks_exact(LINE_WORDS).nth(index as usize).map(Lanes)
    }

    fn now(&self) -> Epoch {
        Epoch::new(self.now())
    }

    fn ingress(&self) -> u32 {
        super::world::INTERFACE
    }

    fn add_flows(&self, id: BackendId, change: i64) {
        if let Some(flows) = self.mapped.arrays.loads.flows(id) {
            flows.fetch_add(change.cast_unsigned(), SeqCst);
        }
    }

    // What was sent is counted for people alone: no packet asks for it.

    fn count(&self, _: BackendId, _: u32, _: Arrival) {}

    fn count_evicted(&self, _: BackendId) {}
}

impl Steps for Replica {}
