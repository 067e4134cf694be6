//! A flow table with fewer places than there are flows.

use std::time::Duration;

use lab::{
    poll,
    rig::{
        LIMITS, Rig,
        packet::{frame, tcp},
    },
};
use lb::{config::Limits, model::Admin};
use lb_common::verdict::Verdict;

const VIP: &str = "203.0.113.10:80";
const CONFIG: &str = r#"
    [[service]]
    name = "web"
    address = "tcp:203.0.113.10:80"
    table_size = 1024
    [[service.backend]]
    address = "192.0.2.21"
    [[service.backend]]
    address = "192.0.2.22"
    "#;

/// Places of the smallest flow table.
const PLACES: u64 = 64;
/// So many flows that most find no place, even should two epochs end meanwhile, each of which lets
/// newcomers push out those that did not live over it.
const FLOWS: u16 = 1000;
/// Longer than two epochs last.
const TWO_EPOCHS: Duration = Duration::from_secs(20);

fn small() -> Rig {
    Rig::with_limits(CONFIG, Limits { flows: PLACES as u32, ..LIMITS })
}

fn flow(number: u16) -> Vec<u8> {
    frame(&[], &tcp(&format!("198.51.100.7:{}", 10_000 + number), VIP, "A"))
}

/// The last byte of the backend's address in the outer header.
fn backend_of(rig: &mut Rig, packet: &[u8]) -> u8 {
    let outcome = rig.send(packet);
    assert_eq!(outcome.verdict, Verdict::Transmitted);
    outcome.frame[14 + 19]
}

fn backends_of_all(rig: &mut Rig) -> Vec<u8> {
    (0..FLOWS).map(|number| backend_of(rig, &flow(number))).collect()
}

#[test]
fn a_flow_that_finds_no_place_is_forwarded_all_the_same_and_counted() {
    let mut rig = small();
    backends_of_all(&mut rig);
    let counters = ["192.0.2.21", "192.0.2.22"].map(|backend| rig.counters(backend));
    let [tracked, untracked] =
        [counters.map(|count| count.new_flows), counters.map(|count| count.untracked)];
    let sum = |counts: [u64; 2]| counts.iter().sum::<u64>();
    assert_eq!(sum(tracked) + sum(untracked), u64::from(FLOWS));
    assert!((1..=3 * PLACES).contains(&sum(tracked)), "{tracked:?} new flows");
    assert!(rig.flows("192.0.2.21") + rig.flows("192.0.2.22") <= PLACES);
}

#[test]
fn a_flow_that_finds_no_place_stays_with_its_backend_while_backends_stay() {
    let mut rig = small();
    let before = backends_of_all(&mut rig);
    assert!(before.contains(&21) && before.contains(&22));
    assert_eq!(backends_of_all(&mut rig), before);
}

#[test]
fn a_flood_of_new_flows_moves_no_flow_that_has_lived_for_a_while() {
    let mut rig = small();
    let old: Vec<Vec<u8>> =
        (0..FLOWS).map(flow).filter(|packet| backend_of(&mut rig, packet) == 21).take(8).collect();
    let start = rig.now();
    let lived = poll::until(TWO_EPOCHS, || {
        for packet in &old {
            assert_eq!(backend_of(&mut rig, packet), 21);
        }
        (rig.now().since(start) >= 2).then_some(())
    });
    assert!(lived.is_some(), "epochs do not pass");
    // From here on the scheduler would send them to the other backend.
    rig.administer("192.0.2.21", Admin::Draining);
    for number in FLOWS..3 * FLOWS {
        assert_eq!(backend_of(&mut rig, &flow(number)), 22);
    }
    for packet in old {
        assert_eq!(backend_of(&mut rig, &packet), 21);
    }
}
