//! Worlds that are spoilt in every way at once.

use std::{
    collections::BTreeMap,
    num::{NonZeroU16, NonZeroU32},
};

use proptest::{prelude::*, sample::select};

use super::*;
use crate::{
    maglev::Ramp,
    model::{OnDrain, OnFailure, Policy, Scheduler},
};

/// How a world is spoilt.
#[derive(Debug, Clone)]
struct Spoilt {
    policy: Policy,
    backends: Vec<SpoiltBackend>,
}

#[derive(Debug, Clone)]
struct SpoiltBackend {
    health: Option<Health>,
    is_known: bool,
    ramp: Ramp,
    admin: Admin,
    weight: u16,
    backup: bool,
    max_flows: Option<NonZeroU32>,
}

fn spoil(spoilt: &Spoilt) -> World {
    let mut world = World::new();
    let mut backends = spoilt.backends.iter().cycle();
    for (name, service) in &mut world.desired.services {
        service.policy = spoilt.policy;
        for (address, backend) in &mut service.backends {
            let Some(spoilt) = backends.next() else { return world };
            let key = BackendKey { service: name.clone(), address: *address };
            world.observed.health.remove(&key);
            world.observed.health.extend(spoilt.health.map(|health| (key.clone(), health)));
            world.observed.ramps.insert(key, spoilt.ramp);
            if !spoilt.is_known {
                world.observed.next_hops.remove(&address.ip);
            }
            backend.admin = spoilt.admin;
            backend.weight.0 = spoilt.weight;
            backend.backup = spoilt.backup;
            backend.max_flows = spoilt.max_flows;
        }
    }
    world
}

fn spoilt() -> impl Strategy<Value = Spoilt> {
    (policy(), prop::collection::vec(backend(), 4))
        .prop_map(|(policy, backends)| Spoilt { policy, backends })
}

fn policy() -> impl Strategy<Value = Policy> {
    use Scheduler::{Lc, Maglev, P2c, Rr, Sh, Wlc, Wrr};
    let scheduler = select(vec![Maglev, Rr, Wrr, Lc, Wlc, Sh, P2c]);
    let on_failure = select(vec![OnFailure::Move, OnFailure::Reset, OnFailure::Keep]);
    let on_drain = select(vec![None, Some(OnDrain::Keep), Some(OnDrain::Move)]);
    (scheduler, on_failure, on_drain, 1..4u16, select(vec![0u8, 30, 50, 100])).prop_map(
        |(scheduler, on_failure, on_drain, min_primaries, panic_threshold)| Policy {
            scheduler,
            on_failure,
            on_drain,
            min_primaries: NonZeroU16::new(min_primaries).unwrap(),
            panic_threshold: panic_threshold.try_into().unwrap(),
            ..Policy::default()
        },
    )
}

fn backend() -> impl Strategy<Value = SpoiltBackend> {
    let health = select(vec![None, Some(Health::Up), Some(Health::Down)]);
    let admin = select(vec![Admin::Enabled, Admin::Draining, Admin::Disabled]);
    let max_flows = select(vec![None, NonZeroU32::new(7)]);
    (health, any::<bool>(), 1..=Ramp::STEPS, admin, 0..4u16, any::<bool>(), max_flows).prop_map(
        |(health, is_known, steps, admin, weight, backup, max_flows)| {
            let ramp = Ramp::of(steps);
            SpoiltBackend { health, is_known, ramp, admin, weight, backup, max_flows }
        },
    )
}

proptest! {
    #[test]
    fn a_plan_is_the_same_with_a_cache_of_other_plans_and_in_any_order(
        before in spoilt(),
        after in spoilt(),
    ) {
        let (before, after) = (spoil(&before), spoil(&after));
        let mut cache = TableCache::default();
        let mut planned = |world: &World| {
            plan(&world.desired, &world.observed, &world.ids(), &world.settings, &mut cache)
        };
        planned(&before);
        let with_cache = planned(&after);
        prop_assert_eq!(&with_cache, &after.plan());
        prop_assert_eq!(&with_cache, &planned(&after));

        let services: BTreeMap<_, _> = after.desired.services.clone().into_iter().rev().collect();
        let health: BTreeMap<_, _> = after.observed.health.clone().into_iter().rev().collect();
        let observed = Observed { health, ..after.observed.clone() };
        let reversed = World { desired: Desired { services }, observed, ..after };
        prop_assert_eq!(with_cache, reversed.plan());
    }

    #[test]
    fn every_slot_and_every_turn_is_that_of_a_backend_of_the_service_that_takes_new_flows(
        spoilt in spoilt(),
    ) {
        let tables = spoil(&spoilt).plan();
        let mut all_open = BTreeSet::new();
        for table in tables.services.values() {
            let of_service = tables.backends.iter().filter(|(_, entry)| entry.service == table.id);
            let open: BTreeSet<BackendId> =
                of_service.filter(|(_, entry)| entry.flags == SERVES).map(|(id, _)| *id).collect();
            let slots: BTreeSet<BackendId> =
                table.maglev.iter().flat_map(|table| table.iter().copied()).collect();
            prop_assert!(slots.is_subset(&open));
            prop_assert_eq!(slots.is_empty(), open.is_empty());
            if let Some(rotation) = &table.rotation {
                prop_assert_eq!(&rotation.iter().copied().collect::<BTreeSet<_>>(), &open);
            }
            all_open.extend(open);
        }
        prop_assert_eq!(&tables.shares.into_keys().collect::<BTreeSet<_>>(), &all_open);
        // What is open is usable, resolved, and stays.
        for (id, entry) in &tables.backends {
            prop_assert_eq!(entry.flags & BackendEntry::OPEN != 0, all_open.contains(id));
        }
    }

    #[test]
    fn a_backend_has_its_flows_as_long_as_nobody_took_it_out_and_it_lives_or_they_wait(
        spoilt in spoilt(),
    ) {
        let world = spoil(&spoilt);
        let tables = world.plan();
        for (key, id) in world.ids().backends() {
            let service = &world.desired.services[&key.service];
            let is_disabled = service.backends[&key.address].admin == Admin::Disabled;
            let is_up =
                service.check.is_none() || world.observed.health.get(&key) == Some(&Health::Up);
            let waits = service.policy.on_failure == OnFailure::Keep;
            let is_usable = tables.backends[&id].flags & BackendEntry::USABLE != 0;
            if is_disabled || is_up || waits {
                prop_assert_eq!(is_usable, !is_disabled);
            } else if service.policy.panic_threshold.get() == 0 {
                prop_assert!(!is_usable);
            }
        }
    }
}
