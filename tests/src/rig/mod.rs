//! The data path without a network: packets go through the loaded program one by one
//! (`BPF_PROG_TEST_RUN`), and through the same code on the host.
//!
//! The tables come from a config file by the daemon's own plan. Whatever the kernel does with a
//! packet, the host's run must do byte for byte.

#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a rig that panics has failed a test, with a sentence"
)]

pub mod header;
mod maps;
pub mod packet;
pub mod traffic;

use std::num::NonZeroU16;

use aya::programs::ProgramFd;
use lb::{
    config::{Config, Limits},
    dataplane::Dataplane,
    model::{Admin, BackendKey, Check, Probe, Timing},
    state::{Change, Health, Ids, MaglevCache, NextHop, Observed, PlanSettings, hash_key, plan},
};
use lb_common::{
    backend::BackendId,
    counters::{BackendCounters, VerdictCounters},
    flow::Epoch,
    packet::buffer::{Buffer, HEADROOM},
    pipeline,
    verdict::{Action, Verdict},
};

use self::maps::HostMaps;

/// The interface that packets come in by: loopback, which every network namespace has.
pub const INGRESS: u32 = 1;
/// MAC address of the next hop of every backend.
pub const NEXT_HOP: [u8; 6] = [2, 0, 0, 0, 0, 0xbe];
/// MAC address of the balancer.
pub const BALANCER: [u8; 6] = [2, 0, 0, 0, 0, 0x1b];

/// The flow table is so large that no bucket of it fills up: which flow then finds no place would
/// hang on the clock.
const LIMITS: Limits = Limits { flows: 1 << 16, services: 16, backends: 64, maglev_slots: 1 << 18 };
const SEED: &[u8] = b"the rig's hash key";

/// What became of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Why it ended as it did.
    pub verdict: Verdict,
    /// The frame after it.
    pub frame: Vec<u8>,
}

/// A loaded data path, and its twin on the host.
pub struct Rig {
    config: Config,
    ids: Ids,
    observed: Observed,
    dataplane: Dataplane,
    twin: HostMaps,
}

impl Rig {
    /// A data path with the services of a config file. Every backend has a way out of the interface
    /// that packets come in by, and is up.
    pub fn new(config: &str) -> Self {
        Self::with_room(LIMITS.flows, config)
    }

    /// The same with room for so many flows.
    pub fn with_room(flows: u32, config: &str) -> Self {
        let limits = Limits { flows, ..LIMITS };
        let config = Config::parse("lb.toml", config).expect("a config that is right");
        let ids = Ids::default().assign(&config.desired, limits.ids()).expect("enough numbers");
        let dataplane = Dataplane::unattached(limits, hash_key(SEED)).expect("a loaded program");
        let twin = HostMaps::new(*dataplane.settings());
        let mut rig = Self { config, ids, observed: Observed::default(), dataplane, twin };
        rig.discover();
        rig.apply();
        rig
    }

    /// Backends that are new are up, and reached by the interface that packets come in by.
    fn discover(&mut self) {
        for (key, _) in self.ids.backends() {
            self.observed.health.entry(key.clone()).or_insert(Health::Up);
            let next_hop = || Self::next_hop(&key, INGRESS);
            self.observed.next_hops.entry(key.address.ip).or_insert_with(next_hop);
        }
    }

    fn next_hop(key: &BackendKey, egress: u32) -> NextHop {
        let source = if key.address.ip.is_ipv4() { "192.0.2.11" } else { "2001:db8:2::11" };
        NextHop {
            egress,
            destination_mac: NEXT_HOP,
            source_mac: BALANCER,
            vlans: [0; 2],
            mtu: 1500,
            source: source.parse().expect("an address"),
        }
    }

    /// Changes the way to every backend.
    pub fn reroute(&mut self, change: impl Fn(&mut NextHop)) {
        self.observed.next_hops.values_mut().for_each(change);
        self.apply();
    }

    /// Forgets the way to every backend.
    pub fn lose_next_hops(&mut self) {
        self.observed.next_hops.clear();
        self.apply();
    }

    /// Gives every service a health check: from now on it matters what was judged.
    pub fn check(&mut self) {
        for service in self.config.desired.services.values_mut() {
            let check = Check::new(Probe::Tcp, NonZeroU16::new(80), Timing::default());
            service.check = Some(check.expect("a check that is right"));
        }
        self.apply();
    }

    /// Says what the health check of a backend found.
    pub fn judge(&mut self, backend: &str, health: Health) {
        let judged = self.observed.health.iter_mut().find(|(key, _)| key.address.ip == ip(backend));
        *judged.expect("a backend of the config").1 = health;
        self.apply();
    }

