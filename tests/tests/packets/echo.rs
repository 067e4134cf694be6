//! A VIP answers pings.

use lab::rig::{
    Outcome,
    header::{Extension, with_class, with_extensions, with_options},
    packet::{echo, frame},
};
use lb_common::verdict::Verdict::{EchoReplied, NotOurs};

use crate::world::{FAMILIES, V4, V6, both_families, echoed, stays_as_it_came as stays};

const DESTINATION_OPTIONS: Extension = (60, [0, 0, 1, 4, 0, 0, 0, 0]);

#[test]
fn an_echo_request_to_a_vip_is_answered() {
    let mut rig = both_families();
    for family in FAMILIES {
        let expected = Outcome { verdict: EchoReplied, frame: echoed(&family.pong()) };
        assert_eq!(rig.send(&frame(&[], &family.ping())), expected, "{family:?}");
    }
}

#[test]
fn an_echo_request_with_options_is_answered_with_them() {
    let mut rig = both_families();
    let extensions = [DESTINATION_OPTIONS; 2];
    let cases = [
        (with_options(&V4.ping(), &[1; 8]), with_options(&V4.pong(), &[1; 8])),
        (with_extensions(&V6.ping(), &extensions), with_extensions(&V6.pong(), &extensions)),
        (with_class(&V4.ping(), 0xb8), with_class(&V4.pong(), 0xb8)),
        (with_class(&V6.ping(), 0xb8), with_class(&V6.pong(), 0xb8)),
    ];
    for (request, reply) in cases {
        let expected = Outcome { verdict: EchoReplied, frame: echoed(&reply) };
        assert_eq!(rig.send(&frame(&[], &request)), expected, "{request:x?}");
    }
}

#[test]
fn an_echo_request_to_another_address_passes() {
    let mut rig = both_families();
    for (from, to) in [(V4.client, "203.0.113.99"), (V6.client, "2001:db8:3::99")] {
        stays(&mut rig, &frame(&[], &echo(from, to, false)), NotOurs, to);
    }
}
