//! The way of a packet through the balancer:
//!
//! ```text
//! parse → guard → transport → service → flow → schedule → forward
//! ```
//!
//! It is one function over two traits: [`Frame`] is the packet, [`Maps`] is everything else. The
//! kernel runs it over BPF maps, the host's tests over vectors.

use crate::{
    backend::{BackendEntry, BackendId},
    flow::{
        Entry, Epoch, State,
        bucket::{self, Bucket},
        entry::Signal,
        hash::FlowKey,
    },
    forward::ipip,
    maglev::Region,
    packet::{Frame, Packet, Tags, Transport, icmp},
    service::{PROBES, Selector, ServiceKey, ServiceSlot},
    settings::Settings,
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
    /// The backend in a slot of a Maglev table.
    fn maglev(&self, chunk: u32, slot: usize) -> Option<BackendId>;
    /// A bucket of `FLOWS`.
    fn bucket(&self, index: u32) -> Option<Self::Bucket<'_>>;
    /// The present epoch.
    fn now(&self) -> Epoch;
    /// Index of the interface the packet came in by.
    fn ingress(&self) -> u32;
    /// Counts a packet for a backend.
    fn count(&self, id: BackendId, bytes: u32, arrival: Arrival);
}

/// What a packet is to the backend's counters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// One more of a flow it has, or a SYN.
    Known,
    /// The first of a flow.
    New,
    /// The first of a flow for which the flow table had no room; so is each that follows.
    Untracked,
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
pub fn balance<F: Frame, M: Maps>(frame: &mut F, maps: &M) -> Ending {
    match route(frame, maps) {
        Ok(ending) => ending,
        Err(verdict) => verdict.into(),
    }
}

#[inline(always)]
fn route<F: Frame, M: Maps>(frame: &mut F, maps: &M) -> Result<Ending, Verdict> {
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
            protocol,
        };
        let choice = choose(maps, service, &key, signal)?;
        return forward(frame, maps, &packet, &choice);
    }
    // The guard alone may be wrong about a VIP.
    lookup(maps, address, ServiceKey::vip(packet.destination)).ok_or(Verdict::NotOurs)?;
    match transport? {
        Transport::Ports { .. } => Err(Verdict::NoService),
        Transport::Echo { offset } => icmp::reply(frame, &packet, offset)
            .map(|()| Verdict::EchoReplied.into())
            .ok_or(Verdict::Malformed),
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

struct Choice<'a> {
    id: BackendId,
    backend: &'a BackendEntry,
    arrival: Arrival,
}

/// The backend of a flow: the one it has, or the one the scheduler gives it.
#[inline(always)]
fn choose<'a, M: Maps>(
    maps: &'a M,
    service: &ServiceSlot,
    key: &FlowKey,
    signal: Signal,
) -> Result<Choice<'a>, Verdict> {
    let hash = maps.settings().hash_key.flow(key);
    let now = maps.now();
    let bucket =
        maps.bucket(hash as u32 & maps.settings().bucket_mask).ok_or(Verdict::NoBackend)?;
    let held = bucket::find(&bucket, hash);

    if let Some((lane, entry)) = held
        && keeps(entry, signal, now, &service.idle)
        && let Some(backend) = usable(maps, service, entry.backend())
    {
        let next = entry.after(signal, now);
        if next != entry {
            bucket.exchange(lane, entry.word(), next.word());
        }
        let opened = entry.state() == State::Opening && next.state() == State::Fresh;
        let arrival = if opened { Arrival::New } else { Arrival::Known };
        return Ok(Choice { id: entry.backend(), backend, arrival });
    }

    let id = schedule(maps, service, hash).ok_or(Verdict::NoBackend)?;
    let backend = usable(maps, service, id).ok_or(Verdict::NoBackend)?;
    let arrival = match (held, signal) {
        // The lane of a flow whose backend is gone, or of a port that a client uses again.
        (Some((lane, old)), _) => {
            let state = match signal {
                Signal::Opens => State::Opening,
                Signal::Continues => moved(old.state()),
                Signal::Ends => State::Closing,
            };
            bucket.exchange(lane, old.word(), Entry::new(hash, id, state, now).word());
            if signal == Signal::Continues { Arrival::New } else { Arrival::Known }
        }
        // Consistent hashing answers a SYN and the packet after it alike: a flood of SYNs needs no
        // entries, and an entry says that somebody went on talking.
        (None, Signal::Opens | Signal::Ends) => Arrival::Known,
        (None, Signal::Continues) => {
            let entry = Entry::new(hash, id, State::Fresh, now);
            if bucket::admit(&bucket, entry, now, &service.idle) {
                Arrival::New
            } else {
                Arrival::Untracked
            }
        }
    };
    Ok(Choice { id, backend, arrival })
}

/// True when a packet follows the entry of its flow. A SYN asks the scheduler, as clients use ports
/// again, unless it repeats the one that opened the flow.
#[inline(always)]
fn keeps(entry: Entry, signal: Signal, now: Epoch, idle: &[u16; 4]) -> bool {
    let repeats = signal != Signal::Opens || entry.state() == State::Opening;
    repeats && !entry.is_idle(now, idle)
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

#[inline(always)]
fn schedule<M: Maps>(maps: &M, service: &ServiceSlot, hash: u64) -> Option<BackendId> {
    let (chunk, slot) = Region::from_word(service.maglev)?.pick(hash);
    maps.maglev(chunk, slot)
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
