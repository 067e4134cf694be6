//! What holds for every packet, whoever made it.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, with the line")]

use std::net::IpAddr;

use lb_common::{
    address::Address,
    backend::BackendEntry,
    decap::{self, Outcome},
    forward::{checksum, ipip},
    packet::{
        Family, Frame, Packet,
        buffer::{Buffer, HEADROOM},
    },
};
use proptest::prelude::*;

/// A frame around an IP packet of these bytes, whose lengths and version are made to fit.
fn frame(v6: bool, vlans: usize, mut packet: Vec<u8>) -> Vec<u8> {
    let minimum = if v6 { 40 } else { 20 };
    packet.resize(packet.len().max(minimum), 0);
    if v6 {
        packet[0] = 0x60 | packet[0] & 0xf;
        let length = (packet.len() - 40) as u16;
        packet[4..6].copy_from_slice(&length.to_be_bytes());
    } else {
        packet[0] = 0x45;
        let length = packet.len() as u16;
        packet[2..4].copy_from_slice(&length.to_be_bytes());
    }
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    for vlan in 0..vlans {
        frame.extend([0x81, 0x00, 0x20, vlan as u8]);
    }
    frame.extend(if v6 { [0x86, 0xdd] } else { [0x08, 0x00] });
    frame.extend(packet);
    frame
}

fn backend(inner_v6: bool, outer_v6: bool) -> BackendEntry {
    let (source, destination): (IpAddr, IpAddr) = if outer_v6 {
        ("2001:db8:1::1".parse().unwrap(), "2001:db8:2::2".parse().unwrap())
    } else {
        ("192.0.2.1".parse().unwrap(), "192.0.2.21".parse().unwrap())
    };
    let (source, destination) = (Address::from(source), Address::from(destination));
    let payload = if inner_v6 { ipip::IPV6 } else { ipip::IPV4 };
    let checksum = if outer_v6 {
        0
    } else {
        ipip::header_sum(source.octets_v4(), destination.octets_v4(), payload)
    };
    BackendEntry {
        outer_source: source,
        outer_destination: destination,
        macs: [2, 0, 0, 0, 0, 3, 2, 0, 0, 0, 0, 4],
        mtu: 65_535,
        checksum,
        payload,
        ..BackendEntry::default()
    }
}

fn with_headroom(frame: &[u8]) -> Vec<u8> {
    [&[0; HEADROOM][..], frame].concat()
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_or_refused_and_never_read_beyond(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        kind in 0usize..5,
    ) {
        let mut bytes = bytes;
        // Most random bytes are no IP packet: help them past the EtherType.
        let kinds = [[0x08, 0x00], [0x86, 0xdd], [0x81, 0x00], [0x88, 0xa8]];
        if let (Some(kind), true) = (kinds.get(kind), bytes.len() >= 14) {
            bytes[12..14].copy_from_slice(kind);
        }
        let frame = Buffer::new(&mut bytes, 0);
        if let Some(packet) = Packet::parse(&frame)
            && packet.transport(&frame).is_ok()
        {
            prop_assert!(packet.offset() + packet.length as usize <= frame.length());
        }
        let before = frame.frame().to_vec();
        let mut frame = frame;
        if decap::unwrap(&mut frame, |_| true) != Outcome::Decapsulated {
            prop_assert_eq!(frame.frame(), before);
        }
    }

    #[test]
    fn what_was_encapsulated_comes_out_of_the_tunnel_as_it_went_in(
        inner_v6 in any::<bool>(),
        outer_v6 in any::<bool>(),
        vlans in 0usize..3,
        packet in proptest::collection::vec(any::<u8>(), 0..1500),
    ) {
        let original = frame(inner_v6, vlans, packet);
        let mut bytes = with_headroom(&original);
        let mut frame = Buffer::new(&mut bytes, HEADROOM);
        let packet = Packet::parse(&frame).unwrap();
        let entry = backend(inner_v6, outer_v6);
        ipip::encapsulate(&mut frame, &packet, &entry, packet.link.tags).unwrap();

        let outer = Packet::parse(&frame).unwrap();
        let header = if outer_v6 { 40 } else { 20 };
        prop_assert_eq!(outer.family, if outer_v6 { Family::V6 } else { Family::V4 });
        prop_assert_eq!(outer.source, entry.outer_source);
        prop_assert_eq!(outer.destination, entry.outer_destination);
        prop_assert_eq!(outer.length, packet.length + header);
        prop_assert_eq!(outer.traffic_class, packet.traffic_class);
        if !outer_v6 {
            let at = outer.offset();
            prop_assert_eq!(checksum::sum(&frame.frame()[at..at + 20]), 0xffff);
        }

        let outcome = decap::unwrap(&mut frame, |source| *source == entry.outer_source);
        prop_assert_eq!(outcome, Outcome::Decapsulated);
        prop_assert_eq!(&frame.frame()[..12], &entry.macs);
        prop_assert_eq!(&frame.frame()[12..], &original[12..]);
    }

    #[test]
    fn a_packet_that_cannot_be_sent_is_left_as_it_came(
        headroom in 0usize..48,
        mtu in 20u16..200,
        packet in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let original = frame(false, 0, packet);
        let mut bytes = vec![0; headroom];
        bytes.extend(&original);
        let mut frame = Buffer::new(&mut bytes, headroom);
        let packet = Packet::parse(&frame).unwrap();
        let entry = BackendEntry { mtu, ..backend(false, true) };
        let fits = headroom >= 40 && packet.length + 40 <= u32::from(mtu);
        let sent = ipip::encapsulate(&mut frame, &packet, &entry, packet.link.tags);
        prop_assert_eq!(sent.is_ok(), fits);
        if !fits {
            prop_assert_eq!(frame.frame(), original);
        }
    }
}

