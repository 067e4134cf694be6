//! The arrays that userspace writes and packets read.

use std::{
    collections::BTreeSet,
    io,
    mem::offset_of,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use lb_common::{
    backend::{BackendEntry, BackendId},
    maglev::{CHUNK_SLOTS, Chunk},
    service::{Selector, ServiceSlot},
    wire::Wire,
};

use super::{
    grace,
    layout::{Held, Step},
    loads::Loads,
    memory::{LINE_WORDS, Line, Words, from_line, to_line},
};

/// The words that packets decide by.
const SELECTOR_WORD: usize = offset_of!(ServiceSlot, selector) / 8;
const MAGLEV_WORD: usize = offset_of!(ServiceSlot, maglev) / 8;
const IDLE_WORD: usize = offset_of!(ServiceSlot, idle) / 8;
const ROTATION_WORD: usize = offset_of!(ServiceSlot, rotation) / 8;
const AFFINITY_WORD: usize = offset_of!(ServiceSlot, affinity) / 8;
const FLAGS_WORD: usize = offset_of!(BackendEntry, flags) / 8;

/// `GUARD`, `SERVICES`, `BACKENDS`, `SHADOWS`, `LOADS` and `ARENA`.
#[derive(Debug)]
pub(super) struct Arrays {
    pub(super) guard: Words,
    pub(super) services: Words,
    pub(super) backends: Words,
    pub(super) shadows: Words,
    pub(super) loads: Loads,
    pub(super) arena: Words,
}

impl Arrays {
    /// Does one step. The indexes were checked when it was planned.
    pub(super) fn perform(&self, step: &Step) -> io::Result<()> {
        match step {
            Step::WriteBackend { id, entry } => {
                let flags = self.backend(*id).flags;
                store(self.backends.line(usize::from(*id)), &BackendEntry { flags, ..*entry });
            }
            Step::WriteShadow { id, entry } => store(self.shadows.line(usize::from(*id)), entry),
            Step::SetFlags { id, flags } => {
                let entry = to_line(&BackendEntry { flags: *flags, ..self.backend(*id) });
                let line = self.backends.line(usize::from(*id));
                line[FLAGS_WORD].store(entry[FLAGS_WORD], Relaxed);
            }
            Step::WriteTable { first_chunk, slots } => self.write_table(*first_chunk, slots),
            Step::SetGuard { bit } => self.set_guard(*bit, true),
            Step::ClearGuard { bit } => self.set_guard(*bit, false),
            Step::WriteSlot { index, slot } => {
                let selector = self.slot(*index).selector;
                store(self.services.line(*index as usize), &ServiceSlot { selector, ..*slot });
            }
            Step::SetSelector { index, selector } => {
                let slot = ServiceSlot { selector: *selector, ..self.slot(*index) };
                self.store_word(*index, SELECTOR_WORD, &slot);
            }
            Step::PointSlot { index, maglev } => {
                let slot = ServiceSlot { maglev: *maglev, ..self.slot(*index) };
                self.store_word(*index, MAGLEV_WORD, &slot);
            }
            Step::TurnSlot { index, rotation } => {
                let slot = ServiceSlot { rotation: *rotation, ..self.slot(*index) };
                self.store_word(*index, ROTATION_WORD, &slot);
            }
            Step::TuneSlot { index, tuning } => {
                let slot = tuning.tune(self.slot(*index));
                for word in [SELECTOR_WORD, IDLE_WORD, AFFINITY_WORD] {
                    self.store_word(*index, word, &slot);
                }
            }
            Step::SetShare { id, share } => self.loads.share(*id, *share),
            Step::Publish => grace::publish()?,
            Step::Grace => grace::wait()?,
        }
        Ok(())
    }

    /// What is there.
    pub(super) fn read(&self) -> Held {
        let mut held = Held { guard: self.guard_bits(), ..Held::default() };
        for index in 0..self.services.lines() as u32 {
            let slot = self.slot(index);
            if slot.selector != Selector::EMPTY {
                held.slots.insert(index, slot);
            }
        }
        let ids = (0..self.backends.lines()).filter_map(|id| BackendId::try_from(id).ok());
        let entries = ids.map(|id| (id, self.backend(id)));
        held.backends.extend(entries.filter(|(_, entry)| *entry != BackendEntry::default()));
        held.shares = self.loads.shares();
        let chunks = self.arena.lines() as u32;
        held.adopt_tables(chunks, |first_chunk, slots| self.read_table(first_chunk, slots));
        held
    }

    /// Finishes what a writer that died had begun: entries that are read from their shadows.
    pub(super) fn recover(&self) -> io::Result<()> {
        let ids = (0..self.backends.lines()).filter_map(|id| BackendId::try_from(id).ok());
        let is_shadowed = |id: &BackendId| self.backend(*id).flags & BackendEntry::SHADOWED != 0;
        let shadowed: Vec<BackendId> = ids.filter(is_shadowed).collect();
        if shadowed.is_empty() {
            return Ok(());
        }
        self.perform(&Step::Grace)?;
        let shadow = |id: BackendId| load::<BackendEntry>(self.shadows.line(usize::from(id)));
        for id in &shadowed {
            self.perform(&Step::WriteBackend { id: *id, entry: shadow(*id) })?;
        }
        self.perform(&Step::Publish)?;
        for id in &shadowed {
            let flags = shadow(*id).flags & !BackendEntry::SHADOWED;
            self.perform(&Step::SetFlags { id: *id, flags })?;
        }
        self.perform(&Step::Grace)
    }

    fn backend(&self, id: BackendId) -> BackendEntry {
        load(self.backends.line(usize::from(id)))
    }

    fn slot(&self, index: u32) -> ServiceSlot {
        load(self.services.line(index as usize))
    }

    fn store_word(&self, index: u32, word: usize, slot: &ServiceSlot) {
        self.services.line(index as usize)[word].store(to_line(slot)[word], Relaxed);
    }

    fn write_table(&self, first_chunk: u32, slots: &[BackendId]) {
        for (at, slots) in slots.chunks(CHUNK_SLOTS).enumerate() {
            let mut chunk = Chunk { slots: [0; CHUNK_SLOTS] };
            chunk.slots[..slots.len()].copy_from_slice(slots);
            store(self.arena.line(first_chunk as usize + at), &chunk);
        }
    }

    fn read_table(&self, first_chunk: u32, slots: usize) -> Arc<[BackendId]> {
        let chunks = (first_chunk as usize..).take(slots.div_ceil(CHUNK_SLOTS));
        let held = chunks.flat_map(|chunk| load::<Chunk>(self.arena.line(chunk)).slots);
        held.take(slots).collect()
    }

    fn set_guard(&self, bit: u32, set: bool) {
        let word = &self.guard.all()[bit as usize / 64];
        let mask = 1 << (bit % 64);
        let others = word.load(Relaxed) & !mask;
        word.store(if set { others | mask } else { others }, Relaxed);
    }

    fn guard_bits(&self) -> BTreeSet<u32> {
        let words = self.guard.all().iter().map(|word| word.load(Relaxed));
        let bits = words.enumerate().filter(|(_, word)| *word != 0).flat_map(|(at, word)| {
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| at as u32 * 64 + bit)
        });
        bits.collect()
    }
}

fn load<T: Wire>(words: &[AtomicU64]) -> T {
    let mut line: Line = [0; LINE_WORDS];
    for (value, word) in line.iter_mut().zip(words) {
        *value = word.load(Relaxed);
    }
    from_line(line)
}

fn store<T: Wire>(words: &[AtomicU64], value: &T) {
    for (word, value) in words.iter().zip(to_line(value)) {
        word.store(value, Relaxed);
    }
}
