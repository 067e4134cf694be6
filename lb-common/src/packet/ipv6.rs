//! IPv6 and its extension headers (RFC 8200).

use network_types::ip::Ipv6Hdr;

use super::{Family, Frame, Link, Packet, Payload};
use crate::{address::Address, verdict::Verdict, wire::Wire};

// SAFETY: a header of byte arrays, 40 bytes and thus without padding.
unsafe impl Wire for Ipv6Hdr {}
const _: () = assert!(size_of::<Ipv6Hdr>() == 40);

/// Extension headers that are skipped; a packet with more is malformed: RFC 8200 recommends each
/// kind once.
pub const MAX_EXTENSIONS: usize = 4;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION_OPTIONS: u8 = 60;

/// Bits of a fragment header: where the piece lies, and that more follow.
const OFFSET: u16 = 0xfff8;
const MORE: u16 = 1;

/// Reads the fixed header.
#[inline(always)]
pub(super) fn parse<F: Frame>(frame: &F, link: Link) -> Option<Packet> {
    let header: Ipv6Hdr = frame.read(link.length())?;
    let [first, second, _, _] = header.vcf;
    Some(Packet {
        link,
        family: Family::V6,
        source: Address::v6(header.src_addr),
        destination: Address::v6(header.dst_addr),
        length: Ipv6Hdr::LEN as u32 + u32::from(u16::from_be_bytes(header.payload_len)),
        traffic_class: first << 4 | second >> 4,
        protocol: header.next_hdr,
        version_and_length: first,
        fragment: false,
    })
}

/// Walks the extension headers. An unknown one is taken for the payload's protocol.
#[inline(always)]
pub(super) fn payload<F: Frame>(frame: &F, packet: &Packet) -> Result<Payload, Verdict> {
    if packet.version_and_length >> 4 != 6 {
        return Err(Verdict::Malformed);
    }
    let mut protocol = packet.protocol;
    let mut offset = packet.offset() + Ipv6Hdr::LEN;
    let mut fragment = false;
    for _ in 0..MAX_EXTENSIONS {
        if !is_extension(protocol) {
            break;
        }
        let [next, length]: [u8; 2] = frame.read(offset).ok_or(Verdict::Malformed)?;
        if protocol == FRAGMENT {
            let position: [u8; 2] = frame.read(offset + 2).ok_or(Verdict::Malformed)?;
            let position = u16::from_be_bytes(position);
            offset += 8;
            if position & OFFSET != 0 {
                // What follows is the middle of something, whatever its header is called.
                let piece = Payload { protocol: next, offset, fragment: true };
                return if is_extension(next) { Err(Verdict::Fragment) } else { Ok(piece) };
            }
            // A whole packet in one fragment (RFC 6946) has no follower either.
            fragment |= position & MORE != 0;
        } else {
            offset += (usize::from(length) + 1) * 8;
        }
        protocol = next;
    }
    if is_extension(protocol) {
        return Err(Verdict::Malformed);
    }
    Ok(Payload { protocol, offset, fragment })
}

#[inline(always)]
const fn is_extension(protocol: u8) -> bool {
    matches!(protocol, HOP_BY_HOP | ROUTING | FRAGMENT | DESTINATION_OPTIONS)
}
