//! Which backend a packet's flow has, and what the flow table remembers of it.
//!
//! Entries are changed by one exchange; whoever succeeds keeps the books: the live flows of a
//! backend are the entries that say so, at any time.

use crate::{
    backend::{BackendEntry, BackendId},
    flow::{
        Entry, Epoch, State,
        bucket::{self, Admission, Bucket},
        entry::Signal,
        hash::FlowKey,
    },
    packet::transport::UDP,
    pipeline::{Arrival, Maps, Steps, Table},
    schedule::{self, Request},
    service::ServiceSlot,
    verdict::Verdict,
};

/// The backend of a packet.
pub struct Choice<'a> {
    /// Its number.
    pub id: BackendId,
    /// Its entry.
    pub backend: &'a BackendEntry,
    /// What the packet is to its counters.
    pub arrival: Arrival,
}

/// What is to be done with a packet.
pub enum Fate<'a> {
    /// Send it to this backend.
    Forward(Choice<'a>),
    /// Tell the client that its flow is over.
    Reset,
}

/// The backend of a flow: the one it has, or the one the scheduler gives it.
#[inline(always)]
pub fn follow<'a, M: Steps>(
    maps: &'a M,
    service: &ServiceSlot,
    key: &FlowKey,
    signal: Signal,
) -> Result<Fate<'a>, Verdict> {
    let hash = maps.settings().hash_key.flow(key);
    let now = maps.now();
    let bucket = bucket_of(maps, Table::Flows, hash).ok_or(Verdict::NoBackend)?;
    let held = bucket::find(&bucket, hash);
    if let Some((lane, entry)) = held
        && keeps(entry, signal, now, &service.idle)
    {
        if let Some(backend) = usable(maps, service, entry.backend())
            && backend.flags & BackendEntry::LEAVING == 0
        {
            let next = entry.after(signal, now);
            if next != entry {
                replace(maps, &bucket, lane, entry, next);
            }
            let opened = entry.state() == State::Opening && next.state() == State::Fresh;
            let arrival = if opened { Arrival::New } else { Arrival::Known };
            return Ok(Fate::Forward(Choice { id: entry.backend(), backend, arrival }));
        }
        if service.flags & ServiceSlot::RESETS != 0 && signal != Signal::Opens {
            replace(maps, &bucket, lane, entry, entry.after(Signal::Ends, now));
            return Ok(Fate::Reset);
        }
    }
    let (id, arrival) = maps.assign(service, &NewFlow { key, hash, held, signal })?;
    let backend = usable(maps, service, id).ok_or(Verdict::NoBackend)?;
    Ok(Fate::Forward(Choice { id, backend, arrival }))
}

/// The bucket for a hash.
#[inline(always)]
pub(crate) fn bucket_of<M: Maps>(maps: &M, table: Table, hash: u64) -> Option<M::Bucket<'_>> {
    let settings = maps.settings();
    let mask = match table {
        Table::Flows => settings.bucket_mask,
        Table::Affinity => settings.affinity_mask,
    };
    maps.bucket(table, hash as u32 & mask)
}

/// Finds a lane for a new entry, as [`bucket::admit`] does.
#[inline(always)]
pub fn admit<M: Maps>(maps: &M, table: Table, entry: Entry, hash: u64, now: Epoch) -> Admission {
    match bucket_of(maps, table, hash) {
        Some(bucket) => bucket::admit(&bucket, entry, now),
        None => Admission::Full,
    }
}

/// True when a packet follows the entry of its flow. A SYN asks the scheduler, as clients use ports
/// again, unless it repeats the one that opened the flow, or comes into the middle of a flow that
/// talks: then the backend will say what is to become of it (RFC 9293, section 3.10.7.4).
#[inline(always)]
fn keeps(entry: Entry, signal: Signal, now: Epoch, idle: &[u16; 4]) -> bool {
    let repeats = signal != Signal::Opens
        || entry.state() == State::Opening
        || entry.state() == State::Established && entry.is_recent(now);
    repeats && !entry.is_idle(now, idle)
}

