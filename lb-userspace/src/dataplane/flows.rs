//! The flow table as userspace sees it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use lb_common::{
    backend::BackendId,
    flow::entry::{Entry, Epoch, State},
};

use super::memory::Words;

/// Frees the lanes of flows of these backends; how many there were.
///
/// Packets change lanes meanwhile: a lane is freed only as it was seen, or looked at again.
pub(super) fn sweep(table: &Words, retired: &BTreeSet<BackendId>) -> u64 {
    let is_retired =
        |word: u64| Entry::from_word(word).is_some_and(|entry| retired.contains(&entry.backend()));
    let free = |lane: &&AtomicU64| {
        lane.fetch_update(Relaxed, Relaxed, |word| is_retired(word).then_some(0)).is_ok()
    };
    table.all().iter().filter(free).count() as u64
}

/// The flows of each backend that are not idle.
pub(super) fn live(table: &Words, is_live: impl Fn(Entry) -> bool) -> BTreeMap<BackendId, u64> {
    let mut flows = BTreeMap::new();
    let entries = table.all().iter().filter_map(|lane| Entry::from_word(lane.load(Relaxed)));
    for entry in entries.filter(|entry| is_live(*entry)) {
        *flows.entry(entry.backend()).or_default() += 1;
    }
    flows
}

/// The live flows of a backend, counted.
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

    /// How many flows there are.
    pub fn live(&self) -> u64 {
        self.states.iter().sum()
    }

    fn count(&mut self, state: State, age: Duration) {
        self.states[state as usize] += 1;
        self.ages[Self::AGES.iter().take_while(|bound| age >= **bound).count()] += 1;
    }
}

/// The flows of each backend that are not idle, counted by state and age.
pub(super) fn census(
    table: &Words,
    now: Epoch,
    epoch: Duration,
    is_live: impl Fn(Entry) -> bool,
) -> BTreeMap<BackendId, Census> {
    let mut census: BTreeMap<BackendId, Census> = BTreeMap::new();
    let entries = table.all().iter().filter_map(|lane| Entry::from_word(lane.load(Relaxed)));
    for entry in entries.filter(|entry| is_live(*entry)) {
        let age = epoch * u32::from(now.since(entry.epoch()));
        census.entry(entry.backend()).or_default().count(entry.state(), age);
    }
    census
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn a_sweep_frees_the_flows_of_retired_backends_and_no_others() {
        let table = Words::anonymous(4096);
        for (at, lane) in table.all().iter().enumerate().take(300) {
            let backend = 1 + at as u16 % 3;
            let hash = (at as u64) << 40;
            lane.store(Entry::new(hash, backend, State::Fresh, Epoch::new(5)).word(), Relaxed);
        }
        assert_eq!(sweep(&table, &[2].into()), 100);
        assert_eq!(live(&table, |_| true), [(1, 100), (3, 100)].into());
        assert_eq!(sweep(&table, &[2].into()), 0);
    }

    #[test]
    fn every_live_flow_is_counted_once_by_state_and_once_by_age() {
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
            (3, State::Opening, 0),
        ];
        for (lane, (at, (backend, state, age))) in table.all().iter().zip((0..).zip(flows)) {
            let entry = Entry::new(at << 40, backend, state, Epoch::new(1000 - age));
            lane.store(entry.word(), Relaxed);
        }
        let epoch = Duration::from_secs(4);
        let census = census(&table, now, epoch, |entry| entry.backend() != 3);
        assert_eq!(census.keys().collect::<Vec<_>>(), [&1, &2]);
        assert_eq!(census[&1], Census { states: [0, 1, 3, 1], ages: [1, 1, 1, 1, 1] });
        assert_eq!((census[&2].live(), census[&2].ages), (1, [1, 0, 0, 0, 0]));
    }
}
