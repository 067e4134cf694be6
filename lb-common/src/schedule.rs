//! Which backend a new flow gets.
//!
//! Every service has a Maglev table, whatever its scheduler: it answers each packet of a flow alike
//! without any memory, and so takes over wherever the flow table has no room to remember a choice.

use crate::{
    address::Address,
    backend::{BackendEntry, BackendId, Load},
    branchless::{less, select},
    flow::{
        Entry, Epoch, State,
        bucket::{self, Bucket as _},
        entry::Signal,
        hash::{FlowKey, HashKey},
    },
    maglev::Region,
    pipeline::{Maps, Steps, Table},
    rotation::Rotation,
    service::{Scheduler, ServiceSlot},
    track::bucket_of,
    verdict::Verdict,
};

/// How many backends are compared for one new flow. A service with more of them compares as many in
/// a row, from a place that the flow's hash picks.
pub const COMPARED: u32 = 32;

/// A new flow that asks for a backend.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The hash of all of the flow.
    pub flow: u64,
    /// The hash of what its service calls a client.
    pub client: u64,
    /// The present epoch.
    pub now: Epoch,
}

/// The hash of what consistent hashing looks at: with affinity the client's prefix, else the fields
/// that the service names.
#[inline(always)]
pub fn client_hash(key: &HashKey, service: &ServiceSlot, flow: &FlowKey, hash: u64) -> u64 {
    if service.affinity.prefix4 != 0 {
        let source = flow.source.prefix(service.affinity.prefix4, service.affinity.prefix6);
        // Two services may remember one client by different backends.
        let ports = u32::from(service.id);
        return key.flow(&FlowKey { source, ports, ..FlowKey::default() });
    }
    if service.hash == 0 {
        return hash;
    }
    let destination = service.hash & ServiceSlot::BY_DESTINATION != 0;
    let port = service.hash & ServiceSlot::BY_DESTINATION_PORT != 0;
    key.flow(&FlowKey {
        source: flow.source,
        destination: if destination { flow.destination } else { Address::default() },
        ports: if port { flow.ports & DESTINATION_PORT } else { 0 },
        protocol: if port { flow.protocol } else { 0 },
    })
}

/// The bytes of the destination port in [`FlowKey::ports`].
const DESTINATION_PORT: u32 = u32::from_ne_bytes([0, 0, 0xff, 0xff]);

/// The backend that a hash alone picks: the same for every packet with this hash.
#[inline(always)]
pub fn consistent<M: Maps>(maps: &M, service: &ServiceSlot, hash: u64) -> Option<BackendId> {
    let (chunk, slot) = Region::from_word(service.maglev)?.pick(hash);
    maps.slot(chunk, slot)
}

/// The backend that the service's scheduler gives a new flow, which will be remembered: the one that
/// the client has, or else the scheduler's own choice.
#[inline(always)]
pub fn choose<M: Steps>(
    maps: &M,
    service: &ServiceSlot,
    request: &Request,
) -> Result<BackendId, Verdict> {
    if service.affinity.prefix4 == 0 {
        return new_choice(maps, service, request);
    }
    let bucket = bucket_of(maps, Table::Affinity, request.client).ok_or(Verdict::NoBackend)?;
    let remembered = bucket::find(&bucket, request.client);
    if let Some((lane, entry)) = remembered
        && request.now.since(entry.epoch()) <= service.affinity.idle
        && is_open(maps, service, entry.backend())
    {
        let next = entry.after(Signal::Continues, request.now);
        if next != entry {
            bucket.exchange(lane, entry.word(), next.word());
        }
        return Ok(entry.backend());
    }
    let id = new_choice(maps, service, request)?;
    let entry = Entry::new(request.client, id, State::Fresh, request.now);
    match remembered {
        Some((lane, old)) => {
            bucket.exchange(lane, old.word(), entry.word());
        }
        // Without room the client still meets its backend by its hash.
        None => drop(maps.admit(Table::Affinity, entry, request.client, request.now)),
    }
    Ok(id)
}

/// True of a backend of this service that takes one more flow.
#[inline(always)]
fn is_open<M: Maps>(maps: &M, service: &ServiceSlot, id: BackendId) -> bool {
    let Some(backend) = maps.backend(id) else { return false };
    let open = backend.service == service.id && backend.flags & BackendEntry::OPEN != 0;
    open && has_room(maps, service, id)
}

