//! From what the arrays hold to what they shall hold.
//!
//! New before old: backends, then Maglev tables, then the services that use them, then removals,
//! and what was removed is used again only after a grace period. A packet under way thus always
//! finds whole entries, whichever step comes next.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use lb_common::{
    backend::BackendId,
    maglev::{CHUNK_SLOTS, MAX_SIZE_LOG2, MIN_SIZE_LOG2, Region},
    rotation::{MAX_TURNS, Rotation},
    service::{Selector, ServiceKey, ServiceSlot},
    settings::Settings,
};

use super::{
    Capacity, Full, Held, Step,
    held::{UNKNOWN_TABLE, chunks, probes},
    plan_backends,
};
use crate::state::{ServiceTable, Tables, Tuning};

/// The steps from `held` to `wanted`, and what is held after them; none when nothing differs.
pub(in crate::dataplane) fn plan(
    settings: &Settings,
    capacity: Capacity,
    held: &Held,
    wanted: &Tables,
) -> Result<(Vec<Step>, Held), Full> {
    check(capacity, wanted)?;
    let mut plan = Plan::new(settings, capacity, held);
    let leaving = plan_backends::arriving(&mut plan, wanted);
    let keys = wanted_keys(wanted);
    plan.removals = plan.unwanted_slots(&keys);
    plan.open_guard(&keys);
    for (key, service) in &keys {
        plan.service(*key, *service)?;
    }
    plan.share(wanted);
    plan.publish();
    plan.remove();
    plan.close_guard(&keys);
    plan.settle();
    plan_backends::leave(&mut plan, &leaving);
    Ok((plan.steps, plan.held))
}

/// Every key that shall be found; a VIP's own record has no service.
type Keys<'a> = BTreeMap<ServiceKey, Option<&'a ServiceTable>>;

fn wanted_keys(wanted: &Tables) -> Keys<'_> {
    let vips = wanted.vips.iter().map(|vip| (ServiceKey::vip((*vip).into()), None));
    let services = wanted.services.iter().map(|(key, service)| (*key, Some(service)));
    vips.chain(services).collect()
}

fn check(capacity: Capacity, wanted: &Tables) -> Result<(), Full> {
    if wanted.services.len() > capacity.services as usize {
        return Err(Full::Services { wanted: wanted.services.len(), limit: capacity.services });
    }
    let inside = |id: BackendId| id != 0 && u32::from(id) <= capacity.backends;
    if let Some(id) = wanted.backends.keys().copied().find(|id| !inside(*id)) {
        return Err(Full::Backends { id, limit: capacity.backends });
    }
    let tables = wanted.services.values().filter_map(|service| service.maglev.as_ref());
    let fits = |slots: usize| {
        let log2 = slots.checked_ilog2().unwrap_or(0) as u8;
        slots.is_power_of_two() && (MIN_SIZE_LOG2..=MAX_SIZE_LOG2).contains(&log2)
    };
    if let Some(slots) = tables.map(|table| table.len()).find(|slots| !fits(*slots)) {
        return Err(Full::TableSize { slots });
    }
    let rotations = wanted.services.values().filter_map(|service| service.rotation.as_ref());
    match rotations.map(|turns| turns.len()).find(|turns| !(1..=MAX_TURNS).contains(turns)) {
        Some(turns) => Err(Full::Rotation { turns }),
        None => Ok(()),
    }
}

pub(super) struct Plan<'a> {
    settings: &'a Settings,
    capacity: Capacity,
    steps: Vec<Step>,
    /// What is held after `steps` and `unpublished`.
    pub(super) held: Held,
    /// Steps that wait for what they lead to.
    unpublished: Vec<Step>,
    /// Slots that are no longer wanted.
    removals: Vec<u32>,
    /// Regions of the arena in use or stale: their first chunk and length.
    used: BTreeMap<u32, u32>,
    /// Of those, the ones that only a packet under way may still look at.
    stale_regions: Vec<u32>,
    owes_grace: bool,
}

impl<'a> Plan<'a> {
    fn new(settings: &'a Settings, capacity: Capacity, held: &Held) -> Self {
        let used = held.tables.iter().map(|(first, slots)| (*first, chunks(slots.len()))).collect();
        Self {
            settings,
            capacity,
            steps: Vec::new(),
            held: held.clone(),
            unpublished: Vec::new(),
            removals: Vec::new(),
            used,
            stale_regions: Vec::new(),
            owes_grace: false,
        }
    }

    pub(super) fn step(&mut self, step: Step) {
        self.held.perform(&step);
        self.steps.push(step);
    }

    fn step_when_published(&mut self, step: Step) {
        self.held.perform(&step);
        self.unpublished.push(step);
    }

    /// Something was taken away that packets under way may still look at.
    pub(super) fn owe_grace(&mut self) {
        self.owes_grace = true;
    }

    /// Waits for packets under way, when there is a reason to.
    pub(super) fn settle(&mut self) {
        if std::mem::take(&mut self.owes_grace) {
            self.steps.push(Step::Grace);
            for first in std::mem::take(&mut self.stale_regions) {
                self.used.remove(&first);
            }
        }
    }

