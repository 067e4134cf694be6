//! The TCP reset that tells a client that its connection is over (RFC 9293, section 3.10.7.1).

use network_types::{
    ip::{Ipv4Hdr, Ipv6Hdr},
    tcp::TcpHdr,
};

use super::{Family, Frame, HOPS, Packet, link, transport::TCP};
use crate::{forward::checksum, verdict::Verdict};

/// "Don't fragment", as a reset is smaller than any MTU.
const DONT_FRAGMENT: [u8; 2] = [0x40, 0];

/// Turns a frame that holds a TCP segment into the reset that answers it: options, extension headers
/// and payload are gone, and the frame goes back to where it came from. A reset is never answered: its
/// flow has no backend.
#[inline(always)]
pub fn reply<F: Frame>(frame: &mut F) -> Result<(), Verdict> {
    let packet = Packet::parse(frame).ok_or(Verdict::Malformed)?;
    let offset = packet.payload(frame)?.offset;
    let segment: TcpHdr = frame.read(offset).ok_or(Verdict::Malformed)?;
    if segment.rst() != 0 {
        return Err(Verdict::NoBackend);
    }
    write(frame, &packet, answer(&segment, &packet, offset)).ok_or(Verdict::Malformed)
}

/// The reset's header, its checksum zero.
#[inline(always)]
fn answer(segment: &TcpHdr, packet: &Packet, offset: usize) -> TcpHdr {
    let mut reset = TcpHdr {
        source: segment.dest,
        dest: segment.source,
        seq: segment.ack_seq,
        ack_seq: [0; 4],
        _bitfield_align_1: [],
        _bitfield_1: TcpHdr::new_bitfield_1(0, 5, 0, 0, 1, 0, 0, 0, 0, 0),
        window: [0; 2],
        check: [0; 2],
        urg_ptr: [0; 2],
    };
    if segment.ack() == 0 {
        let end = packet.offset() as u32 + packet.length;
        let payload = end.wrapping_sub(offset as u32 + u32::from(segment.doff()) * 4);
        let length = payload.wrapping_add(u32::from(segment.fin()));
        reset.seq = [0; 4];
        reset.ack_seq = u32::from_be_bytes(segment.seq).wrapping_add(length).to_be_bytes();
        reset.set_ack(1);
    }
    reset
}

/// Nothing is written unless all of it is: a segment is never shorter than its reset.
#[inline(always)]
fn write<F: Frame>(frame: &mut F, packet: &Packet, reset: TcpHdr) -> Option<()> {
    let header = match packet.family {
        Family::V4 => Ipv4Hdr::LEN,
        Family::V6 => Ipv6Hdr::LEN,
    };
    let end = packet.offset() + header + TcpHdr::LEN;
    frame.truncate(end)?;
    let check = checksum::of_segment(packet.destination, packet.source, &reset);
    frame.write(end - TcpHdr::LEN, TcpHdr { check, ..reset })?;
    match packet.family {
        Family::V4 => frame.write(packet.offset(), header_v4(packet))?,
        Family::V6 => frame.write(packet.offset(), header_v6(packet))?,
    }
    link::turn(frame)
}

#[inline(always)]
fn header_v4(packet: &Packet) -> Ipv4Hdr {
    let mut header = Ipv4Hdr {
        vihl: 0x45,
        tos: 0,
        tot_len: ((Ipv4Hdr::LEN + TcpHdr::LEN) as u16).to_be_bytes(),
        id: [0; 2],
        frags: DONT_FRAGMENT,
        ttl: HOPS,
        proto: TCP,
        check: [0; 2],
        src_addr: packet.destination.octets_v4(),
        dst_addr: packet.source.octets_v4(),
    };
    header.check = checksum::of(&header);
    header
}

#[inline(always)]
fn header_v6(packet: &Packet) -> Ipv6Hdr {
    Ipv6Hdr {
        vcf: [0x60, 0, 0, 0],
        payload_len: (TcpHdr::LEN as u16).to_be_bytes(),
        next_hdr: TCP,
        hop_limit: HOPS,
        src_addr: packet.destination.octets(),
        dst_addr: packet.source.octets(),
    }
}
