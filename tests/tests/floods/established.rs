//! A flood of new flows moves no flow that has earned its place, though the set of backends has
//! changed meanwhile and the scheduler would send many of them elsewhere.

use std::time::Duration;

use lab::{
    poll::until,
    rig::{
        Rig,
        packet::{frame, tcp, udp},
        traffic::Traffic,
    },
};
use lb_common::{counters::BackendCounters, verdict::Verdict};

/// Flows that are there before the flood.
const FLOWS: u64 = 10_000;
/// Packets of the flood, each of another flow.
const FLOOD: u64 = 20_000_000;
/// Flows that the flow table has room for.
const ROOM: u32 = 1 << 17;

/// What the floods run with: every kind that the data path knows.
const SCHEDULERS: [&str; 4] = ["maglev", "rr", "wlc", "p2c"];
/// Those that choose alike for a SYN and the packet after it: a SYN needs no entry.
const WITHOUT_SYNS: [&str; 1] = ["maglev"];

/// `XDP_TX`.
const TRANSMIT: u32 = 3;

const CLIENT: &str = "198.51.100.7:40000";
const WEB: &str = "203.0.113.10:80";
const DNS: &str = "203.0.113.10:53";

/// Backends: the last byte of the address, and the weight.
type Backends<'a> = &'a [(u8, u16)];

const BEFORE: Backends<'_> = &[(21, 1), (22, 1), (23, 1), (24, 1)];
const REMOVED: u8 = 24;
const AFTER: Backends<'_> = &[(21, 4), (22, 1), (23, 1), (25, 1)];
const OF_DNS: Backends<'_> = &[(31, 1), (32, 1)];

fn config(scheduler: &str, web: Backends<'_>) -> String {
    let service = |name: &str, address: &str, backends: Backends<'_>| {
        let head = format!("[[service]]\nname = \"{name}\"\naddress = \"{address}\"\n");
        let backend = |(byte, weight): &(u8, u16)| {
            format!("[[service.backend]]\naddress = \"{}\"\nweight = {weight}\n", ip(*byte))
        };
        let backends: String = backends.iter().map(backend).collect();
        format!("{head}scheduler = \"{scheduler}\"\ntable_size = 4096\n{backends}")
    };
    let web = service("web", &format!("tcp:{WEB}"), web);
    web + &service("dns", &format!("udp:{DNS}"), OF_DNS)
}

fn ip(byte: u8) -> String {
    format!("192.0.2.{byte}")
}

/// A service with established flows, whose set of backends has just changed.
struct World {
    rig: Rig,
    flows: Traffic,
    /// The backend that each flow has.
    places: Vec<u8>,
}

impl World {
    fn new(scheduler: &str) -> Self {
        let rig = Rig::with_room(ROOM, &config(scheduler, BEFORE));
        let flows = traffic(&tcp(CLIENT, WEB, "A"), &rig);
        let mut world = Self { rig, flows, places: Vec::new() };
        world.establish();
        world.change(scheduler);
        world
    }

    /// Every flow lives over an epoch's end.
    fn establish(&mut self) {
        let first = self.flows.of_flows(0..FLOWS).run(FLOWS).jiffies;
        let first = self.rig.epoch(first);
        let ended = until(Duration::from_mins(1), || {
            let now = self.flows.of_flows(0..1).run(1).jiffies;
            (self.rig.epoch(now) != first).then_some(())
        });
        assert!(ended.is_some(), "an epoch ends within a minute");
        self.flows.of_flows(0..FLOWS).run(FLOWS);
    }

    /// Flows of the backend that is removed move, and no others, though the scheduler would now
    /// choose otherwise.
    fn change(&mut self, scheduler: &str) {
        let before = places(&mut self.flows);
        let config = config(scheduler, AFTER);
        self.rig.reconfigure(&config);
        self.places = places(&mut self.flows);
        for (old, new) in before.iter().zip(&self.places) {
            assert!(old == new || *old == REMOVED, "a flow of {old} moved to {new}");
        }
        let mut strangers = traffic(&tcp(CLIENT, WEB, "A"), &Rig::new(&config));
        assert_ne!(places(&mut strangers), self.places);
    }