#[test]
fn a_tunnel_of_an_unlisted_balancer_is_refused() {
    let original = frame(false, 0, vec![0; 40]);
    let mut bytes = with_headroom(&original);
    let mut frame = Buffer::new(&mut bytes, HEADROOM);
    let packet = Packet::parse(&frame).unwrap();
    ipip::encapsulate(&mut frame, &packet, &backend(false, false), packet.link.tags).unwrap();
    let wrapped = frame.frame().to_vec();
    assert_eq!(decap::unwrap(&mut frame, |_| false), Outcome::SourceRefused);
    assert_eq!(frame.frame(), wrapped);
}

#[test]
fn congestion_on_the_way_reaches_the_client_s_packet() {
    // RFC 6040, section 4.2: the rows are what is inside, the columns what the tunnel says.
    let expected = [
        [Some(0), Some(0), Some(0), None],
        [Some(1), Some(1), Some(1), Some(3)],
        [Some(2), Some(1), Some(2), Some(3)],
        [Some(3), Some(3), Some(3), Some(3)],
    ];
    for (inner, outer) in (0..4u8).flat_map(|inner| (0..4u8).map(move |outer| (inner, outer))) {
        let mut packet = vec![0; 40];
        packet[1] = inner;
        packet[10..12].copy_from_slice(&[0, 0]);
        let mut original = frame(false, 0, packet);
        let sum = checksum::sum(&original[14..34]);
        original[24..26].copy_from_slice(&(!sum).to_be_bytes());
        let mut bytes = with_headroom(&original);
        let mut frame = Buffer::new(&mut bytes, HEADROOM);
        let packet = Packet::parse(&frame).unwrap();
        ipip::encapsulate(&mut frame, &packet, &backend(false, false), packet.link.tags).unwrap();
        frame.write(15, outer).unwrap();
        match expected[usize::from(inner)][usize::from(outer)] {
            Some(ecn) => {
                assert_eq!(decap::unwrap(&mut frame, |_| true), Outcome::Decapsulated);
                assert_eq!(frame.frame()[15], ecn, "{inner} in {outer}");
                assert_eq!(checksum::sum(&frame.frame()[14..34]), 0xffff);
            }
            None => {
                assert_eq!(decap::unwrap(&mut frame, |_| true), Outcome::CongestionUnknown);
            }
        }
    }
}

#[test]
fn a_packet_that_was_marked_before_the_tunnel_comes_out_with_its_own_checksum_bytes() {
    let mut packet = vec![0; 40];
    packet[1] = 3;
    // One of the two zeros of one's complement, which an update would turn into the other.
    packet[10..12].copy_from_slice(&[0xff, 0xff]);
    let original = frame(false, 0, packet);
    let mut bytes = with_headroom(&original);
    let mut frame = Buffer::new(&mut bytes, HEADROOM);
    let packet = Packet::parse(&frame).unwrap();
    ipip::encapsulate(&mut frame, &packet, &backend(false, false), packet.link.tags).unwrap();
    assert_eq!(decap::unwrap(&mut frame, |_| true), Outcome::Decapsulated);
    assert_eq!(&frame.frame()[12..], &original[12..]);
}
