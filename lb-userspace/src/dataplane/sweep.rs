//! Frees what nobody uses any more: entries of the flow table that were idle for too long, or whose
//! backend is gone, and clients that affinity need not remember.
//!
//! Packets change the tables meanwhile. A lane is freed by an exchange, and only as it was seen; whoever
//! succeeds keeps the books.

use std::{
    io,
    sync::atomic::{
        AtomicU64,
        Ordering::{Relaxed, SeqCst},
    },
};

use lb_common::{
    backend::BackendId,
    flow::{
        entry::{Entry, Epoch},
        hash::HashKey,
    },
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

/// Sets right what a daemon left that is gone: flows of backends that are not there any more are
/// freed, before others get their numbers, and where a writer died between an exchange and its entry
/// in the books, that entry is made.
///
/// Packets change the table meanwhile. A backend's count is compared only when `wait` has let packets
/// end that changed a lane before the first look, and when a second look finds the same flows. A
/// backend whose flows change is left alone.
pub(super) fn audit(
    flows: &Words,
    affinity: &Words,
    loads: &Loads,
    held: &Held,
    wait: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let is_orphan = |entry: Entry| !held.backends.contains_key(&entry.backend());
    for lane in flows.all() {
        if let Some(word) = free(lane, is_orphan) {
            settle(loads, word);
        }
    }
    for lane in affinity.all() {
        free(lane, is_orphan);
    }
    let first = look(flows, loads);
    if first.iter().zip(loads.counts()).all(|(found, counted)| found.live == counted) {
        return Ok(());
    }
    wait()?;
    let counted = loads.counts();
    let second = look(flows, loads);
    for (id, ((first, second), counted)) in (0..).zip(first.into_iter().zip(second).zip(counted)) {
        let is_still = first == second;
        if let Some(flows) = loads.flows(id).filter(|_| second.live != counted && is_still) {
            flows.fetch_add(second.live.wrapping_sub(counted), SeqCst);
            log::debug!("backend {id}: {counted} flows were counted, {} found", second.live);
        }
    }
    Ok(())
}

/// The live flows that a look at the table finds for a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Found {
    live: u64,
    /// Of which flow lies in which lane.
    digest: u64,
}

/// Indexed by backend.
fn look(table: &Words, loads: &Loads) -> Vec<Found> {
    let mut found = vec![Found::default(); loads.counts().len()];
    for (lane, word) in (1..).zip(table.all()) {
        let word = word.load(Relaxed);
        let backend = usize::from(Entry::live(word));
        if let Some(found) = found.get_mut(backend).filter(|_| backend != 0) {
            found.live += 1;
            let flow = found.digest.rotate_left(5) ^ Entry::distance(word, 0) ^ lane << 40;
            found.digest = flow.wrapping_mul(HashKey::MULTIPLIER);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use lb_common::{
        address::Address,
        backend::BackendEntry,
        flow::State,
        service::{Affinity, ServiceKey, ServiceSlot},
    };

    use super::*;

    const IDLE: [u16; 4] = [15, 100, 1000, 30];

    /// Backend 1 belongs to a service whose clients are remembered for 50 epochs.
    fn held() -> Held {
        let key = ServiceKey::service(Address::default(), [0, 80], 6);
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
        held
    }

    fn world() -> (Sweep, Words, Words, Loads) {
        let mut sweep = Sweep::default();
        sweep.follow(&held());
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

    /// A table with one live flow of backend 1, and the books of a daemon that left it.
    fn left_behind(counted: u64) -> (Held, Words, Words, Loads) {
        let (_, flows, affinity, loads) = world();
        put(&flows.all()[3], &loads, 1, State::Fresh, Epoch::new(9));
        put(&flows.all()[4], &loads, 1, State::Closing, Epoch::new(9));
        loads.flows(1).unwrap().store(counted, Relaxed);
        (held(), flows, affinity, loads)
    }

    #[test]
    fn an_audit_sets_a_wrong_count_right() {
        for counted in [0, 5, u64::MAX] {
            let (held, flows, affinity, loads) = left_behind(counted);
            loads.flows(2).unwrap().store(1, Relaxed);
            audit(&flows, &affinity, &loads, &held, || Ok(())).unwrap();
            assert_eq!(loads.counts()[..3], [0, 1, 0]);
        }
    }

    #[test]
    fn an_audit_waits_for_packets_that_have_yet_to_make_their_entry() {
        let (held, flows, affinity, loads) = left_behind(0);
        let packet_ends = || {
            loads.flows(1).unwrap().fetch_add(1, Relaxed);
            Ok(())
        };
        audit(&flows, &affinity, &loads, &held, packet_ends).unwrap();
        assert_eq!(loads.counts()[1], 1);
    }

    #[test]
    fn an_audit_takes_no_flow_for_missing_that_comes_or_goes_meanwhile() {
        let (held, flows, affinity, loads) = left_behind(5);
        let a_flow_closes_and_another_comes = || {
            put(&flows.all()[3], &loads, 1, State::Closing, Epoch::new(9));
            loads.flows(1).unwrap().fetch_sub(1, Relaxed);
            put(&flows.all()[9], &loads, 1, State::Fresh, Epoch::new(9));
            put(&flows.all()[2], &loads, 1, State::Fresh, Epoch::new(9));
            Ok(())
        };
        audit(&flows, &affinity, &loads, &held, a_flow_closes_and_another_comes).unwrap();
        assert_eq!(loads.counts()[1], 6, "four too many, as before");
        audit(&flows, &affinity, &loads, &held, || Ok(())).unwrap();
        assert_eq!(loads.counts()[1], 2);
    }

    #[test]
    fn flows_and_clients_of_a_number_that_nobody_has_are_gone_before_somebody_gets_it() {
        let (held, flows, affinity, loads) = left_behind(1);
        put(&flows.all()[9], &loads, 2, State::Established, Epoch::new(9));
        affinity.all()[9].store(flows.all()[9].load(Relaxed), Relaxed);
        audit(&flows, &affinity, &loads, &held, || Ok(())).unwrap();
        assert_eq!((flows.all()[9].load(Relaxed), affinity.all()[9].load(Relaxed)), (0, 0));
        assert_eq!(loads.counts()[..3], [0, 1, 0]);
    }
}
