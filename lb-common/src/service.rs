//! The ABI of `SERVICES`: what a VIP, a port and a protocol lead to. Written by userspace, read by
//! the data path.
//!
//! `SERVICES` is an open-addressed table: a key lies in the first free slot at or after its home
//! ([`crate::settings::Settings::service_home`]), [`PROBES`] slots at most. A reader stops at an empty slot, so a slot
//! that is emptied while others lie behind it becomes [`Selector::RETIRED`].

use crate::{address::Address, wire::plain_old_data};

/// How many slots in a row may hold a key, its home included.
pub const PROBES: u32 = 8;

/// `port` of a service that takes every port of its VIP and protocol.
pub const ANY_PORT: u16 = 0;

/// What a packet must be addressed to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, PartialOrd, Ord, Hash)]
pub struct ServiceKey {
    /// The VIP.
    pub address: Address,
    /// Port, protocol and kind in one word: the part that a writer sets last, in one store.
    pub selector: Selector,
}

/// The bytes: port in network byte order (2), IANA protocol number, kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Selector(u32);

impl Selector {
    /// A slot that never held a key since the table was laid out: a search ends here.
    pub const EMPTY: Self = Self(0);
    /// A slot whose key is gone: a search goes on.
    pub const RETIRED: Self = Self::of([0; 2], 0, KIND_RETIRED);

    #[inline(always)]
    const fn of(port: [u8; 2], protocol: u8, kind: u8) -> Self {
        let [a, b] = port;
        Self(u32::from_ne_bytes([a, b, protocol, kind]))
    }

    /// The word as it lies in the map.
    #[inline(always)]
    pub const fn word(self) -> u32 {
        self.0
    }

    /// The port in host byte order; [`ANY_PORT`] for all.
    pub const fn port(self) -> u16 {
        let [a, b, _, _] = self.0.to_ne_bytes();
        u16::from_be_bytes([a, b])
    }

    /// The IANA protocol number; 0 for a VIP's own record.
    pub const fn protocol(self) -> u8 {
        let [_, _, protocol, _] = self.0.to_ne_bytes();
        protocol
    }

    /// True of a slot that holds a service.
    pub const fn is_service(self) -> bool {
        let [_, _, _, kind] = self.0.to_ne_bytes();
        kind == KIND_SERVICE
    }
}

const KIND_SERVICE: u8 = 1;
const KIND_VIP: u8 = 2;
const KIND_RETIRED: u8 = 3;

impl ServiceKey {
    /// The key of a service. `port` in network byte order, as a header has it.
    #[inline(always)]
    pub const fn service(address: Address, port: [u8; 2], protocol: u8) -> Self {
        Self { address, selector: Selector::of(port, protocol, KIND_SERVICE) }
    }

    /// The key of a VIP's own record: it is ours, whatever the port.
    #[inline(always)]
    pub const fn vip(address: Address) -> Self {
        Self { address, selector: Selector::of([0; 2], 0, KIND_VIP) }
    }
}

/// How the backend of a new flow is chosen. Several schedulers of the control plane are one here:
/// they differ in the table or the weights that userspace makes for them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Scheduler {
    /// The slot of the Maglev table that the client's hash picks.
    Maglev = 0,
    /// The next turn of the rotation, counted by each CPU for itself.
    Rotation = 1,
    /// Of the rotation's backends the one with the fewest live flows for its weight.
    LeastFlows = 2,
    /// Of two slots of the Maglev table the one with fewer live flows for its weight.
    TwoChoices = 3,
}

/// One cache line of `SERVICES`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C, align(64))]
pub struct ServiceSlot {
    /// Whose slot this is: the VIP.
    pub address: Address,
    /// Whose slot this is: port, protocol and kind.
    pub selector: Selector,
    /// Names the service; [`crate::backend::BackendEntry::service`] repeats it. 0 for a VIP's own
    /// record.
    pub id: u16,
    /// How a new flow's backend is chosen: one of [`Scheduler`].
    pub scheduler: u8,
    /// What of a flow the consistent hash looks at: 0 for all of it, else [`ServiceSlot::BY_SOURCE`]
    /// and the bits beside it.
    pub hash: u8,
    /// The Maglev table in use ([`crate::maglev::Region`]); 0 when no backend can serve.
    pub maglev: u64,
    /// Idle time-outs of flows in epochs, indexed by [`crate::flow::State`].
    pub idle: [u16; 4],
    /// The rotation in use ([`crate::rotation::Rotation`]); 0 for none.
    pub rotation: u64,
    /// Whether, and how, clients keep their backend.
    pub affinity: Affinity,
    /// The bits below.
    pub flags: u8,
    /// For what is yet to come; 0.
    pub reserved: [u8; 11],
}

/// Clients of one prefix keep their backend for some time after their last new flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Affinity {
    /// Bits of an IPv4 address that make one client; 0 for no affinity.
    pub prefix4: u8,
    /// Bits of an IPv6 address that make one client.
    pub prefix6: u8,
    /// Epochs that a client's backend is remembered for.
    pub idle: u16,
}

plain_old_data! { Selector = 4, Affinity = 4, ServiceSlot = 64 }

impl ServiceSlot {
    /// In `hash`: the source address. Set wherever not all of the flow counts.
    pub const BY_SOURCE: u8 = 1;
    /// In `hash`: the destination address.
    pub const BY_DESTINATION: u8 = 2;
    /// In `hash`: the destination port and the protocol.
    pub const BY_DESTINATION_PORT: u8 = 4;

    /// In `flags`: a hash does not tell a flow's backend: its SYN gets an entry of the flow table.
    pub const STATEFUL: u8 = 1;
    /// In `flags`: some backends have a limit of live flows.
    pub const LIMITED: u8 = 2;
    /// In `flags`: the client of a TCP flow whose backend is gone is told by a reset.
    pub const RESETS: u8 = 4;

    /// Whose slot this is.
    #[inline(always)]
    pub const fn key(&self) -> ServiceKey {
        ServiceKey { address: self.address, selector: self.selector }
    }
}
