//! The data path in this kernel, in a network namespace and a BPF file system of the test's own.
//! These tests need root.

mod access;
mod trace;

use std::{net::IpAddr, path::Path, process::Command, sync::Arc};

use lb_common::{
    address::Address,
    backend::{BackendEntry, Method},
    flow::hash::HashKey,
    service::{Selector, ServiceKey},
    verdict::Verdict,
};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
};
use tempfile::TempDir;

use super::{
    Adopted, Dataplane, DataplaneConfig, Ingress, XdpMode, decap, detach, pin::Pins, recall,
};
use crate::config::{Limits, Mode};
use crate::state::{HashSeed, ServiceTable, Tables, Tuning};

const LIMITS: Limits =
    Limits { flows: 512, affinities: 64, services: 8, backends: 20, maglev_slots: 4096 };

/// A network namespace for this thread with a pair of interfaces, and a directory for pins.
struct World {
    dir: TempDir,
}

impl World {
    fn new() -> Self {
        unshare(CloneFlags::CLONE_NEWNET).expect("these tests need root");
        let world = Self { dir: TempDir::new().unwrap() };
        add_pair();
        world
    }

    fn pin_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("pins")
    }

    fn config(&self) -> DataplaneConfig {
        DataplaneConfig {
            pin_dir: self.pin_dir(),
            interfaces: vec!["in0".into()],
            mode: Mode::Auto,
            trace: false,
            limits: LIMITS,
            hash_seed: seed(7),
        }
    }

    fn open(&self) -> (Dataplane, Adopted) {
        Dataplane::open(&self.config()).unwrap()
    }

    fn refusal(&self, change: impl FnOnce(&mut DataplaneConfig)) -> String {
        let mut config = self.config();
        change(&mut config);
        match Dataplane::open(&config) {
            Ok(_) => panic!("it was taken"),
            Err(error) => error.to_string(),
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = umount2(&self.pin_dir(), MntFlags::MNT_DETACH);
    }
}

fn add_pair() {
    ip("link add in0 type veth peer name out0");
    ip("link set dev in0 up");
    ip("link set dev out0 up");
}

fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status().unwrap();
    assert!(status.success(), "ip {arguments}");
}

fn seed(byte: u8) -> HashSeed {
    HashSeed::from_bytes([byte; 32])
}

fn key(seed: u64) -> HashKey {
    HashKey::new(std::array::from_fn(|at| (at as u64 + seed).wrapping_mul(HashKey::MULTIPLIER)))
}

fn tables() -> Tables {
    let vip = Address::v4([203, 0, 113, 10]);
    let mut tables = Tables::default();
    tables.vips.insert(vip.into());
    for id in [3u16, 20] {
        let entry = BackendEntry {
            outer_source: Address::v4([198, 51, 100, 1]),
            outer_destination: Address::v4([192, 0, 2, id as u8]),
            macs: [id as u8; 12],
            egress: super::interface::index("in0").unwrap(),
            mtu: 1500,
            service: 5,
            flags: BackendEntry::USABLE | BackendEntry::RESOLVED,
            method: Method::Ipip as u8,
            ..BackendEntry::default()
        };
        tables.backends.insert(id, entry);
    }
    let maglev: Arc<[u16]> = (0..1024).map(|slot| if slot % 3 == 0 { 3 } else { 20 }).collect();
    let tuning = Tuning { idle: [1, 2, 70, 3], ..Tuning::default() };
    let rotation = Some([3, 20, 3].into());
    let service = ServiceTable { id: 5, tuning, maglev: Some(maglev), rotation };
    tables.services.insert(ServiceKey::service(vip, 443u16.to_be_bytes(), 6), service);
    tables
}

fn modes(dataplane: &Dataplane) -> Vec<(String, Option<XdpMode>)> {
    let interfaces = dataplane.interfaces().unwrap().into_iter();
    interfaces.map(|interface| (interface.name, interface.mode)).collect()
}

