//! How large the maps are.

use lb_common::{
    backend::{BackendEntry, Load},
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

    fn affinity_buckets(self) -> u32 {
        power_of_two(self.affinities.div_ceil(8).max(8))
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
            affinity_mask: self.affinity_buckets() - 1,
        }
    }

    /// The shape of each map that is pinned.
    pub(super) fn shapes(self) -> [Shape; 12] {
        [
            Shape::array::<Guard>("GUARD", 1, None),
            Shape::array::<ServiceSlot>("SERVICES", self.service_slots(), Some("limits.services")),
            Shape::array::<BackendEntry>(
                "BACKENDS",
                self.backend_entries(),
                Some("limits.backends"),
            ),
            Shape::array::<BackendEntry>(
                "SHADOWS",
                self.backend_entries(),
                Some("limits.backends"),
            ),
            Shape::array::<Load>("LOADS", self.backend_entries(), Some("limits.backends")),
            Shape::array::<u32>("TURNS", u32::from(self.services) + 1, Some("limits.services")),
            Shape::array::<[u64; 8]>(
                "AFFINITY",
                self.affinity_buckets(),
                Some("limits.affinities"),
            ),
            Shape::array::<Chunk>("ARENA", self.chunks(), Some("limits.maglev_slots")),
            Shape::array::<[u64; 8]>("FLOWS", self.buckets(), Some("limits.flows")),
            Shape::array::<VerdictCounters>("VERDICT_COUNTERS", verdict::COUNT as u32, None),
            Shape::array::<BackendCounters>(
                "BACKEND_COUNTERS",
                self.backend_entries(),
                Some("limits.backends"),
            ),
            Shape { name: "EGRESS", key: 4, value: 8, entries: None, limit: None },
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
    /// The setting that decides the entries; without one a map of another shape is replaced.
    pub(super) limit: Option<&'static str>,
}

impl Shape {
    const fn array<T>(name: &'static str, entries: u32, limit: Option<&'static str>) -> Self {
        Self { name, key: 4, value: size_of::<T>() as u32, entries: Some(entries), limit }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use lb_common::{address::Address, service::ServiceKey};

    use super::*;
    use crate::{
        dataplane::layout::{Held, plan},
        state::{ServiceTable, Tables},
    };

    #[test]
    fn as_many_services_fit_as_the_limit_says_whatever_their_vips_and_the_key() {
        let limits = Limits { services: 1024, ..Limits::default() };
        let mut wanted = Tables::default();
        for number in 0..limits.services {
            let vip = Ipv4Addr::from(0xcb00_7100 + u32::from(number));
            let key = ServiceKey::service(Address::v4(vip.octets()), [1, 187], 6);
            let id = number + 1;
            let service = ServiceTable { id, ..ServiceTable::default() };
            wanted.vips.insert(vip.into());
            wanted.services.insert(key, service);
        }
        for seed in 0..32u64 {
            let word =
                |at| (seed * 12 + at as u64 + 1).wrapping_mul(HashKey::MULTIPLIER).rotate_left(29);
            let settings = limits.settings(HashKey::new(std::array::from_fn(word)));
            let planned = plan(&settings, limits.capacity(), &Held::default(), &wanted);
            assert_eq!(planned.err(), None, "seed {seed}");
        }
    }
}
