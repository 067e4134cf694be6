//! IP in IP: RFC 2003 (4in4), RFC 2473 (6in6 and 4in6), RFC 4213 (6in4).

use network_types::{
    eth::EtherType,
    ip::{Ipv4Hdr, Ipv6Hdr},
};

use super::checksum;
use crate::{
    backend::BackendEntry,
    packet::{Frame, Link, Packet, Tags},
    verdict::Verdict,
};

/// IANA protocol number of IPv4 as a payload.
pub const IPV4: u8 = 4;
/// IANA protocol number of IPv6 as a payload.
pub const IPV6: u8 = 41;

/// TTL and hop limit of an outer header.
const HOPS: u8 = 64;
/// "Don't fragment": a tunnel that fragments hides the path's MTU from the client, and a backend
/// would have to reassemble. A datagram that is never fragmented needs no identification (RFC 6864).
const DONT_FRAGMENT: [u8; 2] = [0x40, 0];

/// The part of an outer IPv4 header's checksum that packets share, for
/// [`BackendEntry::checksum`]: the one's-complement sum with TOS and length 0.
pub fn header_sum(source: [u8; 4], destination: [u8; 4], payload: u8) -> u16 {
    let [s0, s1, s2, s3] = source;
    let [d0, d1, d2, d3] = destination;
    let [f0, f1] = DONT_FRAGMENT;
    checksum::sum(&[
        0x45, 0, 0, 0, 0, 0, f0, f1, HOPS, payload, 0, 0, s0, s1, s2, s3, d0, d1, d2, d3,
    ])
}

/// Puts the outer header of `backend` around the packet, and new Ethernet addresses before it. TOS
/// or traffic class is copied, so that ECN and DSCP work along the tunnel (RFC 6040, RFC 2983).
///
/// Nothing is written unless all of it is.
#[inline(always)]
pub fn encapsulate<F: Frame>(
    frame: &mut F,
    packet: &Packet,
    backend: &BackendEntry,
    tags: Tags,
) -> Result<(), Verdict> {
    let outer_v4 = backend.outer_destination.is_v4();
    let header = if outer_v4 { Ipv4Hdr::LEN } else { Ipv6Hdr::LEN };
    let length = packet.length + header as u32;
    if length > u32::from(backend.mtu) {
        return Err(Verdict::TooBig);
    }
    let ether_type = if outer_v4 { EtherType::Ipv4 } else { EtherType::Ipv6 };
    let link = Link { tags, ether_type: ether_type as u16 };
    resize(frame, link.length() + header, packet.offset()).ok_or(Verdict::NoHeadroom)?;

    let written = if outer_v4 {
        frame.write(link.length(), outer_v4_header(packet, backend, length as u16))
    } else {
        frame.write(link.length(), outer_v6_header(packet, backend))
    };
    written.and_then(|()| link.write(frame, backend.macs)).ok_or(Verdict::NoHeadroom)
}

/// Makes the frame's front `wanted` bytes long where it was `present`.
#[inline(always)]
fn resize<F: Frame>(frame: &mut F, wanted: usize, present: usize) -> Option<()> {
    // An outer header is longer than two tags: the front never shrinks.
    frame.grow_front(wanted - present)
}

#[inline(always)]
fn outer_v4_header(packet: &Packet, backend: &BackendEntry, length: u16) -> Ipv4Hdr {
    let changing = u32::from(length) + u32::from(packet.traffic_class);
    let check = !checksum::fold(u32::from(backend.checksum) + changing);
    Ipv4Hdr {
        vihl: 0x45,
        tos: packet.traffic_class,
        tot_len: length.to_be_bytes(),
        id: [0; 2],
        frags: DONT_FRAGMENT,
        ttl: HOPS,
        proto: backend.payload,
        check: check.to_be_bytes(),
        src_addr: backend.outer_source.octets_v4(),
        dst_addr: backend.outer_destination.octets_v4(),
    }
}

#[inline(always)]
fn outer_v6_header(packet: &Packet, backend: &BackendEntry) -> Ipv6Hdr {
    Ipv6Hdr {
        vcf: [0x60 | packet.traffic_class >> 4, packet.traffic_class << 4, 0, 0],
        payload_len: (packet.length as u16).to_be_bytes(),
        next_hdr: backend.payload,
        hop_limit: HOPS,
        src_addr: backend.outer_source.octets(),
        dst_addr: backend.outer_destination.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_carry_is_folded_twice() {
        assert_eq!(header_sum([255; 4], [255; 4], IPV4), 0xc504);
    }
}
