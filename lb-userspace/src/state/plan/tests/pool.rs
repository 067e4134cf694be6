//! Which backends take new flows, and how many each.

use super::*;
use crate::maglev::Ramp;

const THREE_AND_A_BACKUP: [(u8, &str); 4] = [(21, ""), (22, ""), (23, ""), (29, "backup = true")];

#[test]
fn backups_take_new_flows_while_fewer_primaries_are_able_than_there_should_be() {
    let mut world = World::web("min_primaries = 2", &THREE_AND_A_BACKUP);
    assert_eq!(world.open(), [21, 22, 23]);
    assert_eq!(world.flags(29), BOTH, "what it has it keeps");
    world.judge(21, Health::Down);
    assert_eq!(world.open(), [22, 23], "two are enough");
    world.judge(22, Health::Down);
    assert_eq!(world.open(), [23, 29]);
    world.judge(21, Health::Up);
    assert_eq!(world.open(), [21, 23]);
}

#[test]
fn where_there_are_too_few_primaries_for_good_backups_have_slots_of_their_own() {
    let world = World::web("min_primaries = 2", &[(21, ""), (29, "backup = true")]);
    assert_eq!(world.open(), [21, 29]);
    let slots = |last| {
        let id = world.id(last);
        world.table().maglev.unwrap().iter().filter(|slot| **slot == id).count()
    };
    assert_eq!(slots(21), slots(29));
}

#[test]
fn a_primary_that_is_drained_weightless_or_out_of_reach_is_not_able() {
    let spoil: [fn(&mut World); 4] = [
        |world| world.administer(21, Admin::Draining),
        |world| world.administer(21, Admin::Disabled),
        |world| world.weigh(21, 0),
        |world| world.lose_way_to(21),
    ];
    for spoil in spoil {
        let mut world = World::web("", &[(21, ""), (29, "backup = true")]);
        assert_eq!(world.open(), [21]);
        spoil(&mut world);
        assert_eq!(world.open(), [29]);
    }
}

#[test]
fn backups_help_until_the_primary_that_came_back_is_warm() {
    let mut world = World::web("", &[(21, ""), (29, "backup = true")]);
    let key = world.key("192.0.2.21");
    world.observed.ramps.insert(key.clone(), Ramp::of(4));
    assert_eq!(world.open(), [21, 29]);
    let ((_, warming), (_, helping)) = (world.seen("192.0.2.21"), world.seen("192.0.2.29"));
    assert_eq!((warming, helping), (16, 48), "a quarter of what it will have");
    world.observed.ramps.remove(&key);
    assert_eq!(world.open(), [21]);
}

#[test]
fn a_backup_that_is_not_able_helps_nobody() {
    let mut world = World::web("", &[(21, ""), (29, "backup = true")]);
    world.judge(21, Health::Down);
    world.judge(29, Health::Down);
    assert_eq!(world.open(), [0u8; 0]);
    assert_eq!(world.table().maglev, None);
}

#[test]
fn below_the_panic_threshold_every_enabled_backend_is_used_and_only_then() {
    let four = [(21, ""), (22, ""), (23, ""), (24, "")];
    let mut world = World::web("panic_threshold = 50", &four);
    world.judge(21, Health::Down);
    world.judge(22, Health::Down);
    assert_eq!(world.open(), [23, 24], "half is not less than half");
    assert_eq!(world.flags(21), BackendEntry::RESOLVED);
    world.judge(23, Health::Down);
    assert_eq!(world.open(), [21, 22, 23, 24]);
    assert_eq!(world.flags(21), SERVES);
    world.judge(23, Health::Up);
    assert_eq!(world.open(), [23, 24]);
}

#[test]
fn in_a_panic_nobody_is_used_who_is_not_wanted_or_cannot_be_reached() {
    let five = [(21, ""), (22, ""), (23, ""), (24, ""), (29, "backup = true")];
    let mut world = World::web("panic_threshold = 50", &five);
    for last in [21, 22, 23, 24, 29] {
        world.judge(last, Health::Down);
    }
    world.administer(21, Admin::Draining);
    world.weigh(22, 0);
    world.lose_way_to(23);
    world.administer(24, Admin::Disabled);
    assert_eq!(world.open(), [29]);
    assert_eq!(world.flags(21), BOTH);
    assert_eq!(world.flags(22), BOTH);
    assert_eq!(world.flags(23), BackendEntry::USABLE);
    assert_eq!(world.flags(24), BackendEntry::RESOLVED);
}

#[test]
fn backends_that_are_not_wanted_do_not_count_for_the_panic_threshold() {
    let mut world = World::web("panic_threshold = 60", &[(21, ""), (22, ""), (23, "")]);
    world.judge(21, Health::Down);
    assert_eq!(world.open(), [22, 23], "two of three");
    world.administer(22, Admin::Draining);
    assert_eq!(world.open(), [21, 23], "one of two");
    world.administer(21, Admin::Disabled);
    assert_eq!(world.open(), [23], "one of one");
}

#[test]
fn without_a_panic_threshold_a_service_goes_down_with_its_backends() {
    let mut world = World::web("", &[(21, ""), (22, "")]);
    world.judge(21, Health::Down);
    world.judge(22, Health::Down);
    assert_eq!(world.open(), [0u8; 0]);
}

#[test]
fn a_backend_without_weight_keeps_its_flows_and_gets_no_new_ones() {
    for scheduler in ["maglev", "rr", "wrr", "lc", "wlc", "sh", "p2c"] {
        let settings = format!("scheduler = \"{scheduler}\"");
        let mut world = World::web(&settings, &[(21, ""), (22, "weight = 0")]);
        assert_eq!(world.open(), [21], "{scheduler}");
        assert_eq!(world.flags(22), BOTH, "{scheduler}");
        world.weigh(21, 0);
        assert_eq!(world.open(), [0u8; 0], "{scheduler}");
    }
}

#[test]
fn a_backend_that_warms_up_has_a_part_of_its_share() {
    let shares = |scheduler: &str| {
        let settings = format!("scheduler = \"{scheduler}\"");
        let mut world = World::web(&settings, &[(21, "weight = 3"), (22, "weight = 3")]);
        let key = world.key("192.0.2.22");
        world.observed.ramps.insert(key, Ramp::of(4));
        let shares = world.plan().shares;
        let (_, slots) = world.seen("192.0.2.22");
        let turns = world.table().rotation.map_or(0, |rotation| {
            let of = |last| rotation.iter().filter(|id| **id == world.id(last)).count();
            of(21) / of(22)
        });
        ([21, 22].map(|last| shares[&world.id(last)].weight), slots, turns)
    };
    assert_eq!(shares("maglev"), ([48, 12], 8, 0), "a quarter of half the slots");
    assert_eq!(shares("wlc"), ([48, 12], 8, 1), "a roster has each once");
    assert_eq!(shares("lc"), ([16, 4], 8, 1), "weights aside");
    assert_eq!(shares("rr").2, 4);
    assert_eq!(shares("wrr").2, 4);
}
