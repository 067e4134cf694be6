//! IPv4 (RFC 791).

use network_types::ip::Ipv4Hdr;

use super::{Family, Frame, Link, Packet, Payload};
use crate::{address::Address, verdict::Verdict, wire::Wire};

// SAFETY: a header of byte arrays, 20 bytes and thus without padding.
unsafe impl Wire for Ipv4Hdr {}
const _: () = assert!(size_of::<Ipv4Hdr>() == 20);

/// Bits of the third word: more fragments follow, and where in the whole this one lies.
const FRAGMENT: u16 = 0x3fff;

/// Reads the fixed header.
#[inline(always)]
pub(super) fn parse<F: Frame>(frame: &F, link: Link) -> Option<Packet> {
    let header: Ipv4Hdr = frame.read(link.length())?;
    Some(Packet {
        link,
        family: Family::V4,
        source: Address::v4(header.src_addr),
        destination: Address::v4(header.dst_addr),
        length: u32::from(u16::from_be_bytes(header.tot_len)),
        traffic_class: header.tos,
        protocol: header.proto,
        version_and_length: header.vihl,
        fragment: u16::from_be_bytes(header.frags) & FRAGMENT != 0,
    })
}

/// Finds the payload, behind the options. The header's checksum is left to the backend, as the
/// packet's own bytes are never changed.
#[inline(always)]
pub(super) fn payload(packet: &Packet) -> Result<Payload, Verdict> {
    let header = usize::from(packet.version_and_length & 0xf) * 4;
    let sound = packet.version_and_length >> 4 == 4 && header >= Ipv4Hdr::LEN;
    if !sound || header > packet.length as usize {
        return Err(Verdict::Malformed);
    }
    let offset = packet.offset() + header;
    Ok(Payload { protocol: packet.protocol, offset, fragment: packet.fragment })
}
