//! A daemon's part and its packets, without a kernel: what is wanted and seen becomes tables, the
//! tables become steps, and packets go by what the steps have written.

use std::{net::IpAddr, sync::atomic::Ordering::Relaxed, time::Duration};

use lb_common::{
    backend::BackendId,
    flow::{Entry, Epoch, hash::HashKey},
    packet::buffer::{Buffer, HEADROOM},
    pipeline,
    verdict::Verdict,
};

use super::{
    Event,
    frames::{Packet, destination, frame},
    replica::Replica,
};
use crate::{
    config::{Config, Limits},
    model::{Admin, BackendKey, Weight},
    state::{
        Change, Desired, Health, Ids, NextHop, Observed, PlanSettings, TableCache, TunnelSources,
        plan,
    },
};

/// Where packets come in and leave.
pub(super) const INTERFACE: u32 = 1;
/// How long an epoch lasts here.
const EPOCH: Duration = Duration::from_secs(5);
/// Servers of each service.
pub(super) const SERVERS: usize = 3;
/// There are three numbers more than backends, so that they run out again and again.
const LIMITS: Limits = Limits {
    flows: 1 << 10,
    affinities: 64,
    services: 8,
    backends: (SERVICES.len() * SERVERS) as u16 + 3,
    maglev_slots: 1024,
};
/// Four epochs before the epochs begin anew.
const START: u64 = 4092;
/// In so many goes the sweep is round any table.
const GOES: usize = 40;

/// A service of the config file.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServiceUnderTest {
    name: &'static str,
    pub(super) udp: bool,
    pub(super) port: u16,
    /// What its config says beside that.
    settings: &'static str,
    backend: &'static str,
}

const TCP: ServiceUnderTest =
    ServiceUnderTest { name: "", udp: false, port: 0, settings: "", backend: "" };

pub(super) const SERVICES: [ServiceUnderTest; 6] = [
    ServiceUnderTest { name: "hashed", port: 81, ..TCP },
    ServiceUnderTest {
        name: "turns",
        port: 82,
        settings: "scheduler = \"rr\"\non_drain = \"move\"",
        ..TCP
    },
    ServiceUnderTest {
        name: "fewest",
        port: 83,
        settings: "scheduler = \"lc\"\non_failure = \"reset\"",
        ..TCP
    },
    ServiceUnderTest {
        name: "sticky",
        port: 84,
        settings: "on_failure = \"keep\"\naffinity = { by = \"address\", timeout = \"20s\" }",
        ..TCP
    },
    ServiceUnderTest { name: "limited", port: 85, backend: "max_flows = 3", ..TCP },
    ServiceUnderTest { name: "datagrams", port: 86, udp: true, ..TCP },
];

fn config() -> String {
    let service = |one: &ServiceUnderTest| {
        let ServiceUnderTest { name, udp, port, settings, backend } = one;
        let (protocol, idle) = if *udp {
            ("udp", r#"udp = "20s""#)
        } else {
            ("tcp", r#"syn = "10s", established = "60s", closing = "15s""#)
        };
        let backends = (0..SERVERS).map(|server| {
            format!("[[service.backend]]\naddress = \"{}\"\n{backend}\n", ip(server))
        });
        format!(
            "[[service]]\nname = \"{name}\"\naddress = \"{protocol}:203.0.113.10:{port}\"\n\
             table_size = 32\ncheck = {{ type = \"tcp\" }}\nidle = {{ {idle} }}\n{settings}\n{}",
            backends.collect::<String>()
        )
    };
    SERVICES.iter().map(service).collect()
}

/// A flow of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FlowId {
    pub(super) service: usize,
    pub(super) number: u8,
}

/// A server of a service: each service has backends of its own, at the same addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) service: usize,
    pub(super) number: usize,
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    SentTo(Server),
    Reset,
    Refused(Verdict),
}

