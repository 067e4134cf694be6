//! Slow start: a backend that comes up gets its share of new flows step by step.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use super::{Desired, Health, Observed};
use crate::{
    maglev::Ramp,
    model::{Admin, BackendKey, ServiceName},
};

/// Who is warming up. It is told what is so, and when; it has no clock.
#[derive(Debug, Clone, Default)]
pub struct Warming {
    /// Who could take new flows when it was asked last.
    able: BTreeSet<BackendKey>,
    since: BTreeMap<BackendKey, Instant>,
    /// The services that have begun.
    begun: BTreeSet<ServiceName>,
    /// Who has been there since its service began, and of whom nobody knows yet whether it serves.
    unjudged: BTreeSet<BackendKey>,
}

impl Warming {
    /// Nobody of these warms up: they serve already.
    pub fn adopted(serving: BTreeSet<BackendKey>) -> Self {
        let begun = serving.iter().map(|key| key.service.clone()).collect();
        Self { able: serving, begun, ..Self::default() }
    }

    /// How much of its share each backend takes that is warming up. One begins when it can take new
    /// flows and could not before, unless its service has nobody else: then there is nobody to take
    /// the rest. The backends that a service begins with are no newcomers either: whose check is
    /// answered first shall not have all to itself. A backend that fails meanwhile begins anew.
    pub fn advance(
        &mut self,
        desired: &Desired,
        observed: &Observed,
        now: Instant,
    ) -> BTreeMap<BackendKey, Ramp> {
        self.begin(desired);
        let able = able(desired, observed);
        let before = std::mem::replace(&mut self.able, able);
        for key in self.able.difference(&before) {
            let others = before.iter().filter(|other| other.service == key.service);
            let joins = others.filter(|other| self.able.contains(other)).count() > 0;
            if joins && !self.unjudged.contains(key) {
                self.since.insert(key.clone(), now);
            }
        }
        self.unjudged.retain(|key| is_unjudged(desired, observed, key));
        let mut ramps = BTreeMap::new();
        self.since.retain(|key, since| {
            let over = slow_start(desired, key).filter(|_| self.able.contains(key));
            let ramp = over.map_or(Ramp::FULL, |over| step(now - *since, over));
            if ramp < Ramp::FULL {
                ramps.insert(key.clone(), ramp);
            }
            ramp < Ramp::FULL
        });
        ramps
    }

    /// Notes the backends of services that are new.
    fn begin(&mut self, desired: &Desired) {
        self.begun.retain(|name| desired.services.contains_key(name));
        for (name, service) in &desired.services {
            if !self.begun.contains(name) {
                let key = |address: &_| BackendKey { service: name.clone(), address: *address };
                self.unjudged.extend(service.backends.keys().map(key));
                self.begun.insert(name.clone());
            }
        }
    }

    /// When the next step of somebody is due after `now`; none while nobody is warming up.
    pub fn next_step(&self, desired: &Desired, now: Instant) -> Option<Instant> {
        let next = |(key, since): (&BackendKey, &Instant)| {
            let over = slow_start(desired, key)?;
            let steps = u32::from(step(now - *since, over).steps());
            Some(*since + over * steps / RISES)
        };
        self.since.iter().filter_map(next).min()
    }
}

/// From the first step, which is taken at once, to the whole share.
const RISES: u32 = Ramp::STEPS as u32 - 1;

fn step(elapsed: Duration, over: Duration) -> Ramp {
    let rises = elapsed.as_nanos() * u128::from(RISES) / over.as_nanos().max(1);
    Ramp::of(1 + rises.min(u128::from(RISES)) as u8)
}

fn slow_start(desired: &Desired, key: &BackendKey) -> Option<Duration> {
    Some(desired.services.get(&key.service)?.policy.slow_start?.get())
}

/// True of a backend that was neither seen to fail nor to be able to serve.
fn is_unjudged(desired: &Desired, observed: &Observed, key: &BackendKey) -> bool {
    let service = desired.services.get(&key.service);
    service.is_some_and(|service| service.backends.contains_key(&key.address))
        && observed.health.get(key) != Some(&Health::Down)
        && !observed.can_serve(desired, key)
}

