//! Backends that leave: drained, disabled, or removed for good.

use lab::rig::{
    LIMITS, Rig,
    packet::{frame, tcp, udp},
};
use lb::{config::Limits, model::Admin};
use lb_common::verdict::Verdict;

use crate::world::backend_of;

const FLOWS: u16 = 200;

/// TCP port 80 and UDP port 53 of one VIP, both served by these backends.
fn config(backends: &[&str]) -> String {
    let service = |protocol: &str, port: u16| {
        let head = format!(
            "[[service]]\nname = \"{protocol}\"\naddress = \"{protocol}:203.0.113.10:{port}\"\n\
             table_size = 1024\n"
        );
        let backend = |address: &&str| format!("[[service.backend]]\naddress = \"{address}\"\n");
        head + &backends.iter().map(backend).collect::<String>()
    };
    service("tcp", 80) + &service("udp", 53)
}

fn segment(number: u16, flags: &str) -> Vec<u8> {
    tcp(&format!("198.51.100.7:{}", 10_000 + number), "203.0.113.10:80", flags)
}

fn datagram(number: u16) -> Vec<u8> {
    udp(&format!("198.51.100.7:{}", 10_000 + number), "203.0.113.10:53", b"question")
}

fn backends_of(rig: &mut Rig, packet: impl Fn(u16) -> Vec<u8>) -> Vec<u8> {
    (0..FLOWS).map(|number| backend_of(rig, &packet(number))).collect()
}

#[test]
fn a_draining_backend_keeps_its_flows_and_gets_no_new_ones() {
    let mut rig = Rig::new(&config(&["192.0.2.21", "192.0.2.22"]));
    let (tcp, udp) =
        (backends_of(&mut rig, |number| segment(number, "A")), backends_of(&mut rig, datagram));
    assert!(tcp.contains(&21) && udp.contains(&21));
    rig.administer("192.0.2.21", Admin::Draining);
    assert_eq!(backends_of(&mut rig, |number| segment(number, "PA")), tcp);
    assert_eq!(backends_of(&mut rig, datagram), [22; FLOWS as usize], "datagrams need not stay");
    for number in FLOWS..2 * FLOWS {
        for packet in [segment(number, "S"), segment(number, "A"), datagram(number)] {
            assert_eq!(backend_of(&mut rig, &packet), 22, "flow {number}");
        }
    }
    // A client that ends a flow and uses its port again opens one that is new.
    backends_of(&mut rig, |number| segment(number, "FA"));
    assert_eq!(backends_of(&mut rig, |number| segment(number, "S")), [22; FLOWS as usize]);
}

#[test]
fn a_flow_ends_where_it_was_while_its_backend_drains() {
    let mut rig = Rig::new(&config(&["192.0.2.21", "192.0.2.22"]));
    let before = backends_of(&mut rig, |number| segment(number, "A"));
    rig.administer("192.0.2.21", Admin::Draining);
    for flags in ["FA", "A", "RA"] {
        assert_eq!(backends_of(&mut rig, |number| segment(number, flags)), before, "{flags}");
    }
}

#[test]
fn the_last_backend_that_drains_still_serves_the_flows_it_has() {
    let mut rig = Rig::new(&config(&["192.0.2.21"]));
    backends_of(&mut rig, |number| segment(number, "A"));
    rig.administer("192.0.2.21", Admin::Draining);
    assert_eq!(backends_of(&mut rig, |number| segment(number, "A")), [21; FLOWS as usize]);
    let newcomer = frame(&[], &segment(FLOWS, "S"));
    assert_eq!(rig.send(&newcomer).verdict, Verdict::NoBackend);
}

#[test]
fn a_disabled_backend_s_flows_move_and_one_that_is_enabled_again_gets_its_share() {
    let mut rig = Rig::new(&config(&["192.0.2.21", "192.0.2.22"]));
    backends_of(&mut rig, |number| segment(number, "A"));
    rig.administer("192.0.2.21", Admin::Disabled);
    assert_eq!(backends_of(&mut rig, |number| segment(number, "A")), [22; FLOWS as usize]);
    rig.administer("192.0.2.21", Admin::Enabled);
    assert_eq!(backends_of(&mut rig, |number| segment(number, "A")), [22; FLOWS as usize]);
    assert!(backends_of(&mut rig, |number| segment(number, "S")).contains(&21));
}

#[test]
fn a_backend_that_gets_the_number_of_another_gets_none_of_its_flows() {
    // Two services of two backends: a fifth backend can only get a number that was another's.
    let limits = Limits { backends: 4, ..LIMITS };
    let mut rig = Rig::with_limits(&config(&["192.0.2.21", "192.0.2.22"]), limits);
    let before = backends_of(&mut rig, datagram);
    let orphans: Vec<u16> =
        (0..FLOWS).filter(|number| before[usize::from(*number)] == 21).collect();
    let number = rig.number("192.0.2.21");
    rig.reconfigure(&config(&["192.0.2.22"]));
    rig.sweep();
    rig.reconfigure(&config(&["192.0.2.22", "192.0.2.23"]));
    assert_eq!(rig.number("192.0.2.23"), number);

    assert_eq!(rig.flows("192.0.2.23"), 0);
    assert_eq!(rig.counters("192.0.2.23").packets, 0);
    // What nobody remembers is a new flow, and the scheduler has its say: not all go to one.
    let orphaned: Vec<u8> =
        orphans.iter().map(|number| backend_of(&mut rig, &datagram(*number))).collect();
    assert!(orphaned.contains(&22) && orphaned.contains(&23), "{orphaned:?}");
}
