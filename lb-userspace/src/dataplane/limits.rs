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
use crate::config::Limits;

/// The largest power of two that a map's entries are rounded up to.
const MOST_ENTRIES: u32 = 1 << 26;

impl Limits {
    fn buckets(self) -> u32 {
        power_of_two(self.flows.div_ceil(8).max(8))
    }

    fn backend_entries(self) -> u32 {
        u32::from(self.backends) + 1
    }

    fn chunks(self) -> u32 {
        self.maglev_slots.div_ceil(CHUNK_SLOTS as u32).max(1)
    }

    pub(super) fn capacity(self) -> Capacity {
        Capacity {
            services: self.services.into(),
            backends: self.backends.into(),
            chunks: self.chunks(),
        }
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