/// The entry of a backend of this service that takes packets.
#[inline(always)]
fn usable<'a, M: Maps>(
    maps: &'a M,
    service: &ServiceSlot,
    id: BackendId,
) -> Option<&'a BackendEntry> {
    let backend = maps.backend(id)?;
    let serves = backend.service == service.id && backend.flags & BackendEntry::USABLE != 0;
    if serves { Some(backend) } else { None }
}

/// Changes the entry of a flow, and the books with it.
#[inline(always)]
fn replace<M: Maps>(maps: &M, bucket: &M::Bucket<'_>, lane: usize, old: Entry, new: Entry) {
    if bucket.exchange(lane, old.word(), new.word()) {
        settle(maps, Entry::live(old.word()), Entry::live(new.word()));
    }
}

#[inline(always)]
fn settle<M: Maps>(maps: &M, old: BackendId, new: BackendId) {
    if old != new {
        if old != 0 {
            maps.add_flows(old, -1);
        }
        if new != 0 {
            maps.add_flows(new, 1);
        }
    }
}

/// The first packet of a flow, or the first after its backend was gone.
#[derive(Clone, Copy, Debug)]
pub struct NewFlow<'a> {
    /// The flow.
    pub key: &'a FlowKey,
    /// Its hash.
    pub hash: u64,
    /// Its lane in the flow table, and the entry there that it does not follow.
    pub held: Option<(usize, Entry)>,
    /// What the packet means for it.
    pub signal: Signal,
}

/// Gives a new flow its backend, and remembers it where a hash alone does not tell.
#[inline(always)]
pub fn assign<M: Steps>(
    maps: &M,
    service: &ServiceSlot,
    flow: &NewFlow<'_>,
) -> Result<(BackendId, Arrival), Verdict> {
    let NewFlow { key, hash, held, signal } = *flow;
    let (opens, ends) = (signal == Signal::Opens, signal == Signal::Ends);
    let now = maps.now();
    let client = schedule::client_hash(&maps.settings().hash_key, service, key, hash);
    let consistent = schedule::consistent(maps, service, client).ok_or(Verdict::NoBackend)?;
    // A packet in the middle of a flow that has no entry: its first one found no room for it, and
    // since then the flow follows its hash.
    let is_first = held.is_some() || opens || key.protocol == u32::from(UDP);
    let is_stateful = service.flags & ServiceSlot::STATEFUL != 0;
    let id = if is_stateful && is_first {
        schedule::choose(maps, service, &Request { flow: hash, client, now })?
    } else {
        consistent
    };
    let state = match held {
        _ if opens => State::Opening,
        _ if ends => State::Closing,
        Some((_, old)) => moved(old.state()),
        None => State::Fresh,
    };
    let entry = Entry::new(hash, id, state, now);
    let counted = if opens || ends { Arrival::Known } else { Arrival::New };
    if let Some((lane, old)) = held {
        let bucket = bucket_of(maps, Table::Flows, hash).ok_or(Verdict::NoBackend)?;
        replace(maps, &bucket, lane, old, entry);
        return Ok((id, counted));
    }
    // Consistent hashing answers a SYN and the packet after it alike: a flood of SYNs needs no
    // entries, and an entry says that somebody went on talking.
    if ends || opens && !is_stateful {
        return Ok((id, Arrival::Known));
    }
    match maps.admit(Table::Flows, entry, hash, now) {
        Admission::Stored(evicted) => {
            let loser = Entry::live(evicted);
            if loser != 0 {
                maps.count_evicted(loser);
            }
            settle(maps, loser, id);
            Ok((id, counted))
        }
        // What cannot be remembered must be found again by its hash alone.
        Admission::Full if opens => Ok((consistent, Arrival::Known)),
        Admission::Full => Ok((consistent, Arrival::Untracked)),
    }
}

/// A flow that has earned its place keeps it when its backend is gone.
#[inline(always)]
const fn moved(state: State) -> State {
    match state {
        State::Opening | State::Fresh => State::Fresh,
        State::Established => State::Established,
        State::Closing => State::Closing,
    }
}
