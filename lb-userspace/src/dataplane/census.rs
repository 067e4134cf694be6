//! The flow table, counted.

use std::{collections::BTreeMap, sync::atomic::Ordering::Relaxed, time::Duration};

use lb_common::{
    backend::BackendId,
    flow::entry::{Entry, Epoch, State},
};

use super::memory::Words;

/// The flows of a backend that have an entry in the flow table, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// By how far they have come, indexed by [`State`].
    pub states: [u64; 4],
    /// By the time since the last packet: below each of [`Census::AGES`], and above all of them.
    pub ages: [u64; Census::AGES.len() + 1],
}

impl Census {
    /// What separates the ages.
    pub const AGES: [Duration; 4] = [
        Duration::from_secs(10),
        Duration::from_mins(1),
        Duration::from_mins(10),
        Duration::from_hours(1),
    ];

    /// How many live flows there are: those that do not close.
    pub fn live(&self) -> u64 {
        self.states.iter().sum::<u64>() - self.states[State::Closing as usize]
    }

    fn count(&mut self, state: State, age: Duration) {
        self.states[state as usize] += 1;
        self.ages[Self::AGES.iter().take_while(|bound| age >= **bound).count()] += 1;
    }
}

/// The flows of each backend.
pub(super) fn of(table: &Words, now: Epoch, epoch: Duration) -> BTreeMap<BackendId, Census> {
    let mut census: BTreeMap<BackendId, Census> = BTreeMap::new();
    for entry in table.all().iter().filter_map(|lane| Entry::from_word(lane.load(Relaxed))) {
        let age = epoch * u32::from(entry.silent_for(now));
        census.entry(entry.backend()).or_default().count(entry.state(), age);
    }
    census
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn every_flow_is_counted_once_by_state_and_once_by_age() {
        let table = Words::anonymous(4096);
        let now = Epoch::new(1000);
        // Ages in epochs of four seconds: 8 s, 12 s, 60 s, 600 s, 3600 s.
        let flows = [
            (1, State::Established, 2),
            (1, State::Fresh, 3),
            (1, State::Established, 15),
            (1, State::Closing, 150),
            (1, State::Established, 900),
            (2, State::Opening, 0),
        ];
        for (lane, (at, (backend, state, age))) in table.all().iter().zip((0..).zip(flows)) {
            let entry = Entry::new(at << 40, backend, state, Epoch::new(1000 - age));
            lane.store(entry.word(), Relaxed);
        }
        let epoch = Duration::from_secs(4);
        let census = of(&table, now, epoch);
        assert_eq!(census.keys().collect::<Vec<_>>(), [&1, &2]);
        assert_eq!(census[&1], Census { states: [0, 1, 3, 1], ages: [1, 1, 1, 1, 1] });
        assert_eq!((census[&2].live(), census[&2].ages), (1, [1, 0, 0, 0, 0]));
    }
}