    fn publish(&mut self) {
        if !self.unpublished.is_empty() {
            self.steps.push(Step::Publish);
            self.steps.append(&mut self.unpublished);
        }
    }

    /// Makes what is no longer used free before its time, for there is no room without it.
    fn make_room(&mut self) {
        self.publish();
        self.remove();
        self.settle();
    }

    /// The slots that hold no wanted key, or one that packets do not find there.
    fn unwanted_slots(&self, keys: &Keys<'_>) -> Vec<u32> {
        let is_wanted = |index: u32, slot: &ServiceSlot| {
            let id = |service: Option<&ServiceTable>| service.map_or(0, |service| service.id);
            keys.get(&slot.key()).is_some_and(|service| id(*service) == slot.id)
                && self.held.find(self.settings, slot.key()) == Some(index)
        };
        let live = self.held.slots.iter().filter(|(_, slot)| slot.selector != Selector::RETIRED);
        live.filter(|(index, slot)| !is_wanted(**index, slot)).map(|(index, _)| *index).collect()
    }

    fn open_guard(&mut self, keys: &Keys<'_>) {
        for bit in self.guard_bits(keys) {
            if !self.held.guard.contains(&bit) {
                self.step(Step::SetGuard { bit });
            }
        }
    }

    fn close_guard(&mut self, keys: &Keys<'_>) {
        let wanted = self.guard_bits(keys);
        let unwanted: Vec<u32> = self.held.guard.difference(&wanted).copied().collect();
        for bit in unwanted {
            self.step(Step::ClearGuard { bit });
        }
    }

    fn guard_bits(&self, keys: &Keys<'_>) -> BTreeSet<u32> {
        let bit =
            |key: &ServiceKey| self.settings.guard_bit(self.settings.address_hash(key.address));
        keys.keys().map(bit).collect()
    }

    fn service(&mut self, key: ServiceKey, wanted: Option<&ServiceTable>) -> Result<(), Full> {
        let found = self.held.find(self.settings, key);
        match found.filter(|index| !self.removals.contains(index)) {
            Some(index) => wanted.map_or(Ok(()), |wanted| self.change(index, wanted)),
            None => self.insert(key, wanted),
        }
    }

    /// A service whose id changes is inserted anew as well: the copy of it that is found first
    /// serves, so that packets see the old one or the new one and no mix.
    fn insert(&mut self, key: ServiceKey, wanted: Option<&ServiceTable>) -> Result<(), Full> {
        let maglev = match wanted.and_then(|wanted| wanted.maglev.as_ref()) {
            Some(table) => self.write_maglev(table, 0)?,
            None => 0,
        };
        let rotation = match wanted.and_then(|wanted| wanted.rotation.as_ref()) {
            Some(turns) => self.write_rotation(turns, 0)?,
            None => 0,
        };
        let index = self.free_slot(key)?;
        let tuning = wanted.map_or_else(Tuning::default, |wanted| wanted.tuning);
        let slot = tuning.tune(ServiceSlot {
            address: key.address,
            selector: key.selector,
            id: wanted.map_or(0, |wanted| wanted.id),
            maglev,
            rotation,
            ..ServiceSlot::default()
        });
        self.step(Step::WriteSlot { index, slot });
        self.step_when_published(Step::SetSelector { index, selector: key.selector });
        Ok(())
    }

    fn change(&mut self, index: u32, wanted: &ServiceTable) -> Result<(), Full> {
        let Some(slot) = self.held.slots.get(&index).copied() else { return Ok(()) };
        if Tuning::of(&slot) != wanted.tuning {
            self.step_when_published(Step::TuneSlot { index, tuning: wanted.tuning });
        }
        self.change_maglev(index, &slot, wanted.maglev.as_ref())?;
        self.change_rotation(index, &slot, wanted.rotation.as_ref())
    }

    fn change_maglev(
        &mut self,
        index: u32,
        slot: &ServiceSlot,
        wanted: Option<&Arc<[BackendId]>>,
    ) -> Result<(), Full> {
        let maglev = match wanted {
            table @ Some(_) if self.held.table_of(slot) == table => return Ok(()),
            Some(table) => {
                let old = Region::from_word(slot.maglev).map_or(0, Region::generation);
                self.write_maglev(table, old)?
            }
            None => 0,
        };
        if maglev != slot.maglev {
            self.step_when_published(Step::PointSlot { index, maglev });
            self.retire(maglev_place(slot.maglev));
        }
        Ok(())
    }

    fn change_rotation(
        &mut self,
        index: u32,
        slot: &ServiceSlot,
        wanted: Option<&Arc<[BackendId]>>,
    ) -> Result<(), Full> {
        let rotation = match wanted {
            turns @ Some(_) if self.held.rotation_of(slot) == turns => return Ok(()),
            Some(turns) => {
                let old = Rotation::from_word(slot.rotation).map_or(0, Rotation::generation);
                self.write_rotation(turns, old)?
            }
            None => 0,
        };
        if rotation != slot.rotation {
            self.step_when_published(Step::TurnSlot { index, rotation });
            self.retire(rotation_place(slot.rotation));
        }
        Ok(())
    }

