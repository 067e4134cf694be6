use std::{collections::BTreeMap, net::IpAddr};

use proptest::prelude::*;

use lb_common::{
    address::Address,
    backend::{BackendEntry, Method},
};

use super::*;
use crate::{
    config::Config,
    model::{Admin, BackendKey},
    state::{Change, Health, IdLimits, NextHop},
};

const SETTINGS: PlanSettings = PlanSettings {
    tunnel: TunnelSources { v4: None, v6: None },
    epoch: Duration::from_millis(4096),
};

const FILE: &str = r#"
[[service]]
name = "web"
address = "tcp:203.0.113.10:443"
check = { type = "tcp" }
table_size = 64
[[service.backend]]
address = "192.0.2.21"
[[service.backend]]
address = "192.0.2.22"
weight = 2
[[service.backend]]
address = "2001:db8::21"

[[service]]
name = "dns"
address = "udp:[2001:db8::10]:*"
table_size = 32
[[service.backend]]
address = "192.0.2.21"
"#;

/// A world in which all is well, to be spoilt.
struct World {
    desired: Desired,
    observed: Observed,
    settings: PlanSettings,
}

impl World {
    fn new() -> Self {
        let desired = Config::parse("lb.toml", FILE).unwrap().desired;
        let mut observed = Observed::default();
        for (name, service) in &desired.services {
            for address in service.backends.keys() {
                let key = BackendKey { service: name.clone(), address: *address };
                observed.health.insert(key, Health::Up);
                observed.next_hops.insert(address.ip, next_hop(address.ip));
            }
        }
        Self { desired, observed, settings: SETTINGS }
    }

    fn ids(&self) -> Ids {
        let limits = IdLimits { services: 8, backends: 16 };
        Ids::default().assign(&self.desired, limits).unwrap()
    }

    fn plan(&self) -> Tables {
        let mut cache = MaglevCache::default();
        plan(&self.desired, &self.observed, &self.ids(), &self.settings, &mut cache)
    }

    fn web(&self, address: &str) -> BackendKey {
        let service = "web".parse().unwrap();
        let owner = &self.desired.services[&service];
        let address = owner.complete(address.parse().unwrap()).unwrap();
        BackendKey { service, address }
    }

    /// The entry of a backend of `web`, and how many slots it has.
    fn seen(&self, address: &str) -> (BackendEntry, usize) {
        let key = self.web(address);
        let tables = self.plan();
        let id = self.ids().backend(&key.service, &key.address).unwrap();
        let table = &tables.services[&service_key("tcp:203.0.113.10:443".parse().unwrap())];
        let slots = table.maglev.iter().flat_map(|table| table.iter());
        (tables.backends[&id], slots.filter(|slot| **slot == id).count())
    }

    fn wish(&mut self, change: Change) {
        self.desired = self.desired.apply(change).unwrap().0;
    }
}

fn next_hop(ip: IpAddr) -> NextHop {
    NextHop {
        egress: 7,
        destination_mac: [2, 0, 0, 0, 0, 1],
        source_mac: [2, 0, 0, 0, 0, 2],
        vlans: [100, 0],
        mtu: 1500,
        source: match ip {
            IpAddr::V4(_) => "198.51.100.1".parse().unwrap(),
            IpAddr::V6(_) => "2001:db8:ffff::1".parse().unwrap(),
        },
    }
}

const SERVES: u8 = BackendEntry::USABLE | BackendEntry::RESOLVED | BackendEntry::OPEN;
const BOTH: u8 = BackendEntry::USABLE | BackendEntry::RESOLVED;

#[test]
fn a_healthy_backend_has_its_share_and_a_whole_header() {
    let (entry, slots) = World::new().seen("192.0.2.22");
    assert_eq!(slots, 32, "half of the weight, half of 64 slots");
    let expected = BackendEntry {
        outer_source: Address::v4([198, 51, 100, 1]),
        outer_destination: Address::v4([192, 0, 2, 22]),
        macs: [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2],
        egress: 7,
        vlans: [100, 0],
        mtu: 1500,
        service: 2,
        // 4500 + 4000 + 4004 + c633 + 6401 + c000 + 0216 = 2 b14e; b14e + 2
        checksum: 0xb150,
        flags: SERVES,
        method: Method::Ipip as u8,
        payload: 4,
        reserved: [0; 3],
    };
    assert_eq!(entry, expected);
}

#[test]
fn the_checksum_tells_ipv6_in_ipv4_and_an_ipv6_header_has_none() {
    let world = World::new();
    let (inside_v4, _) = world.seen("192.0.2.21");
    let id = world.ids().backend(&"dns".parse().unwrap(), &"192.0.2.21".parse().unwrap()).unwrap();
    let inside_v6 = world.plan().backends[&id];
    assert_eq!(inside_v6.checksum - inside_v4.checksum, 41 - 4);
    let (outer_v6, _) = world.seen("2001:db8::21");
    assert_eq!(outer_v6.checksum, 0);
    assert_eq!(IpAddr::from(outer_v6.outer_source), next_hop(IpAddr::from([0; 16])).source);
}

#[test]
fn a_backend_that_is_down_has_no_slot_and_its_flows_move() {
    let mut world = World::new();
    let key = world.web("192.0.2.21");
    world.observed.health.insert(key, Health::Down);
    let (entry, slots) = world.seen("192.0.2.21");
    assert_eq!((entry.flags, slots), (BackendEntry::RESOLVED, 0));
}