    /// Enables, drains or disables a backend, as an operator does.
    pub fn administer(&mut self, backend: &str, admin: Admin) {
        let ip = ip(backend);
        let found = self.ids.backends().find(|(key, _)| key.address.ip == ip);
        let (backend, _) = found.expect("a backend of the config");
        let change = Change::SetAdmin { backend, admin };
        let (desired, _) = self.config.desired.apply(change).expect("a change that is allowed");
        self.config.desired = desired;
        self.apply();
    }

    /// Changes the config file. A backend that it adds is up, and reached as those of
    /// [`Rig::new`] are.
    pub fn reconfigure(&mut self, config: &str) {
        self.config = Config::parse("lb.toml", config).expect("a config that is right");
        self.ids = self.ids.assign(&self.config.desired, LIMITS.ids()).expect("enough numbers");
        self.discover();
        self.apply();
    }

    fn apply(&mut self) {
        let epoch = Dataplane::epoch_length();
        let settings = PlanSettings { tunnel: self.config.daemon.tunnel, epoch };
        let desired = &self.config.desired;
        let mut cache = MaglevCache::default();
        let tables = plan(desired, &self.observed, &self.ids, &settings, &mut cache);
        self.dataplane.apply(&tables).expect("room in the maps");
        self.twin.hold(&tables);
    }

    /// Runs a frame that came in by loopback through the program and through its twin.
    pub fn send(&mut self, frame: &[u8]) -> Outcome {
        self.send_by(INGRESS, frame)
    }

    /// Runs a frame that came in by an interface.
    pub fn send_by(&mut self, ingress: u32, frame: &[u8]) -> Outcome {
        let expected = self.twin_send(ingress, frame);
        let before = self.verdicts();
        let context = (ingress != INGRESS).then_some(ingress);
        let ran = self.dataplane.run_packet(context, frame).expect("a run of the program");
        let counted: Vec<Verdict> = self
            .verdicts()
            .into_iter()
            .zip(before)
            .flat_map(|((verdict, now), (_, then))| vec![verdict; (now - then) as usize])
            .collect();
        let [verdict] = counted[..] else {
            panic!("one packet was counted as {counted:?}");
        };
        assert_eq!(ran.action, xdp_action(verdict), "action of {verdict:?}");
        let outcome = Outcome { verdict, frame: ran.frame };
        assert_eq!(outcome, expected, "the kernel, and the same code on the host");
        outcome
    }

    /// The epoch of a time by the kernel's clock.
    pub fn epoch(&self, jiffies: u64) -> Epoch {
        Epoch::new(jiffies >> self.dataplane.settings().epoch_shift)
    }

    /// The loaded program, for traffic to run through.
    pub fn program(&self) -> &ProgramFd {
        let program = self.dataplane.program().expect("the balancer's program");
        program.fd().expect("a loaded program")
    }

    fn twin_send(&mut self, ingress: u32, frame: &[u8]) -> Outcome {
        self.twin.begin(ingress, self.dataplane.now());
        let mut bytes = [&[0; HEADROOM][..], frame].concat();
        let mut buffer = Buffer::new(&mut bytes, HEADROOM);
        let ending = pipeline::balance(&mut buffer, &self.twin);
        Outcome { verdict: ending.verdict, frame: buffer.frame().to_vec() }
    }

    fn verdicts(&self) -> Vec<(Verdict, u64)> {
        let verdicts = self.dataplane.verdicts().expect("counters");
        verdicts.into_iter().map(|(verdict, counted)| (verdict, counted.packets)).collect()
    }

    /// The packets that ended so.
    pub fn verdict(&self, verdict: Verdict) -> VerdictCounters {
        let verdicts = self.dataplane.verdicts().expect("counters");
        verdicts.into_iter().find(|(each, _)| *each == verdict).expect("every verdict").1
    }

    /// What a backend of the first service that has it was sent.
    pub fn counters(&self, backend: &str) -> BackendCounters {
        let id = self.id(backend);
        self.dataplane.backends([id]).expect("counters")[&id]
    }

    /// The flows of that backend that are in the flow table, and not idle.
    pub fn flows(&self, backend: &str) -> u64 {
        self.dataplane.live_flows().get(&self.id(backend)).copied().unwrap_or(0)
    }

    fn id(&self, backend: &str) -> BackendId {
        let ip = ip(backend);
        let (_, id) = self.ids.backends().find(|(key, _)| key.address.ip == ip).expect("a backend");
        id
    }
}

fn ip(text: &str) -> std::net::IpAddr {
    text.parse().expect("an address")
}

/// The kernel's number for what a verdict does: `enum xdp_action`.
const fn xdp_action(verdict: Verdict) -> u32 {
    match verdict.action() {
        Action::Drop => 1,
        Action::Pass => 2,
        Action::Transmit => 3,
        Action::Redirect => 4,
    }
}
