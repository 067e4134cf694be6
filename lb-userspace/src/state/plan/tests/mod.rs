mod policy;
mod pool;
mod spoilt;

use std::{collections::BTreeSet, net::IpAddr};

use lb_common::{
    address::Address,
    backend::{BackendEntry, BackendId, Method},
};

use super::*;
use crate::{
    config::Config,
    model::{Admin, BackendKey, Weight},
    state::{BackendSettings, Change, Health, IdLimits, NextHop},
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
        Self::of(FILE)
    }

    /// A service `web` with these settings and backends: the last byte of the address, and more of
    /// its table.
    fn web(settings: &str, backends: &[(u8, &str)]) -> Self {
        let backend = |(last, more): &(u8, &str)| {
            format!("[[service.backend]]\naddress = \"192.0.2.{last}\"\n{more}\n")
        };
        let backends: String = backends.iter().map(backend).collect();
        Self::of(&format!(
            "[[service]]\nname = \"web\"\naddress = \"tcp:203.0.113.10:443\"\n\
             check = {{ type = \"tcp\" }}\ntable_size = 64\n{settings}\n{backends}"
        ))
    }

    fn of(file: &str) -> Self {
        let desired = Config::parse("lb.toml", file).unwrap().desired;
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
        let mut cache = TableCache::default();
        plan(&self.desired, &self.observed, &self.ids(), &self.settings, &mut cache)
    }

    fn key(&self, address: &str) -> BackendKey {
        let service = "web".parse().unwrap();
        let owner = &self.desired.services[&service];
        let address = owner.complete(address.parse().unwrap()).unwrap();
        BackendKey { service, address }
    }

    /// The entry of a backend of `web`, and how many slots it has.
    fn seen(&self, address: &str) -> (BackendEntry, usize) {
        let key = self.key(address);
        let tables = self.plan();
        let id = self.ids().backend(&key.service, &key.address).unwrap();
        let table = &tables.services[&web()];
        let slots = table.maglev.iter().flat_map(|table| table.iter());
        (tables.backends[&id], slots.filter(|slot| **slot == id).count())
    }

    fn wish(&mut self, change: Change) {
        self.desired = self.desired.apply(change).unwrap().0;
    }

    /// The number of 192.0.2.`last`.
    fn id(&self, last: u8) -> BackendId {
        let key = self.key(&format!("192.0.2.{last}"));
        self.ids().backend(&key.service, &key.address).unwrap()
    }

    fn judge(&mut self, last: u8, health: Health) {
        let key = self.key(&format!("192.0.2.{last}"));
        self.observed.health.insert(key, health);
    }

    fn administer(&mut self, last: u8, admin: Admin) {
        let backend = self.key(&format!("192.0.2.{last}"));
        self.wish(Change::SetAdmin { backend, admin });
    }

    fn weigh(&mut self, last: u8, weight: u16) {
        let backend = self.key(&format!("192.0.2.{last}"));
        let settings = BackendSettings { weight: Some(Weight(weight)), ..Default::default() };
        self.wish(Change::SetBackend { backend, settings });
    }

    fn lose_way_to(&mut self, last: u8) {
        self.observed.next_hops.remove(&IpAddr::from([192, 0, 2, last]));
    }

    /// The table of `web`.
    fn table(&self) -> ServiceTable {
        self.plan().services[&web()].clone()
    }

    fn flags(&self, last: u8) -> u8 {
        self.plan().backends[&self.id(last)].flags
    }

    /// Who takes new flows, by the last byte of its address: flags, tables and shares agree on it.
    fn open(&self) -> Vec<u8> {
        let Tables { services, backends, shares, .. } = self.plan();
        let ServiceTable { maglev, rotation, .. } = &services[&web()];
        let is_open = |id: &BackendId| backends[id].flags & BackendEntry::OPEN != 0;
        let open: BTreeSet<BackendId> = backends.keys().copied().filter(is_open).collect();
        let named = |table: &[BackendId]| table.iter().copied().collect::<BTreeSet<_>>();
        assert_eq!(named(maglev.as_deref().unwrap_or_default()), open);
        assert!(rotation.as_ref().is_none_or(|rotation| named(rotation) == open));
        assert_eq!(shares.into_keys().collect::<BTreeSet<_>>(), open);
        let last = |id| match IpAddr::from(backends[&id].outer_destination) {
            IpAddr::V4(address) => address.octets()[3],
            IpAddr::V6(address) => panic!("{address} is not of this world"),
        };
        open.into_iter().map(last).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

fn web() -> ServiceKey {
    service_key("tcp:203.0.113.10:443".parse().unwrap())
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
    let key = world.key("192.0.2.21");
    world.observed.health.insert(key, Health::Down);
    let (entry, slots) = world.seen("192.0.2.21");
    assert_eq!((entry.flags, slots), (BackendEntry::RESOLVED, 0));
}

#[test]
fn a_backend_that_was_never_probed_gets_nothing_yet() {
    let mut world = World::new();
    let key = world.key("192.0.2.21");
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
    assert_eq!(tables.services[&web()].maglev, None, "no backend of the other is known to be up");
}

#[test]
fn a_draining_backend_keeps_its_flows_and_gets_no_new_ones() {
    let mut world = World::new();
    let backend = world.key("192.0.2.21");
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
