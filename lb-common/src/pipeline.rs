//! The way of a packet through the balancer:
//!
//! ```text
//! parse → guard → transport → service → track → forward
//! ```
//!
//! It is one function over two traits: [`Frame`] is the packet, [`Maps`] is everything else. The
//! kernel runs it over BPF maps, the host's tests over vectors.

use crate::{
    backend::{BackendEntry, BackendId, Load},
    flow::{
        Entry, Epoch,
        bucket::{Admission, Bucket},
        hash::FlowKey,
    },
    forward::ipip,
    packet::{Frame, Packet, Tags, Transport, icmp, reset},
    rotation::Rotation,
    schedule,
    service::{PROBES, Selector, ServiceKey, ServiceSlot},
    settings::Settings,
    track::{self, Choice, Fate, NewFlow},
    verdict::Verdict,
};

/// What the data path knows: the maps, the time, and where a packet came in.
pub trait Maps {
    /// A bucket of the flow table.
    type Bucket<'a>: Bucket
    where
        Self: 'a;

    /// The read-only data of the program.
    fn settings(&self) -> &Settings;
    /// A word of the guard.
    fn guard(&self, word: u32) -> Option<u64>;
    /// A slot of `SERVICES`.
    fn service(&self, slot: u32) -> Option<&ServiceSlot>;
    /// The entry of a backend, the shadow where it is shadowed.
    fn backend(&self, id: BackendId) -> Option<&BackendEntry>;
    /// How busy a backend is.
    fn load(&self, id: BackendId) -> Option<Load>;
    /// The backend in a slot of the arena.
    fn slot(&self, chunk: u32, slot: usize) -> Option<BackendId>;
    /// Counts a turn of a service's rotation: how many this CPU had before.
    fn next_turn(&self, service: u16) -> Option<u32>;
    /// A bucket of one of the two tables.
    fn bucket(&self, table: Table, index: u32) -> Option<Self::Bucket<'_>>;
    /// The present epoch.
    fn now(&self) -> Epoch;
    /// Index of the interface the packet came in by.
    fn ingress(&self) -> u32;
    /// Adds to the live flows of a backend.
    fn add_flows(&self, id: BackendId, change: i64);
    /// Counts a packet for a backend.
    fn count(&self, id: BackendId, bytes: u32, arrival: Arrival);
    /// Counts a live flow of a backend whose lane went to a newcomer.
    fn count_evicted(&self, id: BackendId);
}

/// The parts that the kernel verifies apart from the rest, as it would otherwise walk every way
/// through one of them together with every way through the next. Each is a function of the same name
/// elsewhere; who has no verifier calls that.
pub trait Steps: Maps + Sized {
    /// [`track::assign`].
    #[inline(always)]
    fn assign(
        &self,
        service: &ServiceSlot,
        flow: &NewFlow<'_>,
    ) -> Result<(BackendId, Arrival), Verdict> {
        track::assign(self, service, flow)
    }

    /// [`track::admit`].
    #[inline(always)]
    fn admit(&self, table: Table, entry: Entry, hash: u64, now: Epoch) -> Admission {
        track::admit(self, table, entry, hash, now)
    }

    /// [`schedule::least_flows`].
    #[inline(always)]
    fn least_flows(&self, rotation: Rotation, start: u32) -> Option<BackendId> {
        schedule::least_flows(self, rotation, start)
    }

    /// [`icmp::reply`].
    #[inline(always)]
    fn echo<F: Frame>(&self, frame: &mut F) -> Result<(), Verdict> {
        icmp::reply(frame)
    }

    /// [`reset::reply`].
    #[inline(always)]
    fn reset<F: Frame>(&self, frame: &mut F) -> Result<(), Verdict> {
        reset::reply(frame)
    }
}

/// The tables that are made of buckets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Table {
    /// `FLOWS`: the backend of each flow.
    Flows = 0,
    /// `AFFINITY`: the backend that a client had last.
    Affinity = 1,
}

/// What a packet is to the backend's counters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Arrival {
    /// One more of a flow it has, or a SYN.
    Known = 0,
    /// The first of a flow.
    New = 1,
    /// The first of a flow for which the flow table had no room; so is each that follows.
    Untracked = 2,
}

/// How a packet ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ending {
    /// Why, and with it what to do.
    pub verdict: Verdict,
    /// Where it leaves when the verdict redirects it.
    pub egress: u32,
}