/// The backends that could take new flows, as far as they are concerned.
fn able(desired: &Desired, observed: &Observed) -> BTreeSet<BackendKey> {
    let keys = desired.services.iter().flat_map(|(name, service)| {
        let wanted = service
            .backends
            .iter()
            .filter(|(_, backend)| backend.admin == Admin::Enabled && backend.weight.0 > 0);
        wanted.map(|(address, _)| BackendKey { service: name.clone(), address: *address })
    });
    keys.filter(|key| observed.can_serve(desired, key)).collect()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::{config::Config, state::NextHop};

    const FILE: &str = r#"
[[service]]
name = "web"
address = "tcp:203.0.113.10:443"
check = { type = "tcp" }
slow_start = "15s"
[[service.backend]]
address = "192.0.2.21"
[[service.backend]]
address = "192.0.2.22"
"#;

    struct World {
        desired: Desired,
        observed: Observed,
        warming: Warming,
        start: Instant,
    }

    fn key(last: u8) -> BackendKey {
        let address = format!("192.0.2.{last}:443").parse().unwrap();
        BackendKey { service: "web".parse().unwrap(), address }
    }

    impl World {
        fn new() -> Self {
            let desired = Config::parse("lb.toml", FILE).unwrap().desired;
            let warming = Warming::default();
            let observed = Observed::default();
            Self { desired, observed, warming, start: Instant::now() }
        }

        /// A world in which every backend has failed.
        fn failed() -> Self {
            let mut world = Self::new();
            world.judge(21, Health::Down);
            world.judge(22, Health::Down);
            world.steps(21, 0);
            world
        }

        fn judge(&mut self, last: u8, health: Health) {
            let key = key(last);
            let source: IpAddr = "192.0.2.11".parse().unwrap();
            let next_hop = NextHop {
                egress: 1,
                destination_mac: [2; 6],
                source_mac: [4; 6],
                vlans: [0; 2],
                mtu: 1500,
                source,
            };
            self.observed.next_hops.insert(key.address.ip, next_hop);
            self.observed.health.insert(key, health);
        }

        /// The sixteenths of a backend at a time.
        fn steps(&mut self, last: u8, seconds: u64) -> u8 {
            let now = self.start + Duration::from_secs(seconds);
            let ramps = self.warming.advance(&self.desired, &self.observed, now);
            ramps.get(&key(last)).copied().unwrap_or(Ramp::FULL).steps()
        }
    }

    #[test]
    fn a_backend_that_joins_others_gets_its_share_in_sixteen_steps_over_the_time() {
        let mut world = World::failed();
        world.judge(21, Health::Up);
        assert_eq!(world.steps(21, 0), 16, "the first has nobody to take the rest");
        world.judge(22, Health::Up);
        let steps: Vec<u8> = (0..=16).map(|second| world.steps(22, 100 + second)).collect();
        assert_eq!(steps, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 16]);
        assert_eq!(world.steps(21, 120), 16);
    }

    #[test]
    fn the_next_step_is_known_until_there_is_none() {
        let mut world = World::failed();
        world.judge(21, Health::Up);
        world.steps(21, 0);
        world.judge(22, Health::Up);
        let mut second = 100;
        world.steps(22, second);
        while let Some(next) =
            world.warming.next_step(&world.desired, world.start + Duration::from_secs(second))
        {
            second += 1;
            assert_eq!(next, world.start + Duration::from_secs(second));
            world.steps(22, second);
        }
        assert_eq!(second, 115);
    }

    #[test]
    fn a_backend_that_fails_while_it_warms_up_begins_anew() {
        let mut world = World::failed();
        world.judge(21, Health::Up);
        world.steps(21, 0);
        world.judge(22, Health::Up);
        assert_eq!(world.steps(22, 0), 1);
        assert_eq!(world.steps(22, 8), 9);
        world.judge(22, Health::Down);
        world.steps(22, 9);
        world.judge(22, Health::Up);
        assert_eq!(world.steps(22, 10), 1);
    }

    #[test]
    fn backends_that_a_service_begins_with_have_their_whole_share_whoever_is_judged_first() {
        let mut world = World::new();
        world.judge(21, Health::Up);
        assert_eq!((world.steps(21, 0), world.steps(22, 0)), (16, 16));
        world.judge(22, Health::Up);
        assert_eq!(world.steps(22, 1), 16);
        world.judge(22, Health::Down);
        world.steps(22, 2);
        world.judge(22, Health::Up);
        assert_eq!(world.steps(22, 3), 1, "from now on it is like any other");
    }

    #[test]
    fn a_backend_that_is_added_or_enabled_later_warms_up() {
        let mut world = World::new();
        let BackendKey { service: name, address } = key(22);
        let later = world.desired.services.get_mut(&name).unwrap().backends.remove(&address);
        world.judge(21, Health::Up);
        world.steps(21, 0);
        let backends = &mut world.desired.services.get_mut(&name).unwrap().backends;
        backends.insert(address, later.unwrap());
        world.judge(22, Health::Up);
        assert_eq!(world.steps(22, 1), 1);

        let mut world = World::new();
        let admin = |world: &mut World, admin| {
            let service = world.desired.services.get_mut(&name).unwrap();
            service.backends.get_mut(&address).unwrap().admin = admin;
        };
        admin(&mut world, Admin::Disabled);
        world.judge(21, Health::Up);
        world.judge(22, Health::Up);
        world.steps(21, 0);
        admin(&mut world, Admin::Enabled);
        assert_eq!(world.steps(22, 1), 1);
    }

    #[test]
    fn backends_that_serve_when_the_daemon_starts_go_on_with_their_whole_share() {
        let mut world = World::new();
        world.judge(21, Health::Up);
        world.judge(22, Health::Up);
        world.warming = Warming::adopted([key(21), key(22)].into());
        assert_eq!((world.steps(21, 0), world.steps(22, 0)), (16, 16));
    }
}
