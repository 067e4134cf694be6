//! A bucket of the flow table: eight lanes in one cache line, shared by all CPUs.

use super::{Entry, Epoch, State, entry::SILENT};
use crate::branchless::{less, select};

/// Entries in a bucket.
pub const LANES: usize = 8;

/// The eight words of a bucket. Others change them at any time: what was loaded may be gone, and
/// only an exchange tells.
pub trait Bucket {
    /// The word of a lane, in one load.
    fn load(&self, lane: usize) -> u64;

    /// Stores `new` if the lane still holds `old`, in one step; tells whether it did.
    fn exchange(&self, lane: usize, old: u64, new: u64) -> bool;
}

/// Finds the entry of the flow with this hash.
#[inline(always)]
pub fn find<B: Bucket>(bucket: &B, hash: u64) -> Option<(usize, Entry)> {
    let (mut lane, mut word) = (0, 0);
    for candidate in 0..LANES {
        let held = bucket.load(candidate);
        let matches = less(Entry::distance(held, hash), 1);
        lane = select(matches, candidate as u64, lane);
        word = select(matches, held, word);
    }
    Entry::from_word(word).map(|entry| (lane as usize, entry))
}

/// What became of a new flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    /// It has a lane, which held this word before; 0 if it was free.
    Stored(u64),
    /// The bucket is full of flows that stay.
    Full,
}

/// Finds a lane for a new flow and stores its entry there.
///
/// In this order: a free lane; one whose flow has been silent for a whole epoch, if it only opened,
/// or is closing, or never lived over an epoch's end; and one whose flow is closing. An established
/// flow stays, whatever comes: a flood of new flows moves nobody's connection. When it has been idle
/// for too long is for userspace to tell, which knows its service.
#[inline(always)]
pub fn admit<B: Bucket>(bucket: &B, new: Entry, now: Epoch) -> Admission {
    let (mut best, mut lane, mut word) = (RANK_STAYS, 0, 0);
    for candidate in 0..LANES {
        let held = bucket.load(candidate);
        let rank = rank(held, now);
        let better = less(rank, best);
        best = select(better, rank, best);
        lane = select(better, candidate as u64, lane);
        word = select(better, held, word);
    }
    if best < RANK_STAYS && bucket.exchange(lane as usize, word, new.word()) {
        Admission::Stored(word)
    } else {
        Admission::Full
    }
}

const RANK_FREE: u64 = 0;
const RANK_OPENING: u64 = 1;
const RANK_CLOSING: u64 = 2;
const RANK_UNPROVEN: u64 = 3;
const RANK_CLOSING_NOW: u64 = 4;
const RANK_STAYS: u64 = 5;

/// The rank of each state, four bits each at the state's number, once its flow has been silent.
const SILENT_RANKS: u64 = RANK_OPENING << (State::Opening as u64 * 4)
    | RANK_UNPROVEN << (State::Fresh as u64 * 4)
    | RANK_STAYS << (State::Established as u64 * 4)
    | RANK_CLOSING << (State::Closing as u64 * 4);

/// The rank of each state while its flow is heard of: a newcomer cannot have proven itself yet.
const RANKS: u64 = RANK_STAYS << (State::Opening as u64 * 4)
    | RANK_STAYS << (State::Fresh as u64 * 4)
    | RANK_STAYS << (State::Established as u64 * 4)
    | RANK_CLOSING_NOW << (State::Closing as u64 * 4);

/// How readily a lane gives way; lowest first.
#[inline(always)]
fn rank(word: u64, now: Epoch) -> u64 {
    let (state, age) = Entry::state_and_age(word, now);
    let ranks = select(less(age, SILENT.into()), RANKS, SILENT_RANKS);
    select(less(Entry::occupied(word), 1), RANK_FREE, ranks >> (state * 4) & 0xf)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::{cell::Cell, vec::Vec};

    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Cells([Cell<u64>; LANES]);

    impl Bucket for Cells {
        fn load(&self, lane: usize) -> u64 {
            self.0[lane].get()
        }

        fn exchange(&self, lane: usize, old: u64, new: u64) -> bool {
            let holds = self.0[lane].get() == old;
            if holds {
                self.0[lane].set(new);
            }
            holds
        }
    }

    const STATES: [State; 4] = [State::Opening, State::Fresh, State::Established, State::Closing];

    fn flow(number: u64) -> u64 {
        number << 40
    }

    /// What the doc comment of `admit` says, told plainly.
    fn gives_way(word: u64, now: Epoch) -> Option<u8> {
        let Some(entry) = Entry::from_word(word) else { return Some(0) };
        match (entry.state(), now.since(entry.epoch()) >= 2) {
            (State::Opening, true) => Some(1),
            (State::Closing, true) => Some(2),
            (State::Fresh, true) => Some(3),
            (State::Closing, false) => Some(4),
            (State::Opening | State::Fresh, false) | (State::Established, _) => None,
        }
    }

    proptest! {
        #[test]
        fn a_new_flow_takes_the_lane_that_gives_way_most_readily_or_none(
            lanes in proptest::collection::vec(
                proptest::option::weighted(0.9, (0usize..4, 0u64..4)), LANES),
            now in 1200u64..100_000,
        ) {
            let bucket = Cells::default();
            for (lane, entry) in lanes.iter().enumerate() {
                if let Some((state, age)) = entry {
                    let epoch = Epoch::new(now - age);
                    let entry = Entry::new(flow(lane as u64 + 1), 7, STATES[*state], epoch);
                    bucket.0[lane].set(entry.word());
                }
            }
            let before: Vec<u64> = bucket.0.iter().map(Cell::get).collect();
            let now = Epoch::new(now);
            let readiest = before.iter().filter_map(|word| gives_way(*word, now)).min();
            let new = Entry::new(flow(99), 9, State::Fresh, now);

            let admission = admit(&bucket, new, now);
            prop_assert_eq!(admission == Admission::Full, readiest.is_none());
            let changed: Vec<usize> =
                (0..LANES).filter(|lane| bucket.0[*lane].get() != before[*lane]).collect();
            prop_assert_eq!(changed.len(), usize::from(readiest.is_some()));
            for lane in changed {
                prop_assert_eq!(admission, Admission::Stored(before[lane]));
                prop_assert_eq!(gives_way(before[lane], now), readiest);
                prop_assert_eq!(find(&bucket, flow(99)), Some((lane, new)));
            }
        }
    }

    #[test]
    fn a_flood_of_new_flows_evicts_no_flow_that_has_lived_over_an_epoch() {
        let bucket = Cells::default();
        let start = Epoch::new(10);
        for number in 1..=LANES as u64 {
            let entry = Entry::new(flow(number), 7, State::Established, start);
            assert_eq!(admit(&bucket, entry, start), Admission::Stored(0));
        }
        for number in 100..10_000 {
            let now = Epoch::new(10 + number / 20);
            let flood = Entry::new(flow(number), 9, State::Fresh, now);
            assert_eq!(admit(&bucket, flood, now), Admission::Full);
        }
        assert!((1..=LANES as u64).all(|number| find(&bucket, flow(number)).is_some()));
    }

    #[test]
    fn a_flow_that_was_stored_twice_is_still_one_entry_of_the_table() {
        let bucket = Cells::default();
        for (lane, backend) in [(2, 3), (5, 4)] {
            bucket.0[lane].set(Entry::new(flow(1), backend, State::Fresh, Epoch::new(1)).word());
        }
        let (lane, entry) = find(&bucket, flow(1)).unwrap();
        assert_eq!(bucket.load(lane), entry.word());
    }
}
