//! From a frame's bytes to what a load balancer asks of them.
//!
//! Reading goes in two steps, so that traffic that is not ours costs little: [`Packet::parse`] reads
//! as far as the destination address, and [`Packet::transport`] reads the rest of a packet that is
//! addressed to a VIP.

pub mod buffer;
pub mod icmp;
pub mod ipv4;
pub mod ipv6;
pub mod link;
pub mod reset;
pub mod transport;

use network_types::eth::EtherType;

pub use self::{
    link::{Link, Tags},
    transport::Transport,
};
use crate::{address::Address, verdict::Verdict, wire::Wire};

/// The bytes of a frame, from its Ethernet header on. The only way to touch a packet: the data path
/// implements it over the driver's buffer, tests over a vector.
pub trait Frame {
    /// Number of bytes.
    fn length(&self) -> usize;

    /// Copies a `T` out of the frame; `None` when it would reach beyond the end.
    fn read<T: Wire>(&self, offset: usize) -> Option<T>;

    /// Copies a `T` into the frame; `None`, and nothing written, when it would reach beyond the end.
    fn write<T: Wire>(&mut self, offset: usize, value: T) -> Option<()>;

    /// Makes the frame longer at its front; what is there is undefined until it is written. `None`,
    /// and nothing changed, when the buffer has no room.
    fn grow_front(&mut self, bytes: usize) -> Option<()>;

    /// Makes the frame shorter at its front; `None`, and nothing changed, when it has not so many
    /// bytes.
    fn shrink_front(&mut self, bytes: usize) -> Option<()>;

    /// Cuts the frame's end off, so that `length` bytes are left; `None`, and nothing changed, when it
    /// has fewer.
    fn truncate(&mut self, length: usize) -> Option<()>;
}

/// TTL and hop limit of what a balancer says itself.
const HOPS: u8 = 64;

/// The IP version of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// RFC 791.
    V4,
    /// RFC 8200.
    V6,
}

/// An IP packet, as far as its fixed header tells. Its lengths are claims until [`Packet::transport`]
/// has compared them with the frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet {
    /// What precedes the IP header.
    pub link: Link,
    /// The IP version.
    pub family: Family,
    /// Who sent it.
    pub source: Address,
    /// Whom it is for.
    pub destination: Address,
    /// Bytes from the IP header on, by its own account; at most 65,575.
    pub length: u32,
    /// TOS or traffic class: DSCP and ECN.
    pub traffic_class: u8,
    /// IPv4: the protocol. IPv6: the first next-header value.
    protocol: u8,
    /// IPv4: version and header length, as one byte.
    version_and_length: u8,
    /// IPv4: it is a piece of a larger packet.
    fragment: bool,
}

impl Packet {
    /// Reads the Ethernet header, VLAN tags and the fixed IP header. `None` for a frame that holds
    /// no IP packet, or less than its fixed header.
    #[inline(always)]
    pub fn parse<F: Frame>(frame: &F) -> Option<Self> {
        let link = Link::parse(frame)?;
        if link.ether_type == EtherType::Ipv4 as u16 {
            ipv4::parse(frame, link)
        } else if link.ether_type == EtherType::Ipv6 as u16 {
            ipv6::parse(frame, link)
        } else {
            None
        }
    }

    /// Offset of the IP header.
    #[inline(always)]
    pub const fn offset(&self) -> usize {
        self.link.length()
    }

    /// Reads what the packet carries. The verdict tells why it cannot be balanced.
    #[inline(always)]
    pub fn transport<F: Frame>(&self, frame: &F) -> Result<Transport, Verdict> {
        let end = self.offset() as u32 + self.length;
        if end > frame.length() as u32 {
            return Err(Verdict::Malformed);
        }
        let payload = self.payload(frame)?;
        if payload.fragment && transport::is_known(self.family, payload.protocol) {
            return Err(Verdict::Fragment);
        }
        transport::parse(frame, self.family, payload.protocol, payload.offset, end)
    }

    /// Finds what is behind the IP header, its options and its extension headers.
    #[inline(always)]
    pub fn payload<F: Frame>(&self, frame: &F) -> Result<Payload, Verdict> {
        match self.family {
            Family::V4 => ipv4::payload(self),
            Family::V6 => ipv6::payload(frame, self),
        }
    }
}

/// What an IP packet carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Payload {
    /// IANA protocol number.
    pub protocol: u8,
    /// Where it begins in the frame.
    pub offset: usize,
    /// It is a piece of a larger payload.
    pub fragment: bool,
}
