//! [`Maps`] over the maps of the kernel.

use core::ptr;

use aya_ebpf::{bindings::xdp_md, helpers::bpf_jiffies64, programs::XdpContext};
use lb_common::{
    backend::{BackendEntry, BackendId, Load},
    flow::{
        Epoch,
        bucket::{Bucket, LANES},
    },
    maglev::CHUNK_SLOTS,
    pipeline::{Arrival, Maps, Table},
    service::ServiceSlot,
    settings::Settings,
    verdict::Verdict,
};
use lb_ebpf::{atomic, read_only, verifier::bounded};

use crate::maps;

/// The maps as one packet sees them.
pub(crate) struct Tables {
    /// The packet; null where nobody asks it anything.
    context: *mut xdp_md,
    settings: &'static Settings,
}

impl Tables {
    #[inline(always)]
    pub(crate) fn new(context: &XdpContext) -> Self {
        Self { context: context.ctx, settings: read_only!(maps::SETTINGS as Settings) }
    }

    /// The maps alone, for what does not look at the packet.
    #[inline(always)]
    pub(crate) fn without_packet() -> Self {
        Self { context: ptr::null_mut(), settings: read_only!(maps::SETTINGS as Settings) }
    }

    #[inline(always)]
    pub(crate) fn context(&self) -> *mut xdp_md {
        self.context
    }
}

/// Counts a packet and the bytes of its frame.
#[inline(always)]
pub(crate) fn count_verdict(verdict: Verdict, bytes: u64) {
    if let Some(counters) = maps::VERDICT_COUNTERS.get_ptr_mut(verdict as u32) {
        // SAFETY: this CPU's own value, and XDP programs on one CPU do not interrupt each other.
        let counters = unsafe { &mut *counters };
        counters.packets += 1;
        counters.bytes += bytes;
    }
}

/// A bucket in `FLOWS`.
pub(crate) struct MapBucket(*mut [u64; LANES]);

impl MapBucket {
    #[inline(always)]
    fn lane(&self, lane: usize) -> *mut u64 {
        self.0.cast::<u64>().wrapping_add(bounded::<{ LANES - 1 }>(lane))
    }
}

impl Bucket for MapBucket {
    #[inline(always)]
    fn load(&self, lane: usize) -> u64 {
        // SAFETY: a lane of a live bucket, aligned as the bucket is.
        unsafe { atomic::load(self.lane(lane)) }
    }

    #[inline(always)]
    fn exchange(&self, lane: usize, old: u64, new: u64) -> bool {
        // SAFETY: a lane of a live bucket, aligned as the bucket is.
        unsafe { atomic::exchange(self.lane(lane), old, new) }
    }
}

impl Maps for Tables {
    type Bucket<'a> = MapBucket;

    #[inline(always)]
    fn settings(&self) -> &Settings {
        self.settings
    }

    #[inline(always)]
    fn guard(&self, word: u32) -> Option<u64> {
        let guard = maps::GUARD.get(0)?;
        guard.words.get(word as usize).copied()
    }

    #[inline(always)]
    fn service(&self, slot: u32) -> Option<&ServiceSlot> {
        maps::SERVICES.get(slot)
    }

    #[inline(always)]
    fn backend(&self, id: BackendId) -> Option<&BackendEntry> {
        let entry = maps::BACKENDS.get(u32::from(id))?;
        if entry.flags & BackendEntry::SHADOWED == 0 {
            return Some(entry);
        }
        maps::SHADOWS.get(u32::from(id))
    }

    #[inline(always)]
    fn load(&self, id: BackendId) -> Option<Load> {
        let load = maps::LOADS.get_ptr(u32::from(id))?;
        // SAFETY: an aligned word of a live value, which others change.
        let flows = unsafe { atomic::load(load.cast()) };
        // SAFETY: as above; it holds `weight` and `most`.
        let limits = unsafe { atomic::load(load.cast::<u64>().wrapping_add(1)) };
        Some(Load { flows, weight: limits as u32, most: (limits >> 32) as u32 })
    }

    #[inline(always)]
    fn next_turn(&self, service: u16) -> Option<u32> {
        let turns = maps::TURNS.get_ptr_mut(u32::from(service))?;
        // SAFETY: this CPU's own value, and XDP programs on one CPU do not interrupt each other.
        let turns = unsafe { &mut *turns };
        let turn = *turns;
        *turns = turn.wrapping_add(1);
        Some(turn)
    }

    #[inline(always)]
    fn slot(&self, chunk: u32, slot: usize) -> Option<BackendId> {
        let chunk = maps::ARENA.get(chunk)?;
        let slot = chunk.slots.as_ptr().wrapping_add(bounded::<{ CHUNK_SLOTS - 1 }>(slot));
        // SAFETY: a slot of a live chunk; userspace writes slots whole.
        Some(unsafe { slot.read_volatile() })
    }

    #[inline(always)]
    fn bucket(&self, table: Table, index: u32) -> Option<MapBucket> {
        let bucket = match table {
            Table::Flows => maps::FLOWS.get_ptr_mut(index),
            Table::Affinity => maps::AFFINITY.get_ptr_mut(index),
        };
        bucket.map(MapBucket)
    }

    #[inline(always)]
    fn now(&self) -> Epoch {
        // SAFETY: a helper without arguments, which the kernel inlines as a load.
        let jiffies = unsafe { bpf_jiffies64() };
        Epoch::new(jiffies >> (self.settings.epoch_shift & 63))
    }

    #[inline(always)]
    fn ingress(&self) -> u32 {
        // SAFETY: the kernel gives the program a live context.
        unsafe { (*self.context).ingress_ifindex }
    }

    #[inline(always)]
    fn add_flows(&self, id: BackendId, change: i64) {
        if let Some(load) = maps::LOADS.get_ptr_mut(u32::from(id)) {
            // SAFETY: an aligned word of a live value.
            unsafe { atomic::add(load.cast(), change) };
        }
    }

    #[inline(always)]
    fn count(&self, id: BackendId, bytes: u32, arrival: Arrival) {
        if let Some(counters) = maps::BACKEND_COUNTERS.get_ptr_mut(u32::from(id)) {
            // SAFETY: this CPU's own value, and XDP programs on one CPU do not interrupt each other.
            let counters = unsafe { &mut *counters };
            counters.packets += 1;
            counters.bytes += u64::from(bytes);
            match arrival {
                Arrival::Known => {}
                Arrival::New => counters.new_flows += 1,
                Arrival::Untracked => counters.untracked += 1,
            }
        }
    }
    #[inline(always)]
    fn count_evicted(&self, id: BackendId) {
        if let Some(counters) = maps::BACKEND_COUNTERS.get_ptr_mut(u32::from(id)) {
            // SAFETY: this CPU's own value, and XDP programs on one CPU do not interrupt each other.
            unsafe { (*counters).evicted += 1 };
        }
    }
}
