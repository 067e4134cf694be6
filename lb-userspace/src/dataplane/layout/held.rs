//! What the arrays hold.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use lb_common::{
    backend::{BackendEntry, BackendId},
    maglev::{CHUNK_SLOTS, MAX_SIZE_LOG2, MIN_SIZE_LOG2, Region},
    service::{PROBES, Selector, ServiceKey, ServiceSlot},
    settings::Settings,
};

use super::Step;
use crate::state::{ServiceTable, Tables};

/// A mirror of the arrays, without what is empty in them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::dataplane) struct Held {
    /// The bits of `GUARD` that are set.
    pub(in crate::dataplane) guard: BTreeSet<u32>,
    /// The slots of `SERVICES` that are not [`Selector::EMPTY`].
    pub(in crate::dataplane) slots: BTreeMap<u32, ServiceSlot>,
    /// The entries of `BACKENDS` that are not zero.
    pub(in crate::dataplane) backends: BTreeMap<BackendId, BackendEntry>,
    /// The Maglev tables that slots point at, by their first chunk.
    pub(in crate::dataplane) tables: BTreeMap<u32, Arc<[BackendId]>>,
}

/// In the mirror of a slot whose table cannot be told: its region overlaps another's, or leaves
/// the arena. It equals no table, so that the next change replaces it.
pub(in crate::dataplane) const UNKNOWN_TABLE: u64 = u64::MAX;

impl Held {
    /// The slot that packets find for a key.
    pub(in crate::dataplane) fn find(&self, settings: &Settings, key: ServiceKey) -> Option<u32> {
        probes(settings, key)
            .map_while(|index| Some((index, self.slots.get(&index)?)))
            .find_map(|(index, slot)| (slot.key() == key).then_some(index))
    }

    /// The tables that were applied, as far as packets can find them.
    pub(in crate::dataplane) fn tables(&self) -> Tables {
        let services = self.slots.values().filter(|slot| slot.selector.is_service());
        let table = |slot: &ServiceSlot| ServiceTable {
            id: slot.id,
            scheduler: slot.scheduler,
            idle: slot.idle,
            maglev: self.table_of(slot).cloned(),
        };
        Tables {
            vips: services.clone().map(|slot| slot.address.into()).collect(),
            services: services.map(|slot| (slot.key(), table(slot))).collect(),
            backends: self.backends.clone(),
        }
    }

    /// The Maglev table that a slot points at.
    pub(in crate::dataplane) fn table_of(&self, slot: &ServiceSlot) -> Option<&Arc<[BackendId]>> {
        self.tables.get(&Region::from_word(slot.maglev)?.first_chunk())
    }

    /// Notes the tables that the slots point at, read by `read(first chunk, chunks)`.
    pub(in crate::dataplane) fn adopt_tables(
        &mut self,
        arena_chunks: u32,
        read: impl Fn(u32, u32) -> Arc<[BackendId]>,
    ) {
        let mut used = BTreeMap::new();
        for slot in self.slots.values_mut().filter(|slot| slot.selector != Selector::RETIRED) {
            let Some(region) = Region::from_word(slot.maglev) else { continue };
            match chunks_of(region).filter(|chunks| is_free(&used, region, *chunks, arena_chunks)) {
                Some(chunks) => {
                    used.insert(region.first_chunk(), chunks);
                    self.tables.insert(region.first_chunk(), read(region.first_chunk(), chunks));
                }
                None => slot.maglev = UNKNOWN_TABLE,
            }
        }
    }

    /// What the arrays hold after a step.
    pub(in crate::dataplane) fn perform(&mut self, step: &Step) {
        match step {
            Step::WriteBackend { id, entry } => {
                let flags = self.backends.get(id).map_or(0, |held| held.flags);
                self.put_backend(*id, BackendEntry { flags, ..*entry });
            }
            Step::SetFlags { id, flags } => {
                let held = self.backends.get(id).copied().unwrap_or_default();
                self.put_backend(*id, BackendEntry { flags: *flags, ..held });
            }
            Step::WriteTable { first_chunk, slots } => {
                self.tables.insert(*first_chunk, Arc::clone(slots));
            }
            Step::SetGuard { bit } => {
                self.guard.insert(*bit);
            }
            Step::ClearGuard { bit } => {
                self.guard.remove(bit);
            }
            Step::WriteSlot { index, slot } => {
                let selector = self.slots.get(index).map_or(Selector::EMPTY, |held| held.selector);
                self.slots.insert(*index, ServiceSlot { selector, ..*slot });
            }
            Step::SetSelector { index, selector } if *selector == Selector::EMPTY => {
                self.slots.remove(index);
            }
            Step::SetSelector { index, selector } => {
                self.slots.entry(*index).or_default().selector = *selector;
            }
            Step::PointSlot { index, maglev } => {
                self.slots.entry(*index).or_default().maglev = *maglev;
            }
            Step::TuneSlot { index, scheduler, idle } => {
                let slot = self.slots.entry(*index).or_default();
                (slot.scheduler, slot.idle) = (*scheduler, *idle);
            }
            Step::WriteShadow { .. } | Step::Publish | Step::Grace => {}
        }
    }

    fn put_backend(&mut self, id: BackendId, entry: BackendEntry) {
        if entry == BackendEntry::default() {
            self.backends.remove(&id);
        } else {
            self.backends.insert(id, entry);
        }
    }
}

/// Where a key may lie, in the order in which packets look.
pub(in crate::dataplane) fn probes(
    settings: &Settings,
    key: ServiceKey,
) -> impl Iterator<Item = u32> + use<> {
    let home = settings.service_home(settings.address_hash(key.address), key);
    let mask = settings.service_mask;
    (0..PROBES).map(move |step| home.wrapping_add(step) & mask)
}

fn chunks_of(region: Region) -> Option<u32> {
    let sizes = MIN_SIZE_LOG2..=MAX_SIZE_LOG2;
    sizes.contains(&region.size_log2()).then(|| (region.slots() / CHUNK_SLOTS) as u32)
}

fn is_free(used: &BTreeMap<u32, u32>, region: Region, chunks: u32, arena_chunks: u32) -> bool {
    let first = region.first_chunk();
    let Some(end) = first.checked_add(chunks).filter(|end| *end <= arena_chunks) else {
        return false;
    };
    used.range(..end).next_back().is_none_or(|(start, length)| start + length <= first)
}
