//! A plan's promises, checked after every single step against memory laid out as the maps are.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use lb_common::{
    address::Address,
    backend::{BackendEntry, BackendId},
    flow::hash::HashKey,
    maglev::{CHUNK_SLOTS, Region},
    rotation::Rotation,
    service::{Selector, ServiceKey, ServiceSlot},
    settings::Settings,
};
use proptest::{collection::btree_map, prelude::*};

use super::{Capacity, Full, Held, Step, plan};
use crate::{
    dataplane::{
        loads::Loads,
        memory::{LINE_WORDS, Words},
        tables::Arrays,
    },
    state::{ServiceTable, Share, Tables, Tuning},
};

const SLOTS: u32 = 64;
const CAPACITY: Capacity = Capacity { services: 16, backends: 40, chunks: 24 };

fn settings() -> Settings {
    let words = std::array::from_fn(|at| (at as u64 + 3).wrapping_mul(HashKey::MULTIPLIER));
    let hash_key = HashKey::new(words);
    Settings {
        hash_key,
        bucket_mask: 0,
        service_mask: SLOTS - 1,
        epoch_shift: 10,
        affinity_mask: 0,
    }
}

fn arrays() -> Arrays {
    let line = LINE_WORDS * 8;
    Arrays {
        guard: Words::anonymous(8192),
        services: Words::anonymous(SLOTS as usize * line),
        backends: Words::anonymous((CAPACITY.backends as usize + 1) * line),
        shadows: Words::anonymous((CAPACITY.backends as usize + 1) * line),
        loads: Loads::new(Words::anonymous((CAPACITY.backends as usize + 1) * 16)),
        arena: Words::anonymous(CAPACITY.chunks as usize * line),
    }
}

/// A set of services: for each its id, scheduler, table seed and size, and its backends' marks.
type Drawn = BTreeMap<u8, (u8, u8, Option<(u8, u8)>, Option<u8>, Vec<(u8, u8)>)>;

fn drawn() -> impl Strategy<Value = Drawn> {
    let backends = prop::collection::vec((0u8..3, 0u8..4), 1..4);
    let maglev = prop::option::of((0u8..3, 5u8..7));
    let service = (0u8..2, 0u8..2, maglev, prop::option::of(1u8..40), backends);
    btree_map(0u8..10, service, 0..8)
}

/// Services of one id use backends of their own, as a real plan has it.
fn tables(drawn: &Drawn) -> Tables {
    let mut tables = Tables::default();
    for (number, (renamed, scheduler, maglev, turns, backends)) in drawn {
        let vip = [203, 0, 113, number / 2];
        let key = ServiceKey::service(Address::v4(vip), [0, *number], 6);
        let id = u16::from(*number) * 2 + u16::from(*renamed) + 1;
        let ids: Vec<BackendId> =
            (0..backends.len() as u16).map(|at| (id - 1) * 2 % 40 + at % 2 + 1).collect();
        for (id_of, (mac, flags)) in ids.iter().zip(backends) {
            let entry = BackendEntry {
                macs: [*mac; 12],
                egress: u32::from(*mac) + 1,
                service: id,
                flags: *flags,
                ..BackendEntry::default()
            };
            tables.backends.insert(*id_of, entry);
            let share = Share { weight: u32::from(*mac), most: u32::from(*flags) };
            if share != Share::default() {
                tables.shares.insert(*id_of, share);
            }
        }
        let table = maglev.map(|(seed, log2)| {
            (0..1usize << log2).map(|at| ids[(at + usize::from(seed)) % ids.len()]).collect()
        });
        tables.vips.insert(std::net::Ipv4Addr::from(vip).into());
        let rotation =
            turns.map(|turns| (0..usize::from(turns)).map(|at| ids[at % ids.len()]).collect());
        let tuning = Tuning { scheduler: *scheduler, idle: [1, 2, 3, 4], ..Tuning::default() };
        let service = ServiceTable { id, tuning, maglev: table, rotation };
        tables.services.insert(key, service);
    }
    tables
}

/// What packets under way may be looking at.
#[derive(Default)]
struct Readers {
    chunks: BTreeSet<u32>,
    slots: BTreeSet<u32>,
    backends: BTreeSet<BackendId>,
    shadows: BTreeSet<BackendId>,
}

impl Readers {
    fn look(&mut self, held: &Held) {
        for (index, slot) in held.slots.iter().filter(|(_, slot)| is_live(slot)) {
            self.slots.insert(*index);
            if let Some(region) = Region::from_word(slot.maglev) {
                let chunks = (region.slots() / CHUNK_SLOTS) as u32;
                self.chunks.extend(region.first_chunk()..region.first_chunk() + chunks);
            }
            if let Some(rotation) = Rotation::from_word(slot.rotation) {
                let chunks = rotation.turns().div_ceil(CHUNK_SLOTS as u32);
                self.chunks.extend(rotation.first_chunk()..rotation.first_chunk() + chunks);
            }
        }
        for (id, entry) in &held.backends {
            if entry.flags & BackendEntry::SHADOWED != 0 {
                self.shadows.insert(*id);
            } else if entry.flags & BackendEntry::USABLE != 0 {
                self.backends.insert(*id);
            }
        }
    }

