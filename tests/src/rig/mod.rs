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

pub mod decap;
pub mod header;
mod kernel;
mod maps;
pub mod packet;
pub mod traffic;
pub mod wire;

use std::{cell::Cell, collections::BTreeMap, num::NonZeroU16};

use aya::programs::ProgramFd;
use lb::{
    config::{Config, Limits},
    dataplane::{Dataplane, Ingress},
    model::{Admin, BackendKey, Check, Probe, Timing},
    state::{Change, Health, Ids, NextHop, Observed, PlanSettings, TableCache, hash_key, plan},
};
use lb_common::{
    backend::BackendId,
    counters::{BackendCounters, VerdictCounters},
    flow::Epoch,
    packet::buffer::{Buffer, HEADROOM},
    pipeline,
    verdict::{Action, Verdict},
};
use nix::net::if_::if_nameindex;

use self::maps::HostMaps;

/// The interface that packets come in by: loopback, which every network namespace has.
pub const INGRESS: u32 = 1;
/// MAC address of the next hop of every backend.
pub const NEXT_HOP: [u8; 6] = [2, 0, 0, 0, 0, 0xbe];
/// MAC address of the balancer.
pub const BALANCER: [u8; 6] = [2, 0, 0, 0, 0, 0x1b];

/// What [`Rig::new`] has room for. The flow table is so large that no bucket of it fills up: which
/// flow then finds no place would hang on the clock.
pub const LIMITS: Limits = Limits {
    flows: 1 << 16,
    affinities: 1 << 12,
    services: 16,
    backends: 64,
    maglev_slots: 1 << 18,
};
/// Bytes of metadata that leave no room for anything else: of the 256 that the kernel gives, it
/// keeps 40 for a `struct xdp_frame`.
const ALL_METADATA: u32 = 216;
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
    limits: Limits,
    config: Config,
    ids: Ids,
    observed: Observed,
    dataplane: Dataplane,
    twin: HostMaps,
    /// Traffic runs through the program that the twin does not see.
    is_lent: Cell<bool>,
}

impl Rig {
    /// A data path with the services of a config file. Every backend has a way out of the interface
    /// that packets come in by, and is up.
    pub fn new(config: &str) -> Self {
        Self::with_limits(config, LIMITS)
    }

    /// The same with room for so many flows.
    pub fn with_room(flows: u32, config: &str) -> Self {
        Self::with_limits(config, Limits { flows, ..LIMITS })
    }