    fn write_maglev(&mut self, slots: &Arc<[BackendId]>, old: u32) -> Result<u64, Full> {
        let first_chunk = self.write_table(slots)?;
        Ok(Region::new(first_chunk, slots.len().ilog2() as u8, old.wrapping_add(1)).word())
    }

    fn write_rotation(&mut self, turns: &Arc<[BackendId]>, old: u32) -> Result<u64, Full> {
        let first_chunk = self.write_table(turns)?;
        Ok(Rotation::new(first_chunk, turns.len(), old.wrapping_add(1)).word())
    }

    fn write_table(&mut self, slots: &Arc<[BackendId]>) -> Result<u32, Full> {
        let first_chunk = self.free_region(slots.len())?;
        self.used.insert(first_chunk, chunks(slots.len()));
        self.step(Step::WriteTable { first_chunk, slots: Arc::clone(slots) });
        Ok(first_chunk)
    }

    /// Lets go of the table that begins in a chunk.
    fn retire(&mut self, place: Option<u32>) {
        if let Some(first_chunk) = place {
            self.held.tables.remove(&first_chunk);
            self.stale_regions.push(first_chunk);
            self.owe_grace();
        }
    }

    fn share(&mut self, wanted: &Tables) {
        let ids: BTreeSet<BackendId> =
            self.held.shares.keys().chain(wanted.shares.keys()).copied().collect();
        for id in ids {
            let share = wanted.shares.get(&id).copied().unwrap_or_default();
            if self.held.shares.get(&id).copied().unwrap_or_default() != share {
                self.step(Step::SetShare { id, share });
            }
        }
    }

    fn free_region(&mut self, slots: usize) -> Result<u32, Full> {
        if let Some(first) = self.gap(chunks(slots)) {
            return Ok(first);
        }
        self.make_room();
        let limit = u64::from(self.capacity.chunks) * CHUNK_SLOTS as u64;
        self.gap(chunks(slots)).ok_or(Full::Arena { wanted: slots, limit })
    }

    /// The first gap of that many chunks between the regions in use.
    fn gap(&self, length: u32) -> Option<u32> {
        let end = (self.capacity.chunks, 0);
        let used = self.used.iter().map(|(first, length)| (*first, *length));
        let mut start = 0;
        for (first, used) in used.chain([end]) {
            if first.checked_sub(start).is_some_and(|gap| gap >= length) {
                return Some(start);
            }
            start = first + used;
        }
        None
    }

    fn free_slot(&mut self, key: ServiceKey) -> Result<u32, Full> {
        if let Some(index) = self.vacancy(key) {
            return Ok(index);
        }
        self.make_room();
        self.vacancy(key).ok_or_else(|| Full::Slots { service: describe(key) })
    }

    fn vacancy(&self, key: ServiceKey) -> Option<u32> {
        // What is removed in this plan is either still there or was waited for.
        let is_vacant = |index: &u32| {
            let slot = self.held.slots.get(index);
            slot.is_none_or(|slot| slot.selector == Selector::RETIRED)
        };
        probes(self.settings, key).find(is_vacant)
    }

    fn remove(&mut self) {
        for index in std::mem::take(&mut self.removals) {
            let Some(slot) = self.held.slots.get(&index).copied() else { continue };
            self.retire(maglev_place(slot.maglev));
            self.retire(rotation_place(slot.rotation));
            self.owe_grace();
            self.retire_slot(index);
        }
    }

    /// Searches go on past a retired slot; before an empty one there is nothing to go on for.
    fn retire_slot(&mut self, index: u32) {
        let mask = self.settings.service_mask;
        if self.held.slots.contains_key(&(index.wrapping_add(1) & mask)) {
            self.step(Step::SetSelector { index, selector: Selector::RETIRED });
            return;
        }
        self.step(Step::SetSelector { index, selector: Selector::EMPTY });
        let mut before = index.wrapping_sub(1) & mask;
        while self.held.slots.get(&before).is_some_and(|slot| slot.selector == Selector::RETIRED) {
            self.step(Step::SetSelector { index: before, selector: Selector::EMPTY });
            before = before.wrapping_sub(1) & mask;
        }
    }
}

/// The first chunk of a Maglev table in use.
fn maglev_place(word: u64) -> Option<u32> {
    Region::from_word(word).filter(|_| word != UNKNOWN_TABLE).map(Region::first_chunk)
}

/// The first chunk of a rotation in use.
fn rotation_place(word: u64) -> Option<u32> {
    Rotation::from_word(word).filter(|_| word != UNKNOWN_TABLE).map(Rotation::first_chunk)
}

fn describe(key: ServiceKey) -> String {
    let vip = IpAddr::from(key.address);
    if key.selector.is_service() {
        format!("port {} of VIP {vip}", key.selector.port())
    } else {
        format!("VIP {vip}")
    }
}