#[test]
fn a_backend_that_was_never_probed_gets_nothing_yet() {
    let mut world = World::new();
    let key = world.web("192.0.2.21");
    world.observed.health.remove(&key);
    let (entry, slots) = world.seen("192.0.2.21");
    assert_eq!((entry.flags, slots), (BackendEntry::RESOLVED, 0));
}

#[test]
fn a_service_without_a_check_uses_every_backend() {
    let mut world = World::new();
    world.observed.health.clear();
    let tables = world.plan();
    let key = service_key("udp:[2001:db8::10]:*".parse().unwrap());
    assert_eq!(tables.services[&key].maglev.as_ref().unwrap().len(), 32);
    let web = service_key("tcp:203.0.113.10:443".parse().unwrap());
    assert_eq!(tables.services[&web].maglev, None, "no backend of the other is known to be up");
}

#[test]
fn a_draining_backend_keeps_its_flows_and_gets_no_new_ones() {
    let mut world = World::new();
    let backend = world.web("192.0.2.21");
    world.wish(Change::SetAdmin { backend: backend.clone(), admin: Admin::Draining });
    let (entry, slots) = world.seen("192.0.2.21");
    assert_eq!((entry.flags, slots), (BOTH, 0));
    world.wish(Change::SetAdmin { backend, admin: Admin::Disabled });
    let (entry, slots) = world.seen("192.0.2.21");
    assert_eq!((entry.flags, slots), (BackendEntry::RESOLVED, 0), "disabled, it keeps none");
}

#[test]
fn a_backend_without_a_way_to_it_has_no_slot() {
    let mut world = World::new();
    world.observed.next_hops.remove(&"192.0.2.21".parse::<IpAddr>().unwrap());
    let (entry, slots) = world.seen("192.0.2.21");
    assert_eq!((entry.flags, slots), (BackendEntry::USABLE, 0));
    assert_eq!(entry.macs, [0; 12]);
}

#[test]
fn the_configured_tunnel_source_replaces_that_of_its_family() {
    let mut world = World::new();
    world.settings.tunnel.v4 = Some(Ipv4Addr::new(198, 51, 100, 99));
    let source = |address| IpAddr::from(world.seen(address).0.outer_source).to_string();
    assert_eq!(source("192.0.2.21"), "198.51.100.99");
    assert_eq!(source("2001:db8::21"), "2001:db8:ffff::1");
}

#[test]
fn every_port_is_port_zero_in_the_maps() {
    let key = service_key("udp:[2001:db8::10]:*".parse().unwrap());
    assert_eq!((key.selector.port(), key.selector.protocol()), (ANY_PORT, 17));
    let key = service_key("tcp:203.0.113.10:443".parse().unwrap());
    assert_eq!((key.selector.port(), key.selector.protocol()), (443, 6));
}

/// How a world is spoilt: by backend, its health, its way, and the operator's word and weight.
type Spoilt = Vec<(Option<bool>, bool, u8, u16)>;

fn spoil(spoilt: &Spoilt) -> World {
    let mut world = World::new();
    let mut spoilt = spoilt.iter().cycle();
    for (name, service) in &mut world.desired.services {
        for (address, backend) in &mut service.backends {
            let Some((health, is_known, admin, weight)) = spoilt.next() else { return world };
            let key = BackendKey { service: name.clone(), address: *address };
            world.observed.health.remove(&key);
            if let Some(is_up) = health {
                let health = if *is_up { Health::Up } else { Health::Down };
                world.observed.health.insert(key, health);
            }
            if !is_known {
                world.observed.next_hops.remove(&address.ip);
            }
            backend.admin = [Admin::Enabled, Admin::Draining, Admin::Disabled][usize::from(*admin)];
            backend.weight.0 = *weight;
        }
    }
    world
}

fn spoilt() -> impl Strategy<Value = Spoilt> {
    let one = (prop::option::of(any::<bool>()), any::<bool>(), 0..3u8, 0..4u16);
    prop::collection::vec(one, 4)
}

proptest! {
    #[test]
    fn a_plan_is_the_same_with_a_cache_of_other_plans_and_in_any_order(
        before in spoilt(),
        after in spoilt(),
    ) {
        let (before, after) = (spoil(&before), spoil(&after));
        let mut cache = MaglevCache::default();
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
    fn every_slot_names_a_backend_of_its_service_that_takes_packets(spoilt in spoilt()) {
        let world = spoil(&spoilt);
        let tables = world.plan();
        for table in tables.services.values() {
            for slot in table.maglev.iter().flat_map(|table| table.iter()) {
                let entry = tables.backends[slot];
                prop_assert_eq!((entry.flags, entry.service), (SERVES, table.id));
            }
        }
        for (key, id) in world.ids().backends() {
            let backend = world.desired.services[&key.service].backends[&key.address];
            let is_checked = world.desired.services[&key.service].check.is_some();
            let is_up = !is_checked || world.observed.health.get(&key) == Some(&Health::Up);
            let is_usable = tables.backends[&id].flags & BackendEntry::USABLE != 0;
            prop_assert_eq!(is_usable, is_up && backend.admin != Admin::Disabled);
        }
    }
}
