//! What becomes of flows, and how packets are treated.

use lb_common::service::{self, Affinity, ServiceSlot};

use super::*;

const TWO: [(u8, &str); 2] = [(21, "weight = 1"), (22, "weight = 3")];

#[test]
fn a_dead_backend_keeps_its_flows_only_where_its_service_says_so() {
    for (on_failure, flags) in [
        ("move", BackendEntry::RESOLVED),
        ("reset", BackendEntry::RESOLVED),
        ("keep", BackendEntry::RESOLVED | BackendEntry::USABLE),
    ] {
        let mut world = World::web(&format!("on_failure = \"{on_failure}\""), &TWO);
        world.judge(21, Health::Down);
        assert_eq!(world.flags(21), flags, "{on_failure}");
        assert_eq!(world.open(), [22], "{on_failure}");
        let resets = world.table().tuning.flags & ServiceSlot::RESETS != 0;
        assert_eq!(resets, on_failure == "reset");
    }
}

#[test]
fn a_disabled_backend_keeps_no_flow_whatever_becomes_of_those_of_dead_ones() {
    let mut world = World::web("on_failure = \"keep\"\npanic_threshold = 100", &TWO);
    world.judge(22, Health::Down);
    world.administer(21, Admin::Disabled);
    assert_eq!(world.flags(21), BackendEntry::RESOLVED);
}

#[test]
fn flows_leave_a_drained_backend_where_the_service_says_so_and_somebody_takes_them() {
    const LEAVES: u8 = BOTH | BackendEntry::LEAVING;
    let mut keeps = World::web("", &TWO);
    keeps.administer(21, Admin::Draining);
    assert_eq!(keeps.flags(21), BOTH, "TCP keeps unless told otherwise");

    let mut moves = World::web("on_drain = \"move\"", &TWO);
    assert_eq!(moves.flags(21), SERVES);
    moves.administer(21, Admin::Draining);
    assert_eq!((moves.flags(21), moves.flags(22)), (LEAVES, SERVES));
    moves.judge(22, Health::Down);
    assert_eq!(moves.flags(21), BOTH, "better here than nowhere");
    moves.judge(22, Health::Up);
    moves.administer(22, Admin::Draining);
    assert_eq!((moves.flags(21), moves.flags(22)), (BOTH, BOTH));
}

#[test]
fn udp_flows_leave_a_drained_backend_unless_told_otherwise() {
    let file = |more: &str| {
        format!(
            "[[service]]\nname = \"web\"\naddress = \"udp:203.0.113.10:53\"\n{more}\n\
             [[service.backend]]\naddress = \"192.0.2.21\"\n\
             [[service.backend]]\naddress = \"192.0.2.22\"\n"
        )
    };
    for (more, leaves) in [("", true), ("on_drain = \"keep\"", false)] {
        let mut world = World::of(&file(more));
        world.administer(21, Admin::Draining);
        assert_eq!(world.flags(21) & BackendEntry::LEAVING != 0, leaves, "{more:?}");
    }
}

#[test]
fn a_limit_of_flows_needs_memory_and_somebody_to_turn_to() {
    for scheduler in ["maglev", "sh", "p2c", "rr", "wrr", "lc", "wlc"] {
        let settings = format!("scheduler = \"{scheduler}\"");
        let limit = |world: &World| {
            let flags = world.table().tuning.flags;
            (flags & ServiceSlot::LIMITED != 0, flags & ServiceSlot::STATEFUL != 0)
        };
        let most = |world: &World, last| world.plan().shares[&world.id(last)].most;

        let free = World::web(&settings, &TWO);
        assert!(!limit(&free).0);
        assert_eq!(most(&free, 22), u32::MAX);

        let limited = World::web(&settings, &[(21, ""), (22, "max_flows = 7")]);
        assert_eq!(limit(&limited), (true, true), "{scheduler}");
        assert_eq!((most(&limited, 21), most(&limited, 22)), (u32::MAX, 7));
        let rotation = limited.table().rotation.unwrap();
        assert!([21, 22].iter().all(|last| rotation.contains(&limited.id(*last))), "{scheduler}");
    }
}

#[test]
fn each_scheduler_has_its_number_its_memory_and_its_rotation() {
    use service::Scheduler::{LeastFlows, Maglev, Rotation, TwoChoices};
    // Turns of weights 1 and 3.
    let schedulers = [
        ("maglev", Maglev, false, None),
        ("sh", Maglev, false, None),
        ("p2c", TwoChoices, true, None),
        ("rr", Rotation, true, Some((1, 1))),
        ("wrr", Rotation, true, Some((1, 3))),
        ("lc", LeastFlows, true, Some((1, 1))),
        ("wlc", LeastFlows, true, Some((1, 1))),
    ];
    for (name, number, is_stateful, turns) in schedulers {
        let world = World::web(&format!("scheduler = \"{name}\""), &TWO);
        let ServiceTable { tuning, maglev, rotation, .. } = world.table();
        assert_eq!(tuning.scheduler, number as u8, "{name}");
        assert_eq!(tuning.flags & ServiceSlot::STATEFUL != 0, is_stateful, "{name}");
        assert!(maglev.is_some(), "{name}: it takes over where the flow table is full");
        let of = |last, rotation: &[BackendId]| {
            rotation.iter().filter(|id| **id == world.id(last)).count()
        };
        let seen = rotation.map(|rotation| (of(21, &rotation), of(22, &rotation)));
        // A rotation may go round more than once, as long as it is fair.
        let rounds = seen.map_or(1, |(first, _)| first);
        assert_eq!(seen, turns.map(|(one, other)| (one * rounds, other * rounds)), "{name}");
    }
}

#[test]
fn the_hash_looks_at_what_the_service_says() {
    const SOURCE: u8 = ServiceSlot::BY_SOURCE;
    const BOTH_ENDS: u8 = SOURCE | ServiceSlot::BY_DESTINATION;
    for (settings, bits) in [
        ("", 0),
        ("hash = \"5tuple\"", 0),
        ("hash = \"source\"", SOURCE),
        ("scheduler = \"sh\"", SOURCE),
        ("hash = \"source+destination\"", BOTH_ENDS),
        ("hash = \"source-port-free\"", BOTH_ENDS | ServiceSlot::BY_DESTINATION_PORT),
    ] {
        assert_eq!(World::web(settings, &TWO).table().tuning.hash, bits, "{settings:?}");
    }
}

#[test]
fn affinity_needs_memory_whatever_the_scheduler() {
    let without = World::web("", &TWO).table().tuning;
    assert_eq!((without.affinity, without.flags), (Affinity::default(), 0));
    let settings = r#"affinity = { by = "address", prefix4 = 24, prefix6 = 56, timeout = "10m" }"#;
    let tuning = World::web(settings, &TWO).table().tuning;
    assert_eq!(tuning.flags, ServiceSlot::STATEFUL);
    // 600 s in epochs of 4.096 s, rounded up.
    assert_eq!(tuning.affinity, Affinity { prefix4: 24, prefix6: 56, idle: 147 });
}
