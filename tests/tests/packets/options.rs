//! What an IP header carries beside addresses reaches the backend.

use lab::rig::{
    header::{Extension, with_class, with_extensions, with_options},
    packet::frame,
};

use crate::world::{FAMILIES, V4, V6, both_families};

const HOP_BY_HOP: Extension = (0, [0, 0, 5, 2, 0, 0, 1, 0]);
const ROUTING: Extension = (43, [0, 0, 4, 0, 0, 0, 0, 0]);
const DESTINATION_OPTIONS: Extension = (60, [0, 0, 1, 4, 0, 0, 0, 0]);
const ATOMIC_FRAGMENT: Extension = (44, [0, 0, 0, 0, 1, 2, 3, 4]);

#[test]
fn a_packet_with_ipv4_options_is_forwarded_whole() {
    let mut rig = both_families();
    for packet in [V4.tcp(), V4.udp()] {
        for length in (4..=40).step_by(4) {
            let packet = with_options(&packet, &vec![1; length]);
            let what = format!("{length} bytes of options");
            assert_eq!(rig.send(&frame(&[], &packet)), V4.forwarded(&packet), "{what}");
        }
    }
}

#[test]
fn a_packet_with_up_to_four_extension_headers_is_forwarded_whole() {
    let chain = [HOP_BY_HOP, ROUTING, ATOMIC_FRAGMENT, DESTINATION_OPTIONS];
    let mut rig = both_families();
    for packet in [V6.tcp(), V6.udp()] {
        for extensions in [&chain[..1], &chain[..2], &chain[..3], &chain[..], &chain[2..]] {
            let packet = with_extensions(&packet, extensions);
            let what = format!("{extensions:?}");
            assert_eq!(rig.send(&frame(&[], &packet)), V6.forwarded(&packet), "{what}");
        }
    }
}

#[test]
fn the_traffic_class_is_copied_to_the_outer_header() {
    let mut rig = both_families();
    for family in FAMILIES {
        for class in [1, 2, 3, 0x28, 0xb8, 0xff] {
            let packet = with_class(&family.tcp(), class);
            let outcome = rig.send(&frame(&[], &packet));
            assert_eq!(outcome, family.forwarded(&packet), "class {class:#x}");
        }
    }
}
