//! Frees what nobody uses any more: entries of the flow table that were idle for too long, or whose
//! backend is gone, and clients that affinity need not remember.
//!
//! Packets change the tables meanwhile. A lane is freed by an exchange, and only as it was seen; whoever
//! succeeds keeps the books.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{Relaxed, SeqCst},
};

use lb_common::{
    backend::BackendId,
    flow::entry::{Entry, Epoch},
};

use super::{layout::Held, loads::Loads, memory::Words};

/// Lanes of a table looked at in one go, at most: about a millisecond's work.
const MOST_LANES: usize = 1 << 18;
/// In so many goes a table is swept once, unless it is larger than they can.
const GOES: usize = 40;

/// How long entries may be silent, and where the sweep is.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// Indexed by backend; none for one that is not there.
    idle: Vec<Option<Idle>>,
    flows_at: usize,
    affinity_at: usize,
}

/// The time-outs of a backend's service, in epochs.
#[derive(Debug, Clone, Copy)]
struct Idle {
    flows: [u16; 4],
    affinity: u16,
}

impl Sweep {
    /// Goes by the time-outs of these services from now on.
    pub(super) fn follow(&mut self, held: &Held) {
        let services = held.slots.values().filter(|slot| slot.selector.is_service());
        let idle: std::collections::BTreeMap<u16, Idle> = services
            .map(|slot| (slot.id, Idle { flows: slot.idle, affinity: slot.affinity.idle }))
            .collect();
        let most = held.backends.keys().next_back().copied().unwrap_or(0);
        self.idle = vec![None; usize::from(most) + 1];
        for (id, entry) in &held.backends {
            self.idle[usize::from(*id)] = idle.get(&entry.service).copied();
        }
    }

    /// Looks at the next part of both tables; how many lanes were freed.
    pub(super) fn go(
        &mut self,
        flows: &Words,
        affinity: &Words,
        loads: &Loads,
        now: Epoch,
    ) -> usize {
        let idle = |entry: Entry| self.idle.get(usize::from(entry.backend())).copied().flatten();
        let is_dead_flow = |entry: Entry| {
            idle(entry).is_none_or(|idle| entry.is_expired(now, idle.flows[entry.state() as usize]))
        };
        let is_forgotten =
            |entry: Entry| idle(entry).is_none_or(|idle| entry.is_expired(now, idle.affinity));
        let freed_flows = part(flows, self.flows_at)
            .iter()
            .filter(|lane| free(lane, is_dead_flow).is_some_and(|word| settle(loads, word)))
            .count();
        let freed_clients = part(affinity, self.affinity_at)
            .iter()
            .filter(|lane| free(lane, is_forgotten).is_some())
            .count();
        self.flows_at = next(flows, self.flows_at);
        self.affinity_at = next(affinity, self.affinity_at);
        freed_flows + freed_clients
    }
}

fn length(table: &Words) -> usize {
    table.all().len().div_ceil(GOES).clamp(1, MOST_LANES)
}

fn part(table: &Words, at: usize) -> &[AtomicU64] {
    let lanes = table.all();
    &lanes[at..lanes.len().min(at + length(table))]
}

fn next(table: &Words, at: usize) -> usize {
    let next = at + length(table);
    if next < table.all().len() { next } else { 0 }
}

/// Frees a lane if what it holds may go; the word that it held.
pub(super) fn free(lane: &AtomicU64, may_go: impl Fn(Entry) -> bool) -> Option<u64> {
    let word = lane.load(Relaxed);
    let goes = Entry::from_word(word).is_some_and(may_go);
    // A packet that was quicker has shown that the flow is alive.
    let freed = goes && lane.compare_exchange(word, 0, SeqCst, Relaxed).is_ok();
    freed.then_some(word)
}

/// Takes a freed flow out of the books; always true.
pub(super) fn settle(loads: &Loads, word: u64) -> bool {
    let backend: BackendId = Entry::live(word);
    if backend != 0
        && let Some(flows) = loads.flows(backend)
    {
        flows.fetch_sub(1, SeqCst);
    }
    true
}

/// Sets the books right after a writer that died between an exchange and its entry in them. A backend
/// whose count changes meanwhile has packets that keep it, and is left alone.
pub(super) fn audit(table: &Words, loads: &Loads, backends: impl Iterator<Item = BackendId>) {
    let ids: Vec<BackendId> = backends.collect();
    let count = |id: &BackendId| loads.flows(*id).map_or(0, |flows| flows.load(SeqCst));
    let before: Vec<u64> = ids.iter().map(count).collect();
    let mut found = std::collections::BTreeMap::<BackendId, u64>::new();
    for lane in table.all() {
        *found.entry(Entry::live(lane.load(Relaxed))).or_default() += 1;
    }
    for (id, before) in ids.into_iter().zip(before) {
        let found = found.get(&id).copied().unwrap_or(0);
        if let Some(flows) = loads.flows(id).filter(|_| found != before) {
            let mended = flows.compare_exchange(before, found, SeqCst, Relaxed).is_ok();
            log::debug!("backend {id}: {before} flows counted, {found} found, mended: {mended}");
        }
    }
}

#[cfg(test)]
mod tests {
    use lb_common::{
        backend::BackendEntry,
        flow::State,
        service::{Affinity, ServiceKey, ServiceSlot},
    };

