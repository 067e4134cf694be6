//! [`Maps`] over the maps of the kernel.

use aya_ebpf::{bindings::xdp_md, helpers::bpf_jiffies64, programs::XdpContext};
use lb_common::{
    backend::{BackendEntry, BackendId},
    flow::{
        Epoch,
        bucket::{Bucket, LANES},
    },
    maglev::CHUNK_SLOTS,
    pipeline::{Arrival, Maps},
    service::ServiceSlot,
    settings::Settings,
    verdict::Verdict,
};
use lb_ebpf::{atomic, read_only, verifier::bounded};

use crate::maps;

/// The maps as one packet sees them.
pub(crate) struct Tables {
    context: *mut xdp_md,
    settings: &'static Settings,
}

impl Tables {
    #[inline(always)]
    pub(crate) fn new(context: &XdpContext) -> Self {
        Self { context: context.ctx, settings: read_only!(maps::SETTINGS as Settings) }
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
    fn maglev(&self, chunk: u32, slot: usize) -> Option<BackendId> {
        let chunk = maps::MAGLEV.get(chunk)?;
        let slot = chunk.slots.as_ptr().wrapping_add(bounded::<{ CHUNK_SLOTS - 1 }>(slot));
        // SAFETY: a slot of a live chunk; userspace writes slots whole.
        Some(unsafe { slot.read_volatile() })
    }

    #[inline(always)]
    fn bucket(&self, index: u32) -> Option<MapBucket> {
        maps::FLOWS.get_ptr_mut(index).map(MapBucket)
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
}
