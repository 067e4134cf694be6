//! A flow stays where it is, a dead backend's flows move, and what cannot be sent says why.

use lab::rig::{
    Rig,
    packet::{frame, tcp, udp},
};
use lb::state::Health;
use lb_common::verdict::Verdict;

use crate::world::backend_of;

const VIP: &str = "203.0.113.10:80";

/// The backends of a service: address and weight.
type Backends<'a> = &'a [(&'a str, u16)];

/// A config with these services: address and backends.
fn config(services: &[(&str, Backends<'_>)]) -> String {
    let service = |(number, (address, backends)): (usize, &(&str, Backends<'_>))| {
        let head = format!("[[service]]\nname = \"s{number}\"\naddress = \"{address}\"\n");
        let backend = |(address, weight): &(&str, u16)| {
            format!("[[service.backend]]\naddress = \"{address}\"\nweight = {weight}\n")
        };
        let backends: Vec<String> = backends.iter().map(backend).collect();
        format!("{head}table_size = 1024\n{}", backends.concat())
    };
    services.iter().enumerate().map(service).collect::<Vec<_>>().concat()
}

fn web(backends: Backends<'_>) -> String {
    config(&[("tcp:203.0.113.10:80", backends)])
}

fn client(number: u16) -> String {
    format!("198.51.100.7:{}", 10_000 + number)
}

const FLOWS: u16 = 200;

fn backends_of(rig: &mut Rig, flags: &str) -> Vec<u8> {
    (0..FLOWS).map(|number| backend_of(rig, &tcp(&client(number), VIP, flags))).collect()
}

#[test]
fn flows_keep_their_backend_while_others_come_and_go() {
    let three = [("192.0.2.21", 1), ("192.0.2.22", 1), ("192.0.2.23", 1)];
    let mut rig = Rig::new(&web(&three[..2]));
    let before = backends_of(&mut rig, "A");
    rig.reconfigure(&web(&three));
    rig.reroute(|_| {});
    assert_eq!(backends_of(&mut rig, "A"), before, "a backend came");
    rig.reconfigure(&web(&[("192.0.2.21", 9), ("192.0.2.22", 1), ("192.0.2.23", 1)]));
    assert_eq!(backends_of(&mut rig, "A"), before, "weights changed");
    rig.reconfigure(&web(&three[..2]));
    assert_eq!(backends_of(&mut rig, "A"), before, "a backend went");
}

#[test]
fn a_dead_backend_s_flows_move_at_once_and_stay_where_they_moved() {
    let mut rig = Rig::new(&web(&[("192.0.2.21", 1), ("192.0.2.22", 1), ("192.0.2.23", 1)]));
    rig.check();
    let before = backends_of(&mut rig, "A");
    rig.judge("192.0.2.22", Health::Down);
    let moved = backends_of(&mut rig, "A");
    for (old, new) in before.iter().zip(&moved) {
        assert_ne!(*new, 22);
        assert!(*old == 22 || old == new, "a flow of {old} moved to {new}");
    }
    rig.judge("192.0.2.22", Health::Up);
    assert_eq!(backends_of(&mut rig, "A"), moved);
    let new = |number| backend_of(&mut rig, &tcp(&client(number), VIP, "S"));
    assert!((FLOWS..2 * FLOWS).map(new).any(|backend| backend == 22), "new flows go to it again");
}

#[test]
fn an_exact_port_goes_before_every_port_and_protocols_are_apart() {
    let mut rig = Rig::new(&config(&[
        ("tcp:203.0.113.10:*", &[("192.0.2.21", 1)]),
        ("tcp:203.0.113.10:80", &[("192.0.2.22", 1)]),
        ("udp:203.0.113.10:80", &[("192.0.2.23", 1)]),
    ]));
    assert_eq!(backend_of(&mut rig, &tcp(&client(1), "203.0.113.10:81", "S")), 21);
    assert_eq!(backend_of(&mut rig, &tcp(&client(1), VIP, "S")), 22);
    assert_eq!(backend_of(&mut rig, &udp(&client(1), VIP, b"?")), 23);
    let outcome = rig.send(&frame(&[], &udp(&client(1), "203.0.113.10:81", b"?")));
    assert_eq!(outcome.verdict, Verdict::NoService);
}

#[test]
fn a_flow_counts_once_with_its_packets_and_a_syn_is_no_flow() {
    let mut rig = Rig::new(&web(&[("192.0.2.21", 1)]));
    let packet = tcp(&client(1), VIP, "S");
    for flags in ["S", "S", "A", "PA", "FA"] {
        backend_of(&mut rig, &tcp(&client(1), VIP, flags));
    }
    let counted = rig.counters("192.0.2.21");
    assert_eq!((counted.packets, counted.new_flows, counted.untracked), (5, 1, 0));
    assert_eq!(counted.bytes, 5 * packet.len() as u64);
}

#[test]
fn new_flows_follow_the_weights() {
    let mut rig = Rig::new(&web(&[("192.0.2.21", 3), ("192.0.2.22", 1)]));
    let flows = 4000;
    let heavy = (0..flows)
        .filter(|number| backend_of(&mut rig, &tcp(&client(*number), VIP, "S")) == 21)
        .count();
    assert!((2850..3150).contains(&heavy), "{heavy} of {flows}");
}

#[test]
fn what_cannot_be_sent_is_dropped_as_it_came_and_says_why() {
    type Spoil = fn(&mut Rig);
    let packet = frame(&[], &tcp(&client(1), VIP, "A"));
    let cases: [(Verdict, Spoil); 3] = [
        (Verdict::NoBackend, |rig| {
            rig.check();
            rig.judge("192.0.2.21", Health::Down);
        }),
        (Verdict::NoBackend, Rig::lose_next_hops),
        (Verdict::TooBig, |rig| rig.reroute(|hop| hop.mtu = 64)),
    ];
    for (verdict, spoil) in cases {
        let mut rig = Rig::new(&web(&[("192.0.2.21", 1)]));
        spoil(&mut rig);
        let outcome = rig.send(&packet);
        assert_eq!((outcome.verdict, outcome.frame), (verdict, packet.clone()));
    }
}

#[test]
fn a_flow_whose_way_is_lost_says_so() {
    let mut rig = Rig::new(&web(&[("192.0.2.21", 1)]));
    let packet = tcp(&client(1), VIP, "A");
    backend_of(&mut rig, &packet);
    rig.lose_next_hops();
    let outcome = rig.send(&frame(&[], &packet));
    assert_eq!(outcome.verdict, Verdict::NextHopUnresolved);
}