#[test]
fn tables_outlive_the_daemon_and_are_adopted_byte_for_byte() {
    let world = World::new();
    let (mut first, adopted) = world.open();
    assert_eq!(adopted, Adopted::default());
    assert!(first.apply(&tables()).unwrap());
    assert!(!first.apply(&tables()).unwrap(), "the same tables are not written again");
    let held = first.mapped.held.clone();
    assert_eq!(first.mapped.arrays.read(), held);
    drop(first);
    let recalled = recall(&world.pin_dir()).unwrap().unwrap();
    assert_eq!((recalled.tables, recalled.hash_seed), (tables(), seed(7)));

    let (mut second, adopted) = world.open();
    assert_eq!((adopted.services, adopted.backends), (1, 2));
    assert_eq!(adopted.interfaces, ["in0"]);
    assert_eq!(second.mapped.held, held);
    assert!(!second.apply(&tables()).unwrap(), "what was adopted is not written again");

    let detached = detach(&world.pin_dir()).unwrap();
    assert_eq!((detached.interfaces, detached.maps), (vec!["in0".to_owned()], 14));
    assert_eq!(detach(&world.pin_dir()).unwrap(), super::Detached::default());
    assert!(recall(&world.pin_dir()).unwrap().is_none(), "what is detached is forgotten");
}

