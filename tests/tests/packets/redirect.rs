//! Packets that leave by another interface than they came in by.

use lab::rig::{
    INGRESS, Outcome,
    packet::{behind_tags, frame},
    wire::Wire,
};
use lb_common::verdict::Verdict::{EchoReplied, NextHopUnresolved, Redirected, Transmitted};

use crate::world::{FAMILIES, V4, both_families, echoed};

const C_TAG: u16 = 0x8100;
const S_TAG: u16 = 0x88a8;

/// An interface that no machine has.
const NOWHERE: u32 = 4_000_000;

#[test]
fn a_packet_leaves_by_the_interface_of_its_backend_s_next_hop() {
    Wire::lay(|out| {
        let mut rig = both_families();
        rig.reroute(|next_hop| next_hop.egress = out.index);
        for family in FAMILIES {
            for packet in [family.tcp(), family.udp()] {
                let expected =
                    Outcome { verdict: Redirected, frame: family.forwarded(&packet).frame };
                assert_eq!(rig.send(&frame(&[], &packet)), expected, "{family:?}");
            }
        }
    });
}

#[test]
fn what_counts_is_the_interface_a_packet_came_in_by() {
    Wire::lay(|other| {
        let mut rig = both_families();
        for family in FAMILIES {
            let packet = frame(&[], &family.tcp());
            rig.reroute(|next_hop| next_hop.egress = INGRESS);
            assert_eq!(rig.send_by(other.index, &packet).verdict, Redirected);
            assert_eq!(rig.send(&packet).verdict, Transmitted);
            rig.reroute(|next_hop| next_hop.egress = other.index);
            assert_eq!(rig.send_by(other.index, &packet).verdict, Transmitted);
            assert_eq!(rig.send(&packet).verdict, Redirected);
        }
    });
}

#[test]
fn the_tags_of_the_way_in_stay_behind_and_those_of_the_way_out_are_put_on() {
    type Tags = &'static [(u16, u16)];
    let cases: [([u16; 2], Tags); 3] =
        [([0; 2], &[]), ([30, 0], &[(C_TAG, 30)]), ([30, 40], &[(S_TAG, 30), (C_TAG, 40)])];
    Wire::lay(|out| {
        let mut rig = both_families();
        for (vlans, tags_out) in cases {
            rig.reroute(|next_hop| (next_hop.egress, next_hop.vlans) = (out.index, vlans));
            for family in FAMILIES {
                for tags_in in [&[][..], &[(C_TAG, 7)], &[(S_TAG, 7), (C_TAG, 8)]] {
                    let packet = family.tcp();
                    let outcome = rig.send(&behind_tags(&frame(&[], &packet), tags_in));
                    let expected = behind_tags(&family.forwarded(&packet).frame, tags_out);
                    let expected = Outcome { verdict: Redirected, frame: expected };
                    assert_eq!(outcome, expected, "{tags_in:x?} to {tags_out:x?}");
                }
            }
        }
    });
}

#[test]
fn an_answer_to_a_ping_leaves_where_the_ping_came_in_wherever_backends_are() {
    Wire::lay(|out| {
        let mut rig = both_families();
        rig.reroute(|next_hop| next_hop.egress = out.index);
        for family in FAMILIES {
            let expected = Outcome { verdict: EchoReplied, frame: echoed(&family.pong()) };
            assert_eq!(rig.send(&frame(&[], &family.ping())), expected, "{family:?}");
        }
    });
}

#[test]
fn a_packet_whose_way_out_never_was_has_no_next_hop() {
    let mut rig = both_families();
    rig.reroute(|next_hop| next_hop.egress = NOWHERE);
    for family in FAMILIES {
        let outcome = rig.send(&frame(&[], &family.tcp()));
        assert_eq!(outcome.verdict, NextHopUnresolved, "{family:?}");
    }
}

#[test]
fn a_packet_whose_way_out_has_gone_has_no_next_hop() {
    Wire::lay(|out| {
        let mut rig = both_families();
        rig.reroute(|next_hop| next_hop.egress = out.index);
        let packet = frame(&[], &V4.tcp());
        assert_eq!(rig.send(&packet).verdict, Redirected);
        out.cut();
        assert_eq!(rig.send(&packet).verdict, NextHopUnresolved);
    });
}
