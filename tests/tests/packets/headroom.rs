//! A driver that leaves no room for an outer header.

use lab::rig::{Outcome, packet::frame};
use lb_common::verdict::Verdict::{EchoReplied, NoHeadroom, NotOurs};

use crate::world::{FAMILIES, both_families, echoed};

#[test]
fn a_packet_without_room_for_an_outer_header_is_dropped_as_it_came() {
    let mut rig = both_families();
    for family in FAMILIES {
        for packet in [family.tcp(), family.udp()] {
            for tags in [&[][..], &[7], &[7, 9]] {
                let frame = frame(tags, &packet);
                let expected = Outcome { verdict: NoHeadroom, frame: frame.clone() };
                assert_eq!(rig.send_without_headroom(&frame), expected, "{family:?}, {tags:?}");
            }
        }
    }
}

#[test]
fn what_needs_no_outer_header_needs_no_room() {
    let mut rig = both_families();
    for family in FAMILIES {
        let expected = Outcome { verdict: EchoReplied, frame: echoed(&family.pong()) };
        assert_eq!(rig.send_without_headroom(&frame(&[], &family.ping())), expected, "{family:?}");
        let answer = frame(&[], &family.pong());
        let expected = Outcome { verdict: NotOurs, frame: answer.clone() };
        assert_eq!(rig.send_without_headroom(&answer), expected, "{family:?}");
    }
}
