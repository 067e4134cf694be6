//! How busy each backend is: `LOADS`, which packets and the sweep keep.

use std::{
    collections::BTreeMap,
    sync::atomic::{
        AtomicU64,
        Ordering::{Relaxed, SeqCst},
    },
};

use lb_common::backend::{BackendId, Load};

use super::memory::Words;
use crate::state::Share;

/// Words of a value: live flows; weight and most.
const VALUE_WORDS: usize = size_of::<Load>() / 8;

/// The map of all [`Load`]s.
#[derive(Debug)]
pub(super) struct Loads(Words);

impl Loads {
    pub(super) fn new(words: Words) -> Self {
        Self(words)
    }

    /// All of it.
    #[cfg(test)]
    pub(super) fn words(&self) -> &Words {
        &self.0
    }

    /// The count of a backend's live flows. Whoever changes an entry of the flow table, by the exchange
    /// that succeeds, changes it.
    pub(super) fn flows(&self, id: BackendId) -> Option<&AtomicU64> {
        self.0.all().get(usize::from(id) * VALUE_WORDS)
    }

    /// All counts, indexed by backend.
    pub(super) fn counts(&self) -> Vec<u64> {
        self.0.all().chunks_exact(VALUE_WORDS).map(|value| value[0].load(SeqCst)).collect()
    }

    /// Begins at zero again for a backend that takes over an id.
    pub(super) fn clear(&self, id: BackendId) {
        if let Some(flows) = self.flows(id) {
            flows.store(0, Relaxed);
        }
    }

    /// Replaces what a backend's flows are weighed against.
    pub(super) fn share(&self, id: BackendId, share: Share) {
        if let Some(word) = self.0.all().get(usize::from(id) * VALUE_WORDS + 1) {
            word.store(u64::from(share.weight) | u64::from(share.most) << 32, Relaxed);
        }
    }

    /// All shares that are not zero.
    pub(super) fn shares(&self) -> BTreeMap<BackendId, Share> {
        let values = self.0.all().chunks_exact(VALUE_WORDS).enumerate();
        let share = |(id, value): (usize, &[AtomicU64])| {
            let word = value[1].load(Relaxed);
            let share = Share { weight: word as u32, most: (word >> 32) as u32 };
            (word != 0).then_some((BackendId::try_from(id).ok()?, share))
        };
        values.filter_map(share).collect()
    }
}
