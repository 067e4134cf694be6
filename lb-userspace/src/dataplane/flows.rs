//! The flow table as userspace sees it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use lb_common::{backend::BackendId, flow::entry::Entry};

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

#[cfg(test)]
mod tests {
    use lb_common::flow::entry::{Epoch, State};

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
}