#[test]
fn what_is_applied_lies_in_the_kernels_maps() {
    let world = World::new();
    let (mut dataplane, _) = world.open();
    let wanted = tables();
    dataplane.apply(&wanted).unwrap();
    let maps = Pins::new(&world.pin_dir()).maps();
    let dump = |map: &str| {
        let pinned = maps.join(map);
        let output = Command::new("bpftool")
            .args(["map", "lookup", "pinned"])
            .arg(pinned)
            .args(["key", "20", "0", "0", "0", "-j"])
            .output()
            .unwrap();
        let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let bytes = value["value"].as_array().unwrap().iter();
        let byte = |text: &serde_json::Value| {
            u8::from_str_radix(text.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
        };
        bytes.map(byte).collect::<Vec<u8>>()
    };
    let line = super::memory::to_line(&wanted.backends[&20]);
    let expected: Vec<u8> = line.into_iter().flat_map(u64::to_ne_bytes).collect();
    assert_eq!(dump("BACKENDS"), expected);
}

#[test]
fn a_start_beside_an_lb_whose_maps_have_another_shape_says_how_to_take_it_off() {
    let world = World::new();
    let (_running, _) = world.open();
    let own = Pins::new(&world.pin_dir()).maps();
    let other = own.with_file_name("v1");
    std::fs::rename(&own, &other).unwrap();
    let refusal = world.refusal(|_| {});
    assert!(refusal.starts_with(&other.display().to_string()), "{refusal}");
    assert!(refusal.contains("runs on in0") && refusal.contains("`lb detach`"), "{refusal}");
    detach(&world.pin_dir()).unwrap();
    world.open();
}

#[test]
fn a_start_with_other_limits_or_another_key_is_refused_and_leaves_all_running() {
    let world = World::new();
    let (mut dataplane, _) = world.open();
    dataplane.apply(&tables()).unwrap();

    let flows = world.refusal(|config| config.limits.flows = 4096);
    assert_eq!(
        flows,
        "the pinned map FLOWS has 64 entries of 4 + 64 bytes, this start needs 512 entries of \
         4 + 64 bytes: restore limits.flows or run `lb detach` first"
    );
    let services = world.refusal(|config| config.limits.services = 100);
    assert!(services.contains("limits.services"), "{services}");
    let key = world.refusal(|config| config.hash_seed = seed(8));
    assert!(key.contains("another hash key"), "{key}");
    assert_eq!(modes(&dataplane), [("in0".to_owned(), Some(XdpMode::Native))]);
}

#[test]
fn an_interface_keeps_its_mode_and_one_that_is_not_configured_any_more_is_let_go() {
    let world = World::new();
    let both = |mode| {
        let interfaces = vec!["in0".into(), "out0".into()];
        let config = DataplaneConfig { interfaces, mode, ..world.config() };
        Dataplane::open(&config).unwrap()
    };
    let (dataplane, _) = both(Mode::Generic);
    let generic = |name: &str| (name.to_owned(), Some(XdpMode::Generic));
    assert_eq!(modes(&dataplane), [generic("in0"), generic("out0")]);
    drop(dataplane);

    let native = world.refusal(|config| config.mode = Mode::Native);
    assert!(native.contains("in0 runs in generic mode"), "{native}");
    let (dataplane, adopted) = world.open();
    assert_eq!(modes(&dataplane), [generic("in0")]);
    assert_eq!((adopted.interfaces, adopted.detached), (vec!["in0".into()], vec!["out0".into()]));
    let out = super::interface::index("out0").unwrap();
    assert_eq!(super::interface::attached(out).unwrap(), None);
}

#[test]
fn an_interface_that_was_made_anew_is_attached_to_again() {
    let world = World::new();
    drop(world.open());
    ip("link del in0");
    add_pair();
    let (dataplane, adopted) = world.open();
    assert!(adopted.interfaces.is_empty());
    assert_eq!(modes(&dataplane), [("in0".to_owned(), Some(XdpMode::Native))]);
}

#[test]
fn a_driver_without_native_xdp_gets_the_generic_mode_unless_native_is_demanded() {
    let world = World::new();
    let loopback = |mode| DataplaneConfig { interfaces: vec!["lo".into()], mode, ..world.config() };
    let refusal = Dataplane::open(&loopback(Mode::Native)).err().unwrap().to_string();
    assert!(refusal.starts_with("lo does not take XDP in native mode"), "{refusal}");
    assert!(refusal.contains("mode = \"auto\""), "{refusal}");
    assert!(
        !Pins::new(&world.pin_dir()).maps().exists(),
        "a first start that fails leaves nothing"
    );
    let (dataplane, _) = Dataplane::open(&loopback(Mode::Auto)).unwrap();
    assert_eq!(modes(&dataplane), [("lo".to_owned(), Some(XdpMode::Generic))]);
}

#[test]
fn what_stands_in_the_way_is_named_with_the_remedy() {
    let world = World::new();
    let missing = world.refusal(|config| config.interfaces = vec!["eth7".into()]);
    assert!(missing.starts_with("there is no interface eth7; there are: "), "{missing}");
    assert!(["lo", "in0", "out0"].iter().all(|there| missing.contains(there)), "{missing}");

    let (_other, _) = world.open();
    let second = TempDir::new().unwrap();
    let pin_dir = second.path().join("pins");
    let taken = world.refusal(|config| config.pin_dir.clone_from(&pin_dir));
    umount2(&pin_dir, MntFlags::MNT_DETACH).unwrap();
    assert!(taken.starts_with("another XDP program (id "), "{taken}");
    assert!(taken.contains("ip link set dev in0 xdp off"), "{taken}");

    let full = world.dir.path().join("full");
    std::fs::create_dir(&full).unwrap();
    std::fs::write(full.join("precious"), "").unwrap();
    let no_bpffs = world.refusal(|config| config.pin_dir.clone_from(&full));
    assert!(no_bpffs.contains(&format!("mount -t bpf bpf {}", full.display())), "{no_bpffs}");
    assert!(full.join("precious").exists());
}

#[test]
fn a_packet_runs_through_the_program_without_a_network() {
    let mut dataplane = Dataplane::unattached(LIMITS, key(7)).unwrap();
    let frame = [0x11u8; 60];
    let outcome = dataplane.run_packet(Ingress::default(), &frame).unwrap();
    assert_eq!((outcome.action, outcome.frame.as_slice()), (2, frame.as_slice()));
    let counted = dataplane.verdicts().unwrap();
    assert_eq!(counted.len(), Verdict::ALL.len());
    assert_eq!(counted.iter().map(|(_, counters)| counters.packets).sum::<u64>(), 1);
    assert_eq!(counted.iter().map(|(_, counters)| counters.bytes).sum::<u64>(), 60);
}

#[test]
fn the_counters_of_an_id_begin_at_zero_with_each_backend_that_has_it() {
    use aya::maps::PerCpuValues;
    use lb_common::counters::BackendCounters;

    let world = World::new();
    let (mut dataplane, _) = world.open();
    let cpus = aya::util::nr_cpus().unwrap();
    let dirty = super::load::Plain(BackendCounters { packets: 3, ..BackendCounters::default() });
    let values = PerCpuValues::try_from(vec![dirty; cpus]).unwrap();
    dataplane.counters.backends.set(3, values, 0).unwrap();
    assert_eq!(dataplane.backends([3]).unwrap()[&3].packets, 3 * cpus as u64);
    dataplane.apply(&tables()).unwrap();
    assert_eq!(dataplane.backends([3]).unwrap()[&3], BackendCounters::default());
}

#[test]
fn what_left_a_service_is_counted_for_as_long_as_the_service_is_there() {
    use lb_common::counters::BackendCounters;

    let world = World::new();
    let gone = BackendCounters { packets: 3, bytes: 200, new_flows: 2, untracked: 1, evicted: 5 };
    let (mut first, _) = world.open();
    first.apply(&tables()).unwrap();
    first.depart(5, gone).unwrap();
    first.depart(5, gone).unwrap();
    drop(first);

    let (mut second, _) = world.open();
    second.apply(&tables()).unwrap();
    let twice = BackendCounters { packets: 6, bytes: 400, new_flows: 4, untracked: 2, evicted: 10 };
    assert_eq!(second.departed(5).unwrap(), twice);
    second.apply(&Tables::default()).unwrap();
    second.apply(&tables()).unwrap();
    assert_eq!(second.departed(5).unwrap(), BackendCounters::default());
}

#[test]
fn a_removed_service_leaves_nothing_but_free_space() {
    let world = World::new();
    let (mut dataplane, _) = world.open();
    dataplane.apply(&tables()).unwrap();
    dataplane.apply(&Tables::default()).unwrap();
    let held = dataplane.mapped.arrays.read();
    assert!(held.guard.is_empty() && held.backends.is_empty());
    assert!(held.slots.values().all(|slot| slot.selector == Selector::RETIRED));
}

#[test]
fn the_daemon_may_hand_the_data_path_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Dataplane>();
}