impl From<Verdict> for Ending {
    #[inline(always)]
    fn from(verdict: Verdict) -> Self {
        Self { verdict, egress: 0 }
    }
}

/// Balances one packet. A frame that passes or is dropped before it was sent is left as it came.
#[inline(always)]
pub fn balance<F: Frame, M: Steps>(frame: &mut F, maps: &M) -> Ending {
    match route(frame, maps) {
        Ok(ending) => ending,
        Err(verdict) => verdict.into(),
    }
}

#[inline(always)]
fn route<F: Frame, M: Steps>(frame: &mut F, maps: &M) -> Result<Ending, Verdict> {
    let packet = Packet::parse(frame).ok_or(Verdict::NotOurs)?;
    let address = maps.settings().address_hash(packet.destination);
    guard(maps, address)?;
    let transport = packet.transport(frame);
    if let Ok(Transport::Ports { protocol, ports, signal }) = transport
        && let Some(service) = service(maps, &packet, address, protocol, ports)
    {
        let key = FlowKey {
            source: packet.source,
            destination: packet.destination,
            ports: u32::from_ne_bytes(ports),
            protocol: u32::from(protocol),
        };
        return match track::follow(maps, service, &key, signal)? {
            Fate::Forward(choice) => forward(frame, maps, &packet, &choice),
            Fate::Reset => maps.reset(frame).map(|()| Verdict::Reset.into()),
        };
    }
    // The guard alone may be wrong about a VIP.
    lookup(maps, address, ServiceKey::vip(packet.destination)).ok_or(Verdict::NotOurs)?;
    match transport? {
        Transport::Ports { .. } => Err(Verdict::NoService),
        Transport::Echo => maps.echo(frame).map(|()| Verdict::EchoReplied.into()),
    }
}

/// Most traffic that is not ours ends here, at the cost of one bit.
#[inline(always)]
fn guard<M: Maps>(maps: &M, address: u64) -> Result<(), Verdict> {
    let bit = maps.settings().guard_bit(address);
    let word = maps.guard(bit / 64).ok_or(Verdict::NotOurs)?;
    if word >> (bit % 64) & 1 == 0 { Err(Verdict::NotOurs) } else { Ok(()) }
}

/// The service of this very port, or the one of every port.
#[inline(always)]
fn service<'a, M: Maps>(
    maps: &'a M,
    packet: &Packet,
    address: u64,
    protocol: u8,
    ports: [u8; 4],
) -> Option<&'a ServiceSlot> {
    let [_, _, high, low] = ports;
    lookup(maps, address, ServiceKey::service(packet.destination, [high, low], protocol)).or_else(
        || lookup(maps, address, ServiceKey::service(packet.destination, [0; 2], protocol)),
    )
}

#[inline(always)]
fn lookup<M: Maps>(maps: &M, address: u64, key: ServiceKey) -> Option<&ServiceSlot> {
    let home = maps.settings().service_home(address, key);
    for probe in 0..PROBES {
        let slot = maps.service(home.wrapping_add(probe) & maps.settings().service_mask)?;
        if slot.selector == key.selector && slot.address == key.address {
            return Some(slot);
        }
        if slot.selector == Selector::EMPTY {
            return None;
        }
    }
    None
}

#[inline(always)]
fn forward<F: Frame, M: Maps>(
    frame: &mut F,
    maps: &M,
    packet: &Packet,
    choice: &Choice<'_>,
) -> Result<Ending, Verdict> {
    // By reference: a copy of a type aligned to 64 has no place on a BPF stack, which is aligned to
    // 8 whatever the compiler believes.
    let backend = choice.backend;
    if backend.flags & BackendEntry::RESOLVED == 0 {
        return Err(Verdict::NextHopUnresolved);
    }
    let returns = backend.egress == maps.ingress();
    // A frame that goes back to where it came from stays in its VLAN, unless the way to the backend
    // is known to lie in another.
    let tags =
        if backend.vlans[0] == 0 && returns { packet.link.tags } else { Tags::of(backend.vlans) };
    ipip::encapsulate(frame, packet, backend, tags)?;
    maps.count(choice.id, packet.length, choice.arrival);
    let verdict = if returns { Verdict::Transmitted } else { Verdict::Redirected };
    Ok(Ending { verdict, egress: backend.egress })
}
