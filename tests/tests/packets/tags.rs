//! VLAN tags on the way in and on the way out.

use lab::rig::{
    Outcome,
    packet::{behind_tags, frame},
};
use lb_common::verdict::Verdict::{EchoReplied, Transmitted};

use crate::world::{FAMILIES, both_families, echoed};

const C_TAG: u16 = 0x8100;
const S_TAG: u16 = 0x88a8;

/// With priorities, as a switch sends them.
const ON_THE_WAY_IN: [&[(u16, u16)]; 5] = [
    &[(C_TAG, 100)],
    &[(S_TAG, 0x6064)],
    &[(S_TAG, 100), (C_TAG, 0xafff)],
    &[(C_TAG, 1), (C_TAG, 2)],
    &[(S_TAG, 1), (S_TAG, 2)],
];

#[test]
fn a_packet_leaves_with_the_tags_it_came_with() {
    let mut rig = both_families();
    for family in FAMILIES {
        for tags in ON_THE_WAY_IN {
            for packet in [family.tcp(), family.udp()] {
                let outcome = rig.send(&behind_tags(&frame(&[], &packet), tags));
                let expected = behind_tags(&family.forwarded(&packet).frame, tags);
                assert_eq!(outcome, Outcome { verdict: Transmitted, frame: expected }, "{tags:x?}");
            }
        }
    }
}

#[test]
fn an_echo_reply_leaves_with_the_tags_its_request_came_with() {
    let mut rig = both_families();
    for family in FAMILIES {
        for tags in ON_THE_WAY_IN {
            let outcome = rig.send(&behind_tags(&frame(&[], &family.ping()), tags));
            let expected = behind_tags(&echoed(&family.pong()), tags);
            assert_eq!(outcome, Outcome { verdict: EchoReplied, frame: expected }, "{tags:x?}");
        }
    }
}

#[test]
fn a_next_hop_in_another_vlan_gets_that_vlan_s_tags() {
    type Tags = &'static [(u16, u16)];
    let cases: [([u16; 2], Tags); 2] =
        [([30, 0], &[(C_TAG, 30)]), ([30, 40], &[(S_TAG, 30), (C_TAG, 40)])];
    let mut rig = both_families();
    for (vlans, tags_out) in cases {
        rig.reroute(|next_hop| next_hop.vlans = vlans);
        for family in FAMILIES {
            for tags_in in ON_THE_WAY_IN.into_iter().chain([&[][..]]) {
                let packet = family.tcp();
                let outcome = rig.send(&behind_tags(&frame(&[], &packet), tags_in));
                let expected = behind_tags(&family.forwarded(&packet).frame, tags_out);
                let expected = Outcome { verdict: Transmitted, frame: expected };
                assert_eq!(outcome, expected, "{tags_in:x?} to {tags_out:x?}");
            }
        }
    }
}
