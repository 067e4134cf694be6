//! The ABI of `BACKENDS`: all that is needed to send a packet to a backend, in one cache line.
//! Written by userspace, read by the data path.
//!
//! An entry that packets may be reading is never written in place: userspace writes the new entry
//! to `SHADOWS` at the same index, sets [`BackendEntry::SHADOWED`], waits for the readers (an RCU
//! grace period), writes the entry, and clears the flag.

use crate::{address::Address, branchless::less, wire::plain_old_data};

/// Index into `BACKENDS`; 0 is no backend.
pub type BackendId = u16;

/// One cache line of `BACKENDS`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C, align(64))]
pub struct BackendEntry {
    /// Source of the outer header.
    pub outer_source: Address,
    /// Destination of the outer header: the backend's address. Its family is that of the header.
    pub outer_destination: Address,
    /// Destination and source MAC of the frame, as they lie in it.
    pub macs: [u8; 12],
    /// Where the frame leaves; equal to the interface it came in by when it goes back out of there.
    pub egress: u32,
    /// 802.1Q tag control information of the egress, outermost first, host byte order; 0 for none.
    pub vlans: [u16; 2],
    /// Largest IP packet that the egress takes, outer header included.
    pub mtu: u16,
    /// The only service whose flows may use this entry: a wrong match in the flow table, or a
    /// stale entry of it, never leads into another service.
    pub service: u16,
    /// One's-complement sum of the outer IPv4 header with its length, TOS and checksum zero.
    pub checksum: u16,
    /// The bits below.
    pub flags: u8,
    /// How packets are sent: one of [`Method`].
    pub method: u8,
    /// IANA protocol number of what the outer header carries, by the family of the service's VIP:
    /// 4 for IPv4, 41 for IPv6.
    pub payload: u8,
    /// For what is yet to come; 0.
    pub reserved: [u8; 3],
}

plain_old_data! { BackendEntry = 64 }

impl BackendEntry {
    /// The backend takes packets: those of its flows, and new flows where a scheduler offers it.
    pub const USABLE: u8 = 1;
    /// `macs` and `egress` are known.
    pub const RESOLVED: u8 = 2;
    /// Read `SHADOWS` at this index in place of this entry.
    pub const SHADOWED: u8 = 4;
    /// The backend takes new flows.
    pub const OPEN: u8 = 8;
    /// Flows of this backend are to go to another with their next packet.
    pub const LEAVING: u8 = 16;
}

/// One value of `LOADS`, indexed by backend: how busy it is, and how busy it may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C, align(8))]
pub struct Load {
    /// Entries of the flow table that are a live flow of the backend. Whoever changes an entry, by
    /// the exchange that succeeds, changes this with it.
    pub flows: u64,
    /// What the flows are weighed against; 0 of a backend that takes no new flows.
    pub weight: u32,
    /// How many live flows it may have before new ones go elsewhere.
    pub most: u32,
}

plain_old_data! { Load = 16 }

impl Load {
    /// More flows than a backend can have: they are counted in 40 bits.
    pub const MOST_FLOWS: u64 = (1 << 40) - 1;

    /// The flows that the backend has once it gets one more.
    #[inline(always)]
    pub fn with_one_more(&self) -> u64 {
        self.flows.wrapping_add(1) & Self::MOST_FLOWS
    }

    /// What its flows are weighed against; 0 of a backend that has no room for one more.
    #[inline(always)]
    pub fn open_weight(&self) -> u64 {
        u64::from(self.weight) & less(self.flows, u64::from(self.most))
    }

    /// True when the backend takes one more flow.
    #[inline(always)]
    pub fn has_room(&self) -> bool {
        self.open_weight() != 0
    }
}

/// How a packet is sent to a backend.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Method {
    /// IP in IP: RFC 2003 (4in4), RFC 2473 (6in6, 4in6), RFC 4213 (6in4).
    Ipip = 0,
}