/// What an event led to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    /// The epoch in which it happened.
    pub(super) now: u64,
    /// Of a packet.
    pub(super) ending: Option<Ending>,
    /// Flows of servers that are gone were forgotten, as their numbers were needed.
    pub(super) forgot: bool,
    /// False from a loss until the next start of the daemon.
    pub(super) books_are_right: bool,
}

/// Everything but the kernel.
pub(super) struct World {
    desired: Desired,
    observed: Observed,
    ids: Ids,
    pub(super) replica: Replica,
    books_are_right: bool,
}

impl World {
    /// All servers are up. The flow table has so many buckets of eight lanes.
    pub(super) fn new(buckets: u32) -> Self {
        let desired = Config::parse("lb.toml", &config()).unwrap().desired;
        let ids = Ids::default().assign(&desired, LIMITS.ids()).unwrap();
        let key = |at| (at as u64 + 3).wrapping_mul(HashKey::MULTIPLIER);
        let mut settings = LIMITS.settings(HashKey::new(std::array::from_fn(key)));
        settings.bucket_mask = buckets - 1;
        let mut observed = Observed::default();
        for (key, _) in ids.backends() {
            observed.next_hops.insert(key.address.ip, next_hop());
            observed.health.insert(key, Health::Up);
        }
        let replica = Replica::new(LIMITS, settings, START);
        let mut world = Self { desired, observed, ids, replica, books_are_right: true };
        world.apply();
        world
    }

    /// The world after an event. Nothing happens to a server that is not there.
    pub(super) fn after(mut self, event: Event) -> (Self, Outcome) {
        let (mut ending, mut forgot) = (None, false);
        match event {
            Event::Packet(flow, packet) => ending = Some(self.send(flow, packet)),
            Event::Wait { epochs } => self.replica.wait(epochs),
            Event::Sweep { epochs_behind } => self.sweep(epochs_behind),
            Event::Judge(server, health) => self.judge(server, health),
            Event::Administer(server, admin) => self.administer(server, admin),
            Event::Remove(server) => self.remove(server),
            Event::Add(server) => forgot = self.add(server),
            Event::Restart { remembers } => self = self.restart(remembers),
            Event::Loss { packet, of_all } => ending = self.lose(packet, of_all),
        }
        let (now, books_are_right) = (self.replica.now(), self.books_are_right);
        (self, Outcome { now, ending, forgot, books_are_right })
    }

    fn apply(&mut self) {
        let settings = PlanSettings { tunnel: TunnelSources::default(), epoch: EPOCH };
        let mut cache = TableCache::default();
        self.replica.apply(&plan(&self.desired, &self.observed, &self.ids, &settings, &mut cache));
    }

    /// Runs a packet through the data path.
    pub(super) fn send(&self, flow: FlowId, packet: Packet) -> Ending {
        let mut bytes = [vec![0; HEADROOM], frame(flow, packet)].concat();
        let mut buffer = Buffer::new(&mut bytes, HEADROOM);
        match pipeline::balance(&mut buffer, &self.replica).verdict {
            Verdict::Transmitted => {
                let to = destination(buffer.frame());
                let number = (0..SERVERS).find(|number| ip(*number) == to).unwrap();
                Ending::SentTo(Server { service: flow.service, number })
            }
            Verdict::Reset => Ending::Reset,
            verdict => Ending::Refused(verdict),
        }
    }

    /// One round of the sweep, by a clock that may be behind.
    fn sweep(&mut self, epochs_behind: u64) {
        let now = Epoch::new(self.replica.now() - epochs_behind);
        for _ in 0..GOES {
            self.replica.mapped.sweep(now);
        }
    }

    fn judge(&mut self, server: Server, health: Health) {
        if self.number(server).is_some() {
            self.observed.health.insert(key(server), health);
            self.apply();
        }
    }

    fn administer(&mut self, server: Server, admin: Admin) {
        if self.number(server).is_some() {
            self.change(Change::SetAdmin { backend: key(server), admin });
        }
    }

    fn remove(&mut self, server: Server) {
        self.change(Change::RemoveBackend { backend: key(server) });
    }