#[inline(always)]
fn has_room<M: Maps>(maps: &M, service: &ServiceSlot, id: BackendId) -> bool {
    service.flags & ServiceSlot::LIMITED == 0 || maps.load(id).is_some_and(|load| load.has_room())
}

#[inline(always)]
fn new_choice<M: Steps>(
    maps: &M,
    service: &ServiceSlot,
    request: &Request,
) -> Result<BackendId, Verdict> {
    let id = if service.scheduler == Scheduler::Rotation as u8 {
        next_turn(maps, service)
    } else if service.scheduler == Scheduler::LeastFlows as u8 {
        None
    } else if service.scheduler == Scheduler::TwoChoices as u8 {
        better_of_two(maps, service, request.client)
    } else {
        consistent(maps, service, request.client)
    };
    if let Some(id) = id
        && has_room(maps, service, id)
    {
        return Ok(id);
    }
    let rotation = Rotation::from_word(service.rotation).ok_or(Verdict::NoBackend)?;
    let start = if rotation.turns() <= COMPARED {
        maps.next_turn(service.id).ok_or(Verdict::NoBackend)?
    } else {
        (request.flow >> 32) as u32
    };
    maps.least_flows(rotation, start).ok_or(Verdict::BackendsFull)
}

#[inline(always)]
fn next_turn<M: Maps>(maps: &M, service: &ServiceSlot) -> Option<BackendId> {
    let rotation = Rotation::from_word(service.rotation)?;
    let turn = rotation.turn(maps.next_turn(service.id)?)?;
    let (chunk, slot) = rotation.place(turn);
    maps.slot(chunk, slot)
}

/// Of two backends that the hash picks by weight, the one with fewer flows for its weight.
#[inline(always)]
fn better_of_two<M: Maps>(maps: &M, service: &ServiceSlot, hash: u64) -> Option<BackendId> {
    let first = consistent(maps, service, hash)?;
    let second = consistent(maps, service, hash.wrapping_mul(HashKey::MULTIPLIER))?;
    let least = Least::NONE.or(first, &maps.load(first)?).or(second, &maps.load(second)?);
    least.id().or(Some(first))
}

/// The backend with the fewest live flows for its weight, of as many as are [`COMPARED`], and of
/// equal ones the first from `start` on; `None` when none has room.
#[inline(always)]
pub fn least_flows<M: Maps>(maps: &M, rotation: Rotation, start: u32) -> Option<BackendId> {
    let turns = rotation.turns();
    let mut turn = rotation.turn(start)?;
    let mut least = Least::NONE;
    let mut compared = 0;
    while compared < COMPARED && compared < turns {
        let (chunk, slot) = rotation.place(turn);
        let id = maps.slot(chunk, slot)?;
        least = least.or(id, &maps.load(id)?);
        let next = u64::from(turn) + 1;
        turn = (next & less(next, u64::from(turns))) as u32;
        compared += 1;
    }
    least.id()
}

/// The least busy backend so far. With its flows counting the one to come, a backend of twice the
/// weight is as busy with twice the flows, and of two without any the heavier one is less busy.
#[derive(Clone, Copy)]
struct Least {
    id: u64,
    /// Flows in the low 40 bits, and the weight above them: one word, as a BPF stack is small.
    load: u64,
}

impl Least {
    /// Busier than any backend with room.
    const NONE: Self = Self { id: 0, load: 1 << Self::FLOW_BITS | Load::MOST_FLOWS };

    const FLOW_BITS: u32 = Load::MOST_FLOWS.count_ones();

    /// The less busy of both; this one when they are equal. Flows are below 2⁴⁰ and weights below
    /// 2²⁰, so that their products compare as they are; the weight 0 is never less busy.
    #[inline(always)]
    fn or(self, id: BackendId, load: &Load) -> Self {
        let (flows, weight) = (load.with_one_more(), load.open_weight());
        let own_flows = self.load & Load::MOST_FLOWS;
        let own_weight = self.load >> Self::FLOW_BITS;
        let better = less(flows.wrapping_mul(own_weight), own_flows.wrapping_mul(weight));
        Self {
            id: select(better, u64::from(id), self.id),
            load: select(better, weight << Self::FLOW_BITS | flows, self.load),
        }
    }

    #[inline(always)]
    fn id(self) -> Option<BackendId> {
        if self.id == 0 { None } else { Some(self.id as BackendId) }
    }
}
