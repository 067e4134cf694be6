//! What the arrays hold.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use lb_common::{
    backend::{BackendEntry, BackendId},
    maglev::{CHUNK_SLOTS, MAX_SIZE_LOG2, MIN_SIZE_LOG2, Region},
    rotation::{MAX_TURNS, Rotation},
    service::{PROBES, Selector, ServiceKey, ServiceSlot},
    settings::Settings,
};

use super::Step;
use crate::state::{ServiceTable, Share, Tables, Tuning};

/// A mirror of the arrays, without what is empty in them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::dataplane) struct Held {
    /// The bits of `GUARD` that are set.
    pub(in crate::dataplane) guard: BTreeSet<u32>,
    /// The slots of `SERVICES` that are not [`Selector::EMPTY`].
    pub(in crate::dataplane) slots: BTreeMap<u32, ServiceSlot>,
    /// The entries of `BACKENDS` that are not zero.
    pub(in crate::dataplane) backends: BTreeMap<BackendId, BackendEntry>,
    /// The Maglev tables and rotations that slots point at, by their first chunk.
    pub(in crate::dataplane) tables: BTreeMap<u32, Arc<[BackendId]>>,
    /// What is not zero of what the backends' live flows are weighed against.
    pub(in crate::dataplane) shares: BTreeMap<BackendId, Share>,
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
            tuning: Tuning::of(slot),
            maglev: self.table_of(slot).cloned(),
            rotation: self.rotation_of(slot).cloned(),
        };
        Tables {
            vips: services.clone().map(|slot| slot.address.into()).collect(),
            services: services.map(|slot| (slot.key(), table(slot))).collect(),
            backends: self.backends.clone(),
            shares: self.shares.clone(),
        }
    }

    /// The Maglev table that a slot points at.
    pub(in crate::dataplane) fn table_of(&self, slot: &ServiceSlot) -> Option<&Arc<[BackendId]>> {
        self.tables.get(&Region::from_word(slot.maglev)?.first_chunk())
    }

    /// The rotation that a slot points at.
    pub(in crate::dataplane) fn rotation_of(
        &self,
        slot: &ServiceSlot,
    ) -> Option<&Arc<[BackendId]>> {
        self.tables.get(&Rotation::from_word(slot.rotation)?.first_chunk())
    }

    /// Notes the tables that the slots point at, read by `read(first chunk, slots)`.
    pub(in crate::dataplane) fn adopt_tables(
        &mut self,
        arena_chunks: u32,
        read: impl Fn(u32, usize) -> Arc<[BackendId]>,
    ) {
        let Self { slots, tables, .. } = self;
        let mut used = BTreeMap::new();
        let mut adopt = |first: u32, length: usize| {
            let whole = chunks(length);
            let is_free = length > 0 && is_free(&used, first, whole, arena_chunks);
            if is_free {
                used.insert(first, whole);
                tables.insert(first, read(first, length));
            }
            is_free
        };
        for slot in slots.values_mut().filter(|slot| slot.selector != Selector::RETIRED) {
            let region = Region::from_word(slot.maglev);
            if region.is_some_and(|region| !adopt(region.first_chunk(), slots_of(region))) {
                slot.maglev = UNKNOWN_TABLE;
            }
            let rotation = Rotation::from_word(slot.rotation);
            if rotation.is_some_and(|one| !adopt(one.first_chunk(), turns_of(one))) {
                slot.rotation = UNKNOWN_TABLE;
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
            Step::TurnSlot { index, rotation } => {
                self.slots.entry(*index).or_default().rotation = *rotation;
            }
            Step::TuneSlot { index, tuning } => {
                let slot = self.slots.entry(*index).or_default();
                *slot = tuning.tune(*slot);
            }
            Step::SetShare { id, share } if *share == Share::default() => {
                self.shares.remove(id);
            }
            Step::SetShare { id, share } => {
                self.shares.insert(*id, *share);
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

/// Elements of the arena that a table of so many slots takes.
pub(in crate::dataplane) fn chunks(slots: usize) -> u32 {
    slots.div_ceil(CHUNK_SLOTS) as u32
}

/// The slots of a Maglev table; 0 of one that cannot be.
fn slots_of(region: Region) -> usize {
    let sizes = MIN_SIZE_LOG2..=MAX_SIZE_LOG2;
    if sizes.contains(&region.size_log2()) { region.slots() } else { 0 }
}

/// The turns of a rotation; 0 of one that cannot be.
fn turns_of(rotation: Rotation) -> usize {
    Some(rotation.turns() as usize).filter(|turns| *turns <= MAX_TURNS).unwrap_or(0)
}

fn is_free(used: &BTreeMap<u32, u32>, first: u32, chunks: u32, arena_chunks: u32) -> bool {
    let Some(end) = first.checked_add(chunks).filter(|end| *end <= arena_chunks) else {
        return false;
    };
    used.range(..end).next_back().is_none_or(|(start, length)| start + length <= first)
}