    /// Adds a server that was removed, and is up.
    fn add(&mut self, server: Server) -> bool {
        if self.number(server).is_some() {
            return false;
        }
        let file = Config::parse("lb.toml", &config()).unwrap().desired;
        let backend = key(server);
        let max_flows = file.services[&backend.service].backends[&backend.address].max_flows;
        self.observed.health.insert(backend.clone(), Health::Up);
        let weight = Weight::default();
        self.change(Change::AddBackend { backend, weight, backup: false, max_flows })
    }

    /// A writer died between its exchanges and their entries in the books.
    fn lose(&mut self, packet: Option<(FlowId, Packet)>, of_all: bool) -> Option<Ending> {
        let before = self.counts();
        let ending = packet.map(|(flow, packet)| self.send(flow, packet));
        if ending.is_none() {
            self.sweep(0);
        }
        let after = self.counts();
        let changed = (0..).zip(before.into_iter().zip(after)).filter(|(_, (old, new))| old != new);
        for (id, (old, _)) in changed.take(if of_all { usize::MAX } else { 1 }) {
            self.replica.mapped.arrays.loads.flows(id).unwrap().store(old, Relaxed);
            self.books_are_right = false;
        }
        ending
    }

    /// As the task that owns the state does it: where no number is free, flows of backends that are
    /// gone are forgotten, and their numbers given out again.
    fn change(&mut self, change: Change) -> bool {
        self.desired = self.desired.apply(change).unwrap().0;
        let assigned = self.ids.assign(&self.desired, LIMITS.ids());
        let forgets = assigned.is_err();
        self.ids = assigned.unwrap_or_else(|_| {
            let quarantine = self.ids.quarantine().clone();
            self.replica.mapped.forget(&quarantine.backends);
            self.ids.release(&quarantine);
            self.ids.assign(&self.desired, LIMITS.ids()).unwrap()
        });
        self.apply();
        forgets
    }

    /// The daemon starts anew, with its state file or without.
    fn restart(self, remembers: bool) -> Self {
        let replica = self.replica.restart();
        let known = if remembers {
            self.ids
        } else {
            Ids::recovered(&self.desired, &replica.mapped.held.tables())
        };
        let ids = known.assign(&self.desired, LIMITS.ids()).unwrap();
        let mut world = Self { ids, replica, books_are_right: true, ..self };
        world.apply();
        world
    }

    fn number(&self, server: Server) -> Option<BackendId> {
        let BackendKey { service, address } = key(server);
        self.ids.backend(&service, &address)
    }

    /// What the books say of a server; none of one that is not there.
    pub(super) fn live_flows(&self, server: Server) -> Option<u64> {
        Some(self.counts()[usize::from(self.number(server)?)])
    }

    /// What the books say, by number.
    pub(super) fn counts(&self) -> Vec<u64> {
        self.replica.mapped.arrays.loads.counts()
    }

    /// What the flow table says, by number.
    pub(super) fn scan(&self) -> Vec<u64> {
        let mut found = vec![0; self.counts().len()];
        for word in self.lanes() {
            found[usize::from(Entry::live(word))] += 1;
        }
        found[0] = 0;
        found
    }

    /// The flow table.
    pub(super) fn lanes(&self) -> Vec<u64> {
        self.replica.mapped.flow_table.all().iter().map(|lane| lane.load(Relaxed)).collect()
    }
}

fn ip(server: usize) -> IpAddr {
    IpAddr::from([192, 0, 2, 21 + server as u8])
}

fn key(server: Server) -> BackendKey {
    let ServiceUnderTest { name, port, .. } = SERVICES[server.service];
    let address = format!("{}:{port}", ip(server.number));
    BackendKey { service: name.parse().unwrap(), address: address.parse().unwrap() }
}

fn next_hop() -> NextHop {
    NextHop {
        egress: INTERFACE,
        destination_mac: [2; 6],
        source_mac: [4; 6],
        vlans: [0; 2],
        mtu: 1500,
        source: IpAddr::from([192, 0, 2, 11]),
    }
}
