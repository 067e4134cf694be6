//! Packets to a VIP that are cut, that lie about themselves, or that are pieces: dropped, untouched.

use lab::rig::{
    Outcome,
    header::{Extension, as_fragment, with_extensions},
    packet::frame,
};
use lb_common::verdict::Verdict::{Fragment, Malformed, Transmitted};

use crate::world::{
    ETHERNET, FAMILIES, V4, V6, both_families, stays_as_it_came as stays, with_bytes,
};

const HOP_BY_HOP: Extension = (0, [0, 0, 1, 4, 0, 0, 0, 0]);
const DESTINATION_OPTIONS: Extension = (60, [0, 0, 1, 4, 0, 0, 0, 0]);

/// The packet, cut behind some bytes, with an IP header that knows.
fn cut(packet: &[u8], bytes: usize) -> Vec<u8> {
    let packet = &packet[..bytes];
    if packet[0] >> 4 == 4 {
        with_bytes(packet, 2, &(bytes as u16).to_be_bytes())
    } else {
        with_bytes(packet, 4, &(bytes as u16 - 40).to_be_bytes())
    }
}

#[test]
fn a_packet_that_was_cut_anywhere_is_dropped() {
    let mut rig = both_families();
    for family in FAMILIES {
        for packet in [family.tcp(), family.udp(), family.ping()] {
            let whole = frame(&[], &packet);
            for length in ETHERNET + family.header..whole.len() {
                stays(&mut rig, &whole[..length], Malformed, &format!("{length} bytes"));
            }
        }
    }
}

#[test]
fn a_packet_that_ends_within_its_transport_header_is_dropped_even_when_padding_follows() {
    let mut rig = both_families();
    for family in FAMILIES {
        let headers = [(family.tcp(), 20), (family.udp(), 8), (family.ping(), 8)];
        for (packet, transport) in headers {
            for bytes in family.header..family.header + transport {
                let frame = cut(&packet, bytes);
                stays(&mut rig, &frame, Malformed, &format!("{bytes} bytes"));
                let padded = [&frame[..], &[0x55; 60]].concat();
                stays(&mut rig, &padded, Malformed, &format!("{bytes} bytes and padding"));
            }
        }
    }
}

#[test]
fn an_ipv4_header_that_lies_is_dropped() {
    let mut rig = both_families();
    for packet in [V4.tcp(), V4.udp(), V4.ping()] {
        let length = packet.len() as u16;
        for claimed in [length + 1, u16::MAX, 0, 19] {
            let frame = with_bytes(&packet, 2, &claimed.to_be_bytes());
            stays(&mut rig, &frame, Malformed, &format!("total length {claimed}"));
        }
        for ihl in 0..5 {
            let frame = with_bytes(&packet, 0, &[0x40 | ihl]);
            stays(&mut rig, &frame, Malformed, &format!("IHL {ihl}"));
        }
        stays(&mut rig, &with_bytes(&packet, 0, &[0x4f]), Malformed, "IHL beyond the end");
        for version in [0, 3, 5, 6, 15] {
            let frame = with_bytes(&packet, 0, &[version << 4 | 5]);
            stays(&mut rig, &frame, Malformed, &format!("version {version}"));
        }
    }
}

#[test]
fn an_ipv6_header_that_lies_is_dropped() {
    let mut rig = both_families();
    for packet in [V6.tcp(), V6.udp(), V6.ping()] {
        let length = packet.len() as u16 - 40;
        for claimed in [length + 1, u16::MAX] {
            let frame = with_bytes(&packet, 4, &claimed.to_be_bytes());
            stays(&mut rig, &frame, Malformed, &format!("payload length {claimed}"));
        }
        for version in [0, 4, 5, 7, 15] {
            let mut frame = with_bytes(&packet, 0, &[version << 4]);
            frame[12..14].copy_from_slice(&[0x86, 0xdd]);
            stays(&mut rig, &frame, Malformed, &format!("version {version}"));
        }
    }
}

#[test]
fn a_transport_header_that_lies_is_dropped() {
    let mut rig = both_families();
    for family in FAMILIES {
        for data_offset in [0, 1, 4, 7, 15] {
            let frame = with_bytes(&family.tcp(), family.header + 12, &[data_offset << 4]);
            stays(&mut rig, &frame, Malformed, &format!("data offset {data_offset}"));
        }
        for length in [0u16, 1, 7, 17, u16::MAX] {
            let frame = with_bytes(&family.udp(), family.header + 4, &length.to_be_bytes());
            stays(&mut rig, &frame, Malformed, &format!("UDP length {length}"));
        }
    }
}

#[test]
fn more_extension_headers_than_any_sender_has_a_use_for_are_dropped() {
    let mut rig = both_families();
    for packet in [V6.tcp(), V6.udp(), V6.ping()] {
        for count in 5..8 {
            let packet = with_extensions(&packet, &vec![DESTINATION_OPTIONS; count]);
            stays(&mut rig, &frame(&[], &packet), Malformed, &format!("{count} headers"));
        }
    }
}

#[test]
fn an_extension_header_that_was_cut_or_lies_about_its_length_is_dropped() {
    let mut rig = both_families();
    let packet = with_extensions(&V6.tcp(), &[HOP_BY_HOP, DESTINATION_OPTIONS]);
    for bytes in 40..56 {
        stays(&mut rig, &cut(&packet, bytes), Malformed, &format!("{bytes} bytes"));
    }
    for length in [200, 255] {
        for offset in [41, 49] {
            let frame = with_bytes(&packet, offset, &[length]);
            stays(&mut rig, &frame, Malformed, &format!("{length} at {offset}"));
        }
    }
}

#[test]
fn the_fragments_of_a_packet_are_dropped_as_such() {
    let mut rig = both_families();
    for family in FAMILIES {
        for packet in [family.tcp(), family.udp(), family.ping()] {
            for (which, offset, more_follow) in
                [("first", 0, true), ("middle", 185, true), ("last", 370, false)]
            {
                let fragment = as_fragment(&packet, offset, more_follow);
                stays(&mut rig, &frame(&[], &fragment), Fragment, which);
            }
        }
    }
}

#[test]
fn a_whole_packet_in_one_ipv6_fragment_is_forwarded() {
    let mut rig = both_families();
    for packet in [V6.tcp(), V6.udp()] {
        let packet = as_fragment(&packet, 0, false);
        assert_eq!(rig.send(&frame(&[], &packet)), V6.forwarded(&packet));
    }
}

#[test]
fn the_padding_of_a_short_frame_breaks_nothing() {
    let mut rig = both_families();
    for family in FAMILIES {
        for packet in [family.tcp(), family.udp()] {
            let padding = [0; 18];
            let padded = [frame(&[], &packet), padding.to_vec()].concat();
            let expected = [family.forwarded(&packet).frame, padding.to_vec()].concat();
            let outcome = Outcome { verdict: Transmitted, frame: expected };
            assert_eq!(rig.send(&padded), outcome, "{family:?}");
        }
    }
}