    fn suffer(&self, step: &Step) -> bool {
        match step {
            Step::WriteBackend { id, .. } => self.backends.contains(id),
            Step::WriteShadow { id, .. } => self.shadows.contains(id),
            Step::WriteSlot { index, .. } => self.slots.contains(index),
            Step::WriteTable { first_chunk, slots } => {
                let end = first_chunk + slots.len().div_ceil(CHUNK_SLOTS) as u32;
                self.chunks.range(first_chunk..&end).next().is_some()
            }
            _ => false,
        }
    }
}

fn is_live(slot: &ServiceSlot) -> bool {
    slot.selector != Selector::RETIRED
}

/// A table, if a slot's word points at one, is one of those that were wanted.
fn assert_known<'a>(
    held: &Held,
    word: u64,
    table: Option<&Arc<[BackendId]>>,
    mut known: impl Iterator<Item = &'a Arc<[BackendId]>>,
) {
    let Some(table) = table else {
        assert_eq!(word, 0, "a region that overlaps another");
        return;
    };
    assert!(known.any(|known| known == table), "a table that nobody wanted");
    for id in table.iter() {
        assert_ne!(held.backends.get(id).map(|entry| entry.service), None, "backend {id}");
    }
}

/// Every table that packets can reach is whole, and names only backends that are written.
fn assert_whole(arrays: &Arrays, before: &Tables, after: &Tables) {
    let held = arrays.read();
    for slot in held.slots.values().filter(|slot| is_live(slot)) {
        let versions = [before.services.get(&slot.key()), after.services.get(&slot.key())];
        let known = versions.iter().flatten();
        let maglevs = known.clone().filter_map(|service| service.maglev.as_ref());
        let rotations = known.filter_map(|service| service.rotation.as_ref());
        assert_known(&held, slot.maglev, held.table_of(slot), maglevs);
        assert_known(&held, slot.rotation, held.rotation_of(slot), rotations);
    }
}

/// No packets are under way here.
fn perform(arrays: &Arrays, step: &Step) {
    if *step != Step::Grace {
        arrays.perform(step).unwrap();
    }
}

fn apply(arrays: &Arrays, before: &Tables, after: &Tables) -> Result<usize, Full> {
    let held = arrays.read();
    let (steps, promised) = plan(&settings(), CAPACITY, &held, after)?;
    let mut readers = Readers::default();
    readers.look(&held);
    for step in &steps {
        assert!(!readers.suffer(step), "{step:?} writes under a packet's eyes");
        perform(arrays, step);
        assert_whole(arrays, before, after);
        let held = arrays.read();
        if *step == Step::Grace {
            readers = Readers::default();
        }
        readers.look(&held);
    }
    assert_eq!(arrays.read(), promised);
    Ok(steps.len())
}

fn assert_holds(arrays: &Arrays, wanted: &Tables) {
    let held = arrays.read();
    let settings = settings();
    for (key, service) in &wanted.services {
        let index = held.find(&settings, *key).expect("a service that packets do not find");
        let slot = held.slots[&index];
        assert_eq!(held.table_of(&slot), service.maglev.as_ref());
        assert_eq!(held.rotation_of(&slot), service.rotation.as_ref());
        assert_eq!((slot.id, Tuning::of(&slot)), (service.id, service.tuning));
        let hash = settings.address_hash(key.address);
        assert!(held.guard.contains(&settings.guard_bit(hash)));
    }
    let live = held.slots.values().filter(|slot| is_live(slot)).count();
    assert_eq!(live, wanted.services.len() + wanted.vips.len());
    let visible = wanted.backends.iter().filter(|(_, entry)| **entry != BackendEntry::default());
    assert_eq!(held.backends, visible.map(|(id, entry)| (*id, *entry)).collect());
    assert_eq!(held.shares, wanted.shares);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn packets_see_whole_tables_after_every_step_of_every_change(
        changes in prop::collection::vec(drawn(), 1..6),
    ) {
        let arrays = arrays();
        let mut before = Tables::default();
        for change in &changes {
            let after = tables(change);
            if apply(&arrays, &before, &after).is_err() {
                prop_assert_eq!(apply(&arrays, &before, &before), Ok(0), "a refusal wrote");
                continue;
            }
            assert_holds(&arrays, &after);
            prop_assert_eq!(apply(&arrays, &after, &after), Ok(0), "the same again writes");
            before = after;
        }
    }

    #[test]
    fn whatever_the_arrays_hold_is_repaired(noise in prop::collection::vec((0usize..6, any::<u16>(), any::<u64>()), 0..40), change in drawn()) {
        let arrays = arrays();
        let wanted = tables(&change);
        apply(&arrays, &Tables::default(), &wanted).unwrap();
        for (which, at, value) in noise {
            let words = [&arrays.guard, &arrays.services, &arrays.backends, &arrays.shadows, &arrays.arena, arrays.loads.words()][which].all();
            words[usize::from(at) % words.len()].store(value, std::sync::atomic::Ordering::Relaxed);
        }
        arrays.recover().unwrap();
        let held = arrays.read();
        let (steps, _) = plan(&settings(), CAPACITY, &held, &wanted).unwrap();
        for step in &steps {
            perform(&arrays, step);
        }
        assert_holds(&arrays, &wanted);
    }
}

