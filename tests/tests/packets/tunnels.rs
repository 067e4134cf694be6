//! The backend's side: a tunnel of a listed balancer is taken off, everything else stays as it came.

use lab::rig::{
    decap::{Backend, Unwrapped},
    header::{Extension, as_fragment, with_class, with_extensions, with_options},
    packet::{behind_tags, echo, frame, tunnelled},
};
use lb_common::decap::Outcome::{
    self, CongestionUnknown, Decapsulated, Malformed, NotTunnel, SourceRefused,
};

use crate::world::{ETHERNET, FAMILIES, Family, V4, V6, with_bytes};

const TAGS: [&[(u16, u16)]; 4] =
    [&[], &[(0x8100, 100)], &[(0x88a8, 0x6064), (0x8100, 0xafff)], &[(0x8100, 1), (0x8100, 2)]];
const DESTINATION_OPTIONS: Extension = (60, [0, 0, 1, 4, 0, 0, 0, 0]);

/// A backend of the lab's balancer.
fn backend() -> Backend {
    Backend::new(&[V4.balancer, V6.balancer])
}

/// The four tunnels: what is inside, and by what it is carried.
fn combinations() -> impl Iterator<Item = (Family, Family)> {
    [(V4, V4), (V6, V6), (V4, V6), (V6, V4)].into_iter()
}

fn wrapped(outer: &Family, packet: &[u8]) -> Vec<u8> {
    tunnelled(outer.balancer, outer.backend, packet)
}

/// Receives a frame, and asks that it ends so and is bit for bit what it was.
fn stays(backend: &mut Backend, frame: &[u8], outcome: Outcome, what: &str) {
    let expected = Unwrapped { outcome, frame: frame.to_vec() };
    assert_eq!(backend.receive(frame), expected, "{what}");
}

/// Receives a frame, and asks that it becomes this one.
fn opens(backend: &mut Backend, frame: &[u8], inside: Vec<u8>, what: &str) {
    let expected = Unwrapped { outcome: Decapsulated, frame: inside };
    assert_eq!(backend.receive(frame), expected, "{what}");
}

#[test]
fn what_comes_out_is_the_client_s_packet_in_the_frame_that_carried_it() {
    let mut backend = backend();
    for (inner, outer) in combinations() {
        for packet in [inner.tcp(), inner.udp(), inner.ping()] {
            for tags in TAGS {
                let tunnel = behind_tags(&frame(&[], &wrapped(&outer, &packet)), tags);
                let inside = behind_tags(&frame(&[], &packet), tags);
                opens(&mut backend, &tunnel, inside, &format!("{inner:?} in {outer:?}, {tags:x?}"));
            }
        }
    }
}

#[test]
fn options_and_extension_headers_of_the_tunnel_go_and_those_inside_stay() {
    let mut backend = backend();
    let v4 = with_options(&V4.tcp(), &[1; 12]);
    let v6 = with_extensions(&V6.tcp(), &[DESTINATION_OPTIONS; 2]);
    for packet in [v4, v6] {
        let tunnels = [
            with_options(&wrapped(&V4, &packet), &[1; 8]),
            with_extensions(&wrapped(&V6, &packet), &[DESTINATION_OPTIONS]),
        ];
        for tunnel in tunnels {
            opens(&mut backend, &frame(&[], &tunnel), frame(&[], &packet), "options");
        }
    }
}

#[test]
fn the_padding_of_a_short_frame_is_left_behind_the_packet() {
    let mut backend = backend();
    for (inner, outer) in combinations() {
        let packet = inner.udp();
        let padded = |packet: &[u8]| [frame(&[], packet), vec![0x55; 18]].concat();
        opens(&mut backend, &padded(&wrapped(&outer, &packet)), padded(&packet), "padding");
    }
}

#[test]
fn a_fragment_of_a_client_comes_out_of_a_whole_tunnel() {
    let mut backend = backend();
    for (inner, outer) in combinations() {
        let fragment = as_fragment(&inner.udp(), 185, true);
        opens(&mut backend, &frame(&[], &wrapped(&outer, &fragment)), frame(&[], &fragment), "");
    }
}

#[test]
fn what_is_no_tunnel_passes_as_it_came() {
    let mut backend = backend();
    for family in FAMILIES {
        let packets = [
            family.tcp(),
            family.udp(),
            family.ping(),
            echo(family.balancer, family.backend, true),
            as_fragment(&family.tcp(), 0, true),
        ];
        for packet in packets {
            stays(&mut backend, &frame(&[], &packet), NotTunnel, "no tunnel");
        }
        let tunnel = frame(&[], &wrapped(&family, &family.tcp()));
        for length in ETHERNET..ETHERNET + family.header {
            stays(&mut backend, &tunnel[..length], NotTunnel, &format!("{length} bytes"));
        }
        let three_tags = behind_tags(&tunnel, &[(0x8100, 1); 3]);
        stays(&mut backend, &three_tags, NotTunnel, "three tags");
        let arp = [&tunnel[..12], &[0x08, 0x06], &tunnel[14..]].concat();
        stays(&mut backend, &arp, NotTunnel, "ARP");
    }
}

