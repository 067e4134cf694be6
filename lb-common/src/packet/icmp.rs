//! ICMP (RFC 792) and ICMPv6 (RFC 4443): echo.

use network_types::ip::{Ipv4Hdr, Ipv6Hdr};

use super::{Family, Frame, HOPS, Packet, Transport, link};
use crate::{forward::checksum, verdict::Verdict};

/// IANA protocol number of ICMP.
pub const V4: u8 = 1;
/// IANA protocol number of ICMPv6.
pub const V6: u8 = 58;

/// Type and code of an ICMP echo request and its reply.
const ECHO_V4: ([u8; 2], [u8; 2]) = ([8, 0], [0, 0]);
/// Type and code of an ICMPv6 echo request and its reply.
const ECHO_V6: ([u8; 2], [u8; 2]) = ([128, 0], [129, 0]);

/// Bytes of either header.
const HEADER: usize = 8;

/// The protocol number of a family's own ICMP: the other's means nothing to its hosts.
#[inline(always)]
pub(super) const fn protocol(family: Family) -> u8 {
    match family {
        Family::V4 => V4,
        Family::V6 => V6,
    }
}

/// Reads the header at `offset` of a packet that ends at `end`.
#[inline(always)]
pub(super) fn parse<F: Frame>(
    frame: &F,
    family: Family,
    offset: usize,
    end: u32,
) -> Result<Transport, Verdict> {
    if (offset + HEADER) as u32 > end {
        return Err(Verdict::Malformed);
    }
    let kind: [u8; 2] = frame.read(offset).ok_or(Verdict::Malformed)?;
    let (request, _) = match family {
        Family::V4 => ECHO_V4,
        Family::V6 => ECHO_V6,
    };
    if kind == request { Ok(Transport::Echo) } else { Err(Verdict::NoService) }
}

/// Turns an echo request into its reply, in place: MAC and IP addresses change sides, which no
/// checksum notices, and the checksums follow the type and the TTL (RFC 1624). A request whose own
/// checksum was wrong becomes a reply whose checksum is.
#[inline(always)]
pub fn reply<F: Frame>(frame: &mut F) -> Result<(), Verdict> {
    let packet = Packet::parse(frame).ok_or(Verdict::Malformed)?;
    let offset = packet.payload(frame)?.offset;
    write_reply(frame, &packet, offset).ok_or(Verdict::Malformed)
}

#[inline(always)]
fn write_reply<F: Frame>(frame: &mut F, packet: &Packet, offset: usize) -> Option<()> {
    match packet.family {
        Family::V4 => {
            let mut ip: Ipv4Hdr = frame.read(packet.offset())?;
            let (old, new) = ([ip.ttl, ip.proto], [HOPS, ip.proto]);
            ip.check = checksum::update(ip.check, old, new);
            ip.ttl = HOPS;
            (ip.src_addr, ip.dst_addr) = (ip.dst_addr, ip.src_addr);
            turn(frame, offset, ECHO_V4)?;
            frame.write(packet.offset(), ip)?;
        }
        Family::V6 => {
            let mut ip: Ipv6Hdr = frame.read(packet.offset())?;
            ip.hop_limit = HOPS;
            (ip.src_addr, ip.dst_addr) = (ip.dst_addr, ip.src_addr);
            turn(frame, offset, ECHO_V6)?;
            frame.write(packet.offset(), ip)?;
        }
    }
    link::turn(frame)
}

#[inline(always)]
fn turn<F: Frame>(
    frame: &mut F,
    offset: usize,
    (request, reply): ([u8; 2], [u8; 2]),
) -> Option<()> {
    let [_, _, c, d]: [u8; 4] = frame.read(offset)?;
    let [c, d] = checksum::update([c, d], request, reply);
    frame.write(offset, [reply[0], reply[1], c, d])
}