fn service(number: u8, slots: usize) -> Drawn {
    [(number, (0, 0, Some((0, slots.ilog2() as u8)), None, vec![(1, 3)]))].into()
}

#[test]
fn what_does_not_fit_is_refused_with_the_limit_to_raise() {
    let held = Held::default();
    let refusal =
        |tables: &Tables| plan(&settings(), CAPACITY, &held, tables).unwrap_err().to_string();

    let large = refusal(&tables(&service(1, 1024)));
    assert!(large.contains("limits.maglev_slots = 768"), "{large}");

    let mut stranger = tables(&service(1, 32));
    stranger.backends.insert(41, BackendEntry::default());
    assert!(refusal(&stranger).contains("limits.backends = 40"));

    let mut crowd = Tables::default();
    for number in 0..17 {
        crowd.services.extend(tables(&service(number, 32)).services);
    }
    assert!(refusal(&crowd).contains("limits.services = 16"));
}

#[test]
fn a_service_takes_the_room_of_one_that_leaves_in_the_same_change() {
    let arrays = arrays();
    let full = tables(&service(1, 512));
    apply(&arrays, &Tables::default(), &full).unwrap();
    let other = tables(&service(2, 512));
    apply(&arrays, &full, &other).unwrap();
    assert_holds(&arrays, &other);
}

#[test]
fn a_service_whose_id_changes_is_found_after_every_step() {
    let arrays = arrays();
    let before = tables(&service(1, 32));
    apply(&arrays, &Tables::default(), &before).unwrap();
    let mut renamed = service(1, 32);
    for (renamed, ..) in renamed.values_mut() {
        *renamed = 1;
    }
    let after = tables(&renamed);
    let key = after.services.keys().next().unwrap();
    let (steps, _) = plan(&settings(), CAPACITY, &arrays.read(), &after).unwrap();
    for step in &steps {
        perform(&arrays, step);
        assert!(arrays.read().find(&settings(), *key).is_some(), "not found after {step:?}");
    }
    assert_holds(&arrays, &after);
}

#[test]
fn a_changed_live_backend_is_read_from_its_shadow_meanwhile() {
    let arrays = arrays();
    let before = tables(&service(1, 32));
    apply(&arrays, &Tables::default(), &before).unwrap();
    let mut after = before.clone();
    let (id, entry) = after.backends.iter_mut().next().map(|(id, entry)| (*id, entry)).unwrap();
    entry.macs = [9; 12];
    let entry = *entry;
    let (steps, _) = plan(&settings(), CAPACITY, &arrays.read(), &after).unwrap();
    let shadowed = entry.flags | BackendEntry::SHADOWED;
    assert_eq!(
        steps,
        [
            Step::WriteShadow { id, entry },
            Step::Publish,
            Step::SetFlags { id, flags: shadowed },
            Step::Grace,
            Step::WriteBackend { id, entry },
            Step::Publish,
            Step::SetFlags { id, flags: entry.flags },
            Step::Grace,
        ]
    );
}

#[test]
fn a_writer_that_died_between_two_steps_leaves_nothing_that_the_next_does_not_finish() {
    let before = tables(&service(1, 32));
    let mut after = tables(&service(1, 64));
    after.backends.values_mut().for_each(|entry| entry.macs = [9; 12]);
    let count = plan(&settings(), CAPACITY, &Held::default(), &before).unwrap().0.len() + 32;
    for died in 0..count {
        let arrays = arrays();
        apply(&arrays, &Tables::default(), &before).unwrap();
        let (steps, _) = plan(&settings(), CAPACITY, &arrays.read(), &after).unwrap();
        steps.iter().take(died).for_each(|step| perform(&arrays, step));
        arrays.recover().unwrap();
        apply(&arrays, &before, &after).unwrap();
        assert_holds(&arrays, &after);
    }
}