    use super::*;

    const IDLE: [u16; 4] = [15, 100, 1000, 30];

    /// Backend 1 belongs to a service whose clients are remembered for 50 epochs.
    fn world() -> (Sweep, Words, Words, Loads) {
        let key = ServiceKey::service(Default::default(), [0, 80], 6);
        let affinity = Affinity { prefix4: 32, prefix6: 128, idle: 50 };
        let slot = ServiceSlot {
            selector: key.selector,
            id: 7,
            idle: IDLE,
            affinity,
            ..Default::default()
        };
        let backend = BackendEntry { service: 7, ..BackendEntry::default() };
        let mut held = Held::default();
        held.slots.insert(0, slot);
        held.backends.insert(1, backend);
        let mut sweep = Sweep::default();
        sweep.follow(&held);
        (sweep, Words::anonymous(8192), Words::anonymous(4096), Loads::new(Words::anonymous(64)))
    }

    fn put(lane: &AtomicU64, loads: &Loads, backend: BackendId, state: State, epoch: Epoch) {
        let entry = Entry::new(1 << 40, backend, state, epoch);
        lane.store(entry.word(), Relaxed);
        loads.flows(backend).unwrap().fetch_add(u64::from(Entry::live(entry.word()) != 0), Relaxed);
    }

    #[test]
    fn a_flow_goes_when_it_was_silent_for_longer_than_its_state_allows_and_the_count_with_it() {
        let (mut sweep, flows, affinity, loads) = world();
        let now = Epoch::new(2000);
        let states = [State::Opening, State::Fresh, State::Established, State::Closing];
        for (at, state) in states.into_iter().enumerate() {
            let limit = u64::from(IDLE[state as usize]);
            put(&flows.all()[2 * at], &loads, 1, state, Epoch::new(2000 - limit));
            put(&flows.all()[2 * at + 1], &loads, 1, state, Epoch::new(2000 - limit - 1));
        }
        assert_eq!(loads.flows(1).unwrap().load(Relaxed), 6);
        for _ in 0..GOES {
            sweep.go(&flows, &affinity, &loads, now);
        }
        let held: Vec<bool> = flows.all()[..8].iter().map(|lane| lane.load(Relaxed) != 0).collect();
        assert_eq!(held, [true, false].repeat(4));
        assert_eq!(loads.flows(1).unwrap().load(Relaxed), 3, "the one that closes is not counted");
    }

    #[test]
    fn a_flow_of_a_moment_that_is_yet_to_come_for_this_clock_stays() {
        let (mut sweep, flows, affinity, loads) = world();
        put(&flows.all()[0], &loads, 1, State::Opening, Epoch::new(4097));
        for _ in 0..GOES {
            sweep.go(&flows, &affinity, &loads, Epoch::new(4096));
        }
        assert_ne!(flows.all()[0].load(Relaxed), 0);
    }

    #[test]
    fn flows_of_a_backend_that_is_gone_go() {
        let (mut sweep, flows, affinity, loads) = world();
        put(&flows.all()[0], &loads, 2, State::Established, Epoch::new(9));
        for _ in 0..GOES {
            sweep.go(&flows, &affinity, &loads, Epoch::new(9));
        }
        assert_eq!(flows.all()[0].load(Relaxed), 0);
        assert_eq!(loads.flows(2).unwrap().load(Relaxed), 0);
    }

    #[test]
    fn a_client_is_forgotten_after_its_service_s_time_and_is_no_flow() {
        let (mut sweep, flows, affinity, loads) = world();
        for (lane, age) in affinity.all().iter().zip([50, 51]) {
            let entry = Entry::new(1 << 40, 1, State::Established, Epoch::new(2000 - age));
            lane.store(entry.word(), Relaxed);
        }
        for _ in 0..GOES {
            sweep.go(&flows, &affinity, &loads, Epoch::new(2000));
        }
        let held: Vec<bool> =
            affinity.all()[..2].iter().map(|lane| lane.load(Relaxed) != 0).collect();
        assert_eq!(held, [true, false]);
        assert_eq!(loads.flows(1).unwrap().load(Relaxed), 0);
    }

    #[test]
    fn one_pass_over_a_table_looks_at_every_lane() {
        let (mut sweep, flows, affinity, loads) = world();
        for lane in flows.all() {
            put(lane, &loads, 1, State::Opening, Epoch::new(9));
        }
        let freed: usize =
            (0..GOES).map(|_| sweep.go(&flows, &affinity, &loads, Epoch::new(100))).sum();
        assert_eq!(freed, flows.all().len());
        assert_eq!(loads.flows(1).unwrap().load(Relaxed), 0);
    }

    #[test]
    fn an_audit_sets_a_wrong_count_right() {
        let (_, flows, _, loads) = world();
        put(&flows.all()[3], &loads, 1, State::Fresh, Epoch::new(9));
        put(&flows.all()[4], &loads, 1, State::Closing, Epoch::new(9));
        loads.flows(1).unwrap().store(5, Relaxed);
        loads.flows(2).unwrap().store(1, Relaxed);
        audit(&flows, &loads, [1, 2].into_iter());
        assert_eq!(loads.flows(1).unwrap().load(Relaxed), 1);
        assert_eq!(loads.flows(2).unwrap().load(Relaxed), 0);
    }
}
