//! How large the maps are.

use lb_common::{
    backend::BackendEntry,
    counters::{BackendCounters, VerdictCounters},
    flow::hash::HashKey,
    maglev::{CHUNK_SLOTS, Chunk},
    service::ServiceSlot,
    settings::{Guard, Settings},
    verdict,
};

use super::{epoch, layout::Capacity};

/// How much the data path holds. Memory for it is taken when the maps are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Flows in the flow table, 8 bytes each; rounded up to a power of two, at least 64.
    pub flows: u32,
    /// Services.
    pub services: u32,
    /// Backends; their ids go from 1 to this.
    pub backends: u16,
    /// Slots of all Maglev tables, 2 bytes each, with room for one more than are in use.
    pub maglev_slots: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { flows: 1 << 20, services: 1024, backends: 8192, maglev_slots: 1 << 24 }
    }
}

/// The largest power of two that a map's entries are rounded up to.
const MOST_ENTRIES: u32 = 1 << 26;

impl Limits {
    fn buckets(self) -> u32 {
        power_of_two(self.flows.div_ceil(8).max(8))
    }

    /// Sixteen slots or more for each service: with its VIP's record it fills two, and the
    /// few slots in a row in which a key must lie are then never all taken in practice.
    fn service_slots(self) -> u32 {
        power_of_two(self.services.max(4).saturating_mul(16))
    }

    fn backend_entries(self) -> u32 {
        u32::from(self.backends) + 1
    }

    fn chunks(self) -> u32 {
        self.maglev_slots.div_ceil(CHUNK_SLOTS as u32).max(1)
    }

    pub(super) fn capacity(self) -> Capacity {
        Capacity { services: self.services, backends: self.backends.into(), chunks: self.chunks() }
    }

    pub(super) fn settings(self, hash_key: HashKey) -> Settings {
        Settings {
            hash_key,
            bucket_mask: self.buckets() - 1,
            service_mask: self.service_slots() - 1,
            epoch_shift: epoch::shift(),
            reserved: 0,
        }
    }

    /// The shape of each map that is pinned.
    pub(super) fn shapes(self) -> [Shape; 9] {
        [
            Shape::array::<Guard>("GUARD", 1, "the ABI"),
            Shape::array::<ServiceSlot>("SERVICES", self.service_slots(), "limits.services"),
            Shape::array::<BackendEntry>("BACKENDS", self.backend_entries(), "limits.backends"),
            Shape::array::<BackendEntry>("SHADOWS", self.backend_entries(), "limits.backends"),
            Shape::array::<Chunk>("MAGLEV", self.chunks(), "limits.maglev_slots"),
            Shape::array::<[u64; 8]>("FLOWS", self.buckets(), "limits.flows"),
            Shape::array::<VerdictCounters>("VERDICT_COUNTERS", verdict::COUNT as u32, "the ABI"),
            Shape::array::<BackendCounters>(
                "BACKEND_COUNTERS",
                self.backend_entries(),
                "limits.backends",
            ),
            Shape { name: "EGRESS", key: 4, value: 8, entries: None, limit: "the ABI" },
        ]
    }
}

fn power_of_two(entries: u32) -> u32 {
    entries.min(MOST_ENTRIES).next_power_of_two()
}

/// What a map must be like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) name: &'static str,
    /// Bytes of a key.
    pub(super) key: u32,
    /// Bytes of a value.
    pub(super) value: u32,
    /// Entries, where this start decides them.
    pub(super) entries: Option<u32>,
    /// What decides the entries, for people.
    pub(super) limit: &'static str,
}

impl Shape {
    const fn array<T>(name: &'static str, entries: u32, limit: &'static str) -> Self {
        Self { name, key: 4, value: size_of::<T>() as u32, entries: Some(entries), limit }
    }
}