    /// As [`Rig::new`], with maps of other sizes.
    pub fn with_limits(config: &str, limits: Limits) -> Self {
        kernel::stay_on_one_cpu();
        let config = Config::parse("lb.toml", config).expect("a config that is right");
        let ids = Ids::default().assign(&config.desired, limits.ids()).expect("enough numbers");
        let dataplane = Dataplane::unattached(limits, hash_key(SEED)).expect("a loaded program");
        let twin = HostMaps::new(*dataplane.settings());
        let mut rig = Self {
            limits,
            config,
            ids,
            observed: Observed::default(),
            dataplane,
            twin,
            is_lent: Cell::new(false),
        };
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

    /// Says what the health checks of a server found, in every service that has it.
    pub fn judge(&mut self, backend: &str, health: Health) {
        let judged =
            self.observed.health.iter_mut().filter(|(key, _)| key.address.ip == ip(backend));
        assert_ne!(judged.map(|(_, held)| *held = health).count(), 0, "a backend of the config");
        self.apply();
    }

    /// Enables, drains or disables a backend in every service that has it, as an operator does.
    pub fn administer(&mut self, backend: &str, admin: Admin) {
        let ip = ip(backend);
        for (backend, _) in self.ids.backends().filter(|(key, _)| key.address.ip == ip) {
            let change = Change::SetAdmin { backend, admin };
            let (desired, _) = self.config.desired.apply(change).expect("a change that is allowed");
            self.config.desired = desired;
        }
        self.apply();
    }

    /// Changes the config file. A backend that it adds is up, and reached as those of
    /// [`Rig::new`] are.
    pub fn reconfigure(&mut self, config: &str) {
        self.config = Config::parse("lb.toml", config).expect("a config that is right");
        self.ids =
            self.ids.assign(&self.config.desired, self.limits.ids()).expect("enough numbers");
        self.discover();
        self.apply();
    }

    /// Forgets the flows of backends that are gone, and lets others have their numbers, as the
    /// daemon does when it runs out of numbers.
    pub fn sweep(&mut self) {
        let gone = self.ids.quarantine().clone();
        self.dataplane.forget(&gone.backends);
        self.twin.forget(&gone.backends);
        self.ids.release(&gone);
    }

    fn apply(&mut self) {
        let epoch = Dataplane::epoch_length();
        let settings = PlanSettings { tunnel: self.config.daemon.tunnel, epoch };
        let desired = &self.config.desired;
        let mut cache = TableCache::default();
        let tables = plan(desired, &self.observed, &self.ids, &settings, &mut cache);
        self.dataplane.apply(&tables).expect("room in the maps");
        self.twin.hold(&tables);
    }

    /// Runs a frame that came in by loopback through the program and through its twin.
    pub fn send(&mut self, frame: &[u8]) -> Outcome {
        self.run(Ingress::default(), frame)
    }

    /// Runs a frame that came in by an interface.
    pub fn send_by(&mut self, interface: u32, frame: &[u8]) -> Outcome {
        self.run(Ingress { interface: Some(interface), ..Ingress::default() }, frame)
    }

    /// Runs a frame in front of which the driver left no room.
    ///
    /// To a packet that it runs by itself the kernel always gives 256 bytes of room, and only
    /// metadata can fill them: enough of it from Linux 6.8 on. On an older one the twin answers
    /// alone.
    pub fn send_without_headroom(&mut self, frame: &[u8]) -> Outcome {
        if kernel::release() < (6, 8) {
            return self.twin_send(INGRESS, 0, frame);
        }
        self.run(Ingress { metadata: ALL_METADATA, ..Ingress::default() }, frame)
    }

    fn run(&mut self, ingress: Ingress, frame: &[u8]) -> Outcome {
        let headroom = if ingress.metadata == 0 { HEADROOM } else { 0 };
        let expected = self.twin_send(ingress.interface.unwrap_or(INGRESS), headroom, frame);
        let before = self.verdicts();
        let ran = self.dataplane.run_packet(ingress, frame).expect("a run of the program");
        let counted: Vec<Verdict> = self
            .verdicts()
            .into_iter()
            .zip(before)
            .flat_map(|((verdict, now), (_, then))| vec![verdict; (now - then) as usize])
            .collect();
        let [verdict] = counted[..] else {
            panic!("one packet was counted as {counted:?}");
        };
        assert_eq!(ran.action, xdp_action(verdict.action()), "action of {verdict:?}");
        let outcome = Outcome { verdict, frame: ran.frame };
        assert_eq!(outcome, expected, "the kernel, and the same code on the host");
        if !self.is_lent.get() {
            assert_eq!(self.live_flows(), self.twin.live_flows(), "live flows in both");
        }
        outcome
    }

    /// The epoch of a time by the kernel's clock.
    pub fn epoch(&self, jiffies: u64) -> Epoch {
        Epoch::new(jiffies >> self.dataplane.settings().epoch_shift)
    }

    /// The loaded program, for traffic to run through.
    pub fn program(&self) -> &ProgramFd {
        self.is_lent.set(true);
        let program = self.dataplane.program().expect("the balancer's program");
        program.fd().expect("a loaded program")
    }

    fn twin_send(&mut self, ingress: u32, headroom: usize, frame: &[u8]) -> Outcome {
        self.twin.begin(ingress, self.dataplane.now());
        let mut bytes = [&vec![0; headroom][..], frame].concat();
        let mut buffer = Buffer::new(&mut bytes, headroom);
        let ending = pipeline::balance(&mut buffer, &self.twin);
        let redirects = ending.verdict.action() == Action::Redirect;
        let is_lost = redirects && !exists(ending.egress);
        let verdict = if is_lost { Verdict::NextHopUnresolved } else { ending.verdict };
        Outcome { verdict, frame: buffer.frame().to_vec() }
    }

    /// The present epoch of the flow table, right to one.
    pub fn now(&self) -> Epoch {
        self.dataplane.now()
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
        let id = self.number(backend);
        self.dataplane.backends([id]).expect("counters")[&id]
    }

    /// The live flows of every backend that is configured.
    fn live_flows(&self) -> BTreeMap<BackendId, u64> {
        self.dataplane.live_flows(self.ids.backends().map(|(_, id)| id))
    }

    /// The number by which the maps know a backend of the first service that has it.
    pub fn number(&self, backend: &str) -> BackendId {
        let ip = ip(backend);
        let (_, id) = self.ids.backends().find(|(key, _)| key.address.ip == ip).expect("a backend");
        id
    }

    /// How many live flows a backend has.
    pub fn flows(&self, backend: &str) -> u64 {
        self.live_flows()[&self.number(backend)]
    }
}

fn ip(text: &str) -> std::net::IpAddr {
    text.parse().expect("an address")
}

/// Whether there is an interface: the kernel takes one that goes away out of `EGRESS` by itself.
fn exists(index: u32) -> bool {
    let interfaces = if_nameindex().expect("the interfaces of this network");
    interfaces.iter().any(|interface| interface.index() == index)
}

/// The kernel's number for an action: `enum xdp_action`.
const fn xdp_action(action: Action) -> u32 {
    match action {
        Action::Drop => 1,
        Action::Pass => 2,
        Action::Transmit => 3,
        Action::Redirect => 4,
    }
}