#[test]
fn a_tunnel_of_somebody_else_is_refused() {
    let mut another_s = Backend::new(&["192.0.2.12", "2001:db8:2::12"]);
    let mut nobody_s = Backend::new(&[]);
    for (inner, outer) in combinations() {
        for tags in TAGS {
            let tunnel = behind_tags(&frame(&[], &wrapped(&outer, &inner.tcp())), tags);
            stays(&mut another_s, &tunnel, SourceRefused, "another balancer's");
            stays(&mut nobody_s, &tunnel, SourceRefused, "nobody's");
        }
    }
}

#[test]
fn a_balancer_is_listed_by_the_address_of_the_tunnel_not_of_what_is_inside() {
    let mut backend = Backend::new(&[V4.client, V6.client]);
    for (inner, outer) in combinations() {
        stays(&mut backend, &frame(&[], &wrapped(&outer, &inner.tcp())), SourceRefused, "inside");
    }
}

#[test]
fn a_tunnel_that_was_cut_anywhere_behind_its_header_is_dropped() {
    let mut backend = backend();
    for (inner, outer) in combinations() {
        let tunnel = frame(&[], &wrapped(&outer, &inner.tcp()));
        for length in ETHERNET + outer.header..tunnel.len() {
            stays(&mut backend, &tunnel[..length], Malformed, &format!("{length} bytes"));
        }
    }
}

#[test]
fn a_piece_of_a_tunnel_is_dropped() {
    let mut backend = backend();
    for (inner, outer) in combinations() {
        for (offset, more_follow) in [(0, true), (185, true), (370, false)] {
            let piece = as_fragment(&wrapped(&outer, &inner.tcp()), offset, more_follow);
            stays(&mut backend, &frame(&[], &piece), Malformed, &format!("at {offset}"));
        }
    }
}

#[test]
fn a_tunnel_whose_inside_lies_is_dropped() {
    let mut backend = backend();
    for (inner, outer) in combinations() {
        let packet = inner.tcp();
        let tunnel = wrapped(&outer, &packet);
        let longer = packet.len() as u16 + 1;
        let first = packet[0];
        // Version, header length, and length.
        let mut lies: Vec<(usize, Vec<u8>)> =
            [0, 5, 7, 15].map(|version| (0, vec![version << 4 | first & 0xf])).to_vec();
        if inner.header == 20 {
            lies.extend([0, 4, 15].map(|length| (0, vec![0x40 | length])));
            lies.extend([0, 19, longer, u16::MAX].map(|total| (2, total.to_be_bytes().to_vec())));
        } else {
            lies.extend([longer - 40, u16::MAX].map(|length| (4, length.to_be_bytes().to_vec())));
        }
        for (offset, bytes) in lies {
            let frame = with_bytes(&tunnel, outer.header + offset, &bytes);
            stays(&mut backend, &frame, Malformed, &format!("{bytes:x?} at {offset}"));
        }
    }
}

/// RFC 6040, section 4.2: what comes out, by what is inside and what the tunnel says.
const CONGESTION: [[Option<u8>; 4]; 4] = {
    const NOT_CAPABLE: u8 = 0;
    const CAPABLE_1: u8 = 1;
    const CAPABLE_0: u8 = 2;
    const CONGESTED: u8 = 3;
    [
        [Some(NOT_CAPABLE), Some(NOT_CAPABLE), Some(NOT_CAPABLE), None],
        [Some(CAPABLE_1), Some(CAPABLE_1), Some(CAPABLE_1), Some(CONGESTED)],
        [Some(CAPABLE_0), Some(CAPABLE_1), Some(CAPABLE_0), Some(CONGESTED)],
        [Some(CONGESTED), Some(CONGESTED), Some(CONGESTED), Some(CONGESTED)],
    ]
};

#[test]
fn what_the_network_says_of_congestion_comes_out_as_rfc_6040_has_it() {
    const DSCP: u8 = 0xb8;
    let mut backend = backend();
    for (inner, outer) in combinations() {
        for (inside, row) in (0u8..).zip(CONGESTION) {
            for (outside, expected) in (0u8..).zip(row) {
                let packet = with_class(&inner.tcp(), DSCP | inside);
                let tunnel = with_class(&wrapped(&outer, &packet), outside);
                let tunnel = frame(&[], &tunnel);
                let what = format!("{inner:?} in {outer:?}: {inside} in {outside}");
                match expected {
                    Some(ecn) => {
                        let packet = with_class(&packet, DSCP | ecn);
                        opens(&mut backend, &tunnel, frame(&[], &packet), &what);
                    }
                    None => stays(&mut backend, &tunnel, CongestionUnknown, &what),
                }
            }
        }
    }
}

/// Receives a packet that ends so. An outcome that is added does not compile before it has a packet
/// here.
fn example(outcome: Outcome) -> Unwrapped {
    let mut backend = backend();
    let tunnel = frame(&[], &wrapped(&V4, &V4.tcp()));
    match outcome {
        Decapsulated => backend.receive(&tunnel),
        NotTunnel => backend.receive(&frame(&[], &V4.tcp())),
        SourceRefused => Backend::new(&[]).receive(&tunnel),
        Malformed => backend.receive(&tunnel[..tunnel.len() - 1]),
        CongestionUnknown => backend.receive(&frame(&[], &with_class(&wrapped(&V4, &V4.tcp()), 3))),
    }
}

#[test]
fn every_outcome_is_reached_by_a_packet() {
    for outcome in Outcome::ALL {
        assert_eq!(example(*outcome).outcome, *outcome, "{}", outcome.name());
    }
}