    /// Runs the flood; all of it is sent on.
    fn flood(&mut self, packet: &[u8]) -> Flood {
        let mut flood = traffic(packet, &self.rig);
        let transmitted = |rig: &Rig| rig.verdict(Verdict::Transmitted).packets;
        let (sent, before) = (transmitted(&self.rig), self.counters());
        let first = flood.of_flows(FLOWS..FLOWS + FLOOD).run(1).jiffies;
        let last = flood.run(FLOOD - 1).jiffies;
        assert_eq!(transmitted(&self.rig) - sent, FLOOD, "of {FLOOD} packets");
        let after = self.counters();
        Flood {
            new_flows: after.new_flows - before.new_flows,
            untracked: after.untracked - before.untracked,
            epochs: u64::from(self.rig.epoch(last).since(self.rig.epoch(first))) + 1,
            live: AFTER.iter().chain(OF_DNS).map(|(byte, _)| self.rig.flows(&ip(*byte))).sum(),
        }
    }

    /// Not one flow is elsewhere, and each is still known.
    fn assert_unmoved(&mut self, scheduler: &str) {
        let before = self.counters();
        let places = places(&mut self.flows);
        let moved = places.iter().zip(&self.places).filter(|(now, then)| now != then).count();
        assert!(moved == 0, "{scheduler}: {moved} of {FLOWS} flows moved");
        let after = self.counters();
        assert_eq!(after.new_flows, before.new_flows, "{scheduler}: flows that were forgotten");
    }

    /// What was sent to all backends together.
    fn counters(&self) -> BackendCounters {
        let backends = AFTER.iter().chain(OF_DNS).map(|(byte, _)| self.rig.counters(&ip(*byte)));
        backends.fold(BackendCounters::default(), |sum, counters| BackendCounters {
            packets: sum.packets + counters.packets,
            bytes: sum.bytes + counters.bytes,
            new_flows: sum.new_flows + counters.new_flows,
            untracked: sum.untracked + counters.untracked,
            evicted: sum.evicted + counters.evicted,
        })
    }
}

fn traffic(packet: &[u8], rig: &Rig) -> Traffic {
    Traffic::like(&frame(&[], packet), rig.program())
}

/// One more packet of every flow: the backend that each is sent to.
fn places(flows: &mut Traffic) -> Vec<u8> {
    flows.of_flows(0..FLOWS);
    let place = |_| {
        let sent = flows.send();
        assert_eq!(sent.action, TRANSMIT);
        sent.frame[14 + 19]
    };
    (0..FLOWS).map(place).collect()
}

/// What a flood was to the flow table.
struct Flood {
    new_flows: u64,
    untracked: u64,
    /// Epochs in which it came.
    epochs: u64,
    /// Flows in the table after it.
    live: u64,
}

impl Flood {
    /// They filled the table, and no more of them found a place than there is room for: in an epoch
    /// a lane is given away once. All others were counted as untracked.
    fn assert_filled_the_table(&self) {
        assert_eq!(self.live, u64::from(ROOM));
        let room = u64::from(ROOM) - FLOWS;
        // A few more, for in one of a hundred such floods a packet matches a stranger's tag.
        let most = room * self.epochs + 2;
        let tracked = FLOOD - self.untracked;
        assert!(
            (room..=most).contains(&tracked),
            "{tracked} flows found a place, of {most} at most"
        );
    }
}

#[test]
fn twenty_million_syns_move_no_established_flow() {
    for scheduler in SCHEDULERS {
        let mut world = World::new(scheduler);
        let flood = world.flood(&tcp(CLIENT, WEB, "S"));
        world.assert_unmoved(scheduler);
        if WITHOUT_SYNS.contains(&scheduler) {
            assert_eq!((flood.new_flows, flood.untracked, flood.live), (0, 0, FLOWS));
        }
    }
}

#[test]
fn twenty_million_spoofed_acks_move_no_established_flow() {
    for scheduler in SCHEDULERS {
        let mut world = World::new(scheduler);
        let flood = world.flood(&tcp(CLIENT, WEB, "A"));
        world.assert_unmoved(scheduler);
        flood.assert_filled_the_table();
    }
}

#[test]
fn twenty_million_datagrams_to_another_service_move_no_established_flow() {
    for scheduler in SCHEDULERS {
        let mut world = World::new(scheduler);
        let flood = world.flood(&udp(CLIENT, DNS, b"question"));
        world.assert_unmoved(scheduler);
        flood.assert_filled_the_table();
    }
}
