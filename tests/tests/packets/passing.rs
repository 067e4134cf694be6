//! What is not a service's goes on to the kernel, bit for bit as it came.

use lab::rig::{
    header::as_fragment,
    packet::{behind_tags, echo, frame, tcp, udp},
};
use lb_common::verdict::Verdict::{NoService, NotOurs};

use crate::world::{
    ETHERNET, FAMILIES, V4, V6, both_families, stays_as_it_came as stays, with_bytes,
};

const OTHERS: [(&str, &str); 2] =
    [("198.51.100.7", "203.0.113.11"), ("2001:db8:1::7", "2001:db8:3::11")];

/// The frame with another EtherType.
fn with_ether_type(frame: &[u8], ether_type: u16) -> Vec<u8> {
    [&frame[..12], &ether_type.to_be_bytes(), &frame[14..]].concat()
}

#[test]
fn what_is_not_ip_passes() {
    let mut rig = both_families();
    let whole = frame(&[], &V4.tcp());
    for ether_type in [0x0806, 0x88cc, 0x8847, 0x0000, 0x05dc, 0xffff, 0x0008] {
        let frame = with_ether_type(&whole, ether_type);
        stays(&mut rig, &frame, NotOurs, &format!("EtherType {ether_type:#06x}"));
    }
}

#[test]
fn a_frame_too_short_for_an_address_passes() {
    let mut rig = both_families();
    for family in FAMILIES {
        let whole = frame(&[], &family.tcp());
        for length in ETHERNET..ETHERNET + family.header {
            stays(&mut rig, &whole[..length], NotOurs, &format!("{length} bytes"));
        }
        let tagged = behind_tags(&whole, &[(0x88a8, 7), (0x8100, 8)]);
        for length in ETHERNET..ETHERNET + 8 + family.header {
            stays(&mut rig, &tagged[..length], NotOurs, &format!("{length} bytes with tags"));
        }
    }
}

#[test]
fn packets_for_others_pass_whatever_they_are() {
    let mut rig = both_families();
    for (from, to) in OTHERS {
        let (client, port) = (format!("{from}:40000"), format!("{to}:80"));
        let packets = [
            tcp(&client, &port, "S"),
            udp(&client, &format!("{to}:53"), b"question"),
            echo(from, to, false),
            echo(from, to, true),
            as_fragment(&tcp(&client, &port, "PA"), 0, true),
            as_fragment(&tcp(&client, &port, "PA"), 185, false),
        ];
        for packet in packets {
            stays(&mut rig, &frame(&[], &packet), NotOurs, to);
        }
    }
}

#[test]
fn broken_packets_for_others_pass() {
    let mut rig = both_families();
    for (from, to) in OTHERS {
        let packet = tcp(&format!("{from}:40000"), &format!("{to}:80"), "PA");
        let whole = frame(&[], &packet);
        let header = if packet[0] >> 4 == 4 { 20 } else { 40 };
        for length in ETHERNET + header..whole.len() {
            stays(&mut rig, &whole[..length], NotOurs, &format!("{length} bytes to {to}"));
        }
        let data_offset = with_bytes(&packet, header + 12, &[0xf0]);
        stays(&mut rig, &data_offset, NotOurs, "data offset 15");
        let version = with_bytes(&packet, 0, &[0x5f]);
        let version = with_ether_type(&version, if header == 20 { 0x0800 } else { 0x86dd });
        stays(&mut rig, &version, NotOurs, "version 5");
    }
}

#[test]
fn what_comes_from_a_vip_is_not_for_it() {
    let mut rig = both_families();
    for family in FAMILIES {
        stays(&mut rig, &frame(&[], &family.pong()), NotOurs, family.vip);
    }
}

#[test]
fn three_vlan_tags_pass() {
    let mut rig = both_families();
    for family in FAMILIES {
        for outer in [0x8100, 0x88a8] {
            let tags = [(outer, 10), (0x8100, 20), (0x8100, 30)];
            let frame = behind_tags(&frame(&[], &family.tcp()), &tags);
            stays(&mut rig, &frame, NotOurs, family.vip);
        }
    }
}

#[test]
fn ports_of_a_vip_without_a_service_pass() {
    let mut rig = both_families();
    for family in FAMILIES {
        let client = format!("{}:40000", family.client);
        for port in [0, 53, 79, 81, 443, 65535] {
            let packet = tcp(&client, &format!("{}:{port}", family.vip), "S");
            stays(&mut rig, &frame(&[], &packet), NoService, &format!("TCP port {port}"));
        }
        for port in [0, 52, 54, 80, 65535] {
            let packet = udp(&client, &format!("{}:{port}", family.vip), b"question");
            stays(&mut rig, &frame(&[], &packet), NoService, &format!("UDP port {port}"));
        }
    }
}

#[test]
fn other_protocols_to_a_vip_pass() {
    const GRE: u8 = 47;
    const ESP: u8 = 50;
    const SCTP: u8 = 132;
    let mut rig = both_families();
    for family in FAMILIES {
        let protocol = if family.header == 20 { 9 } else { 6 };
        for number in [2, 4, 41, GRE, ESP, 59, SCTP, 255] {
            let frame = with_bytes(&family.tcp(), protocol, &[number]);
            stays(&mut rig, &frame, NoService, &format!("protocol {number}"));
        }
    }
}

#[test]
fn icmp_other_than_an_echo_request_to_a_vip_passes() {
    let mut rig = both_families();
    for (family, kinds) in [(V4, [0, 3, 5, 11, 13, 128]), (V6, [1, 2, 3, 129, 135, 8])] {
        for kind in kinds {
            let frame = with_bytes(&family.ping(), family.header, &[kind]);
            stays(&mut rig, &frame, NoService, &format!("type {kind}"));
        }
        let coded = with_bytes(&family.ping(), family.header + 1, &[1]);
        stays(&mut rig, &coded, NoService, "an echo request with a code");
    }
}

#[test]
fn the_icmp_of_the_other_family_passes() {
    let mut rig = both_families();
    for (family, protocol, number, request) in [(V4, 9, 58, 128), (V6, 6, 1, 8)] {
        let mut frame = with_bytes(&family.ping(), protocol, &[number]);
        frame[ETHERNET + family.header] = request;
        stays(&mut rig, &frame, NoService, family.vip);
    }
}