#[test]
fn decapsulation_is_attached_changed_and_detached_by_interface() {
    let world = World::new();
    let pin_dir = world.pin_dir();
    let from = |ips: &[&str]| ips.iter().map(|ip| ip.parse().unwrap()).collect::<Vec<IpAddr>>();
    let status = || decap::status(&pin_dir).unwrap();
    assert_eq!(status(), []);

    let two = from(&["198.51.100.1", "2001:db8::1"]);
    decap::attach("in0", &two, Mode::Auto, &pin_dir).unwrap();
    assert_eq!(status()[0].mode, Some(XdpMode::Native));
    assert_eq!(status()[0].from.len(), 2);
    assert!(two.iter().all(|ip| status()[0].from.contains(ip)));

    let one = from(&["198.51.100.2"]);
    decap::attach("in0", &one, Mode::Auto, &pin_dir).unwrap();
    assert_eq!(status()[0].from, one);
    assert!(decap::detach("in0", &pin_dir).unwrap());
    assert!(!decap::detach("in0", &pin_dir).unwrap());
    assert_eq!(status(), []);
}

#[test]
fn the_bpf_file_system_that_is_there_is_used() {
    let world = World::new();
    let pin_dir = world.pin_dir();
    std::fs::create_dir(&pin_dir).unwrap();
    let none: Option<&Path> = None;
    mount(Some("bpf"), &pin_dir, Some("bpf"), MsFlags::empty(), none).unwrap();
    std::fs::create_dir(pin_dir.join("others")).unwrap();
    drop(world.open());
    assert!(pin_dir.join("others").exists() && Pins::new(&pin_dir).link("in0").exists());
}

#[test]
fn the_program_is_verified_in_half_the_steps_that_the_kernel_allows() {
    let dataplane = Dataplane::unattached(LIMITS, key(7)).unwrap();
    let info = dataplane.program().unwrap().info().unwrap();
    let verified = info.verified_instruction_count().unwrap();
    let translated = info.size_translated().unwrap() / 8;
    println!("{verified} instructions verified, {translated} translated");
    assert!(verified <= 500_000, "{verified}");
}
