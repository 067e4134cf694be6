//! What is measured: kinds of packets, each through a program of its own.

use std::{ops::Range, rc::Rc, time::Duration};

use anyhow::Result;
use aya::programs::ProgramFd;
use lb_common::verdict::Verdict;

use super::target::{Balancer, Floor, Peer, Target};
use crate::{
    poll::until,
    rig::{
        Rig,
        packet::{echo, frame, tcp, udp},
        traffic::{Run, Traffic},
    },
};

/// A kind of packets, or the program that they run through beside the balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Transmit,
    Encapsulate,
    Line,
    Peer,
    EstablishedV4,
    EstablishedV6,
    Udp,
    Syn,
    NotOurs,
    NoService,
    EchoV4,
    EchoV6,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Transmit => "floor: `return XDP_TX`",
            Self::Encapsulate => "floor: an IPv4 tunnel header",
            Self::Line => "floor: a random line of an array like the flow table",
            Self::Peer => "peer: LRU_HASH flows, HASH services, TCP over IPv4",
            Self::EstablishedV4 => "established, TCP over IPv4",
            Self::EstablishedV6 => "established, TCP over IPv6",
            Self::Udp => "established, UDP over IPv4",
            Self::Syn => "SYN of a new flow",
            Self::NotOurs => "not ours",
            Self::NoService => "no service",
            Self::EchoV4 => "ping, IPv4",
            Self::EchoV6 => "ping, IPv6",
        }
    }
}

/// How many flows there are, and for how many the tables have room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scale {
    pub(super) flows: u64,
    pub(super) room: u32,
}

/// One flow, in a table of ordinary size.
pub(super) const HOT: Scale = Scale { flows: 1, room: 1 << 20 };

const CLIENT_V4: &str = "198.51.100.7";
const CLIENT_V6: &str = "2001:db8:1::7";
const VIP_V4: &str = "203.0.113.10";
const VIP_V6: &str = "2001:db8:3::10";
const NOBODY: &str = "203.0.113.99";

/// Packets of one kind, on their way through a program.
pub(super) struct Subject {
    pub(super) kind: Kind,
    pub(super) scale: Scale,
    pub(super) traffic: Traffic,
    target: Rc<dyn Target>,
}

impl Subject {
    fn new(kind: Kind, scale: Scale, packet: &[u8], target: impl Target + 'static) -> Self {
        let traffic = Traffic::like(&frame(&[], packet), target.program());
        let mut subject = Self { kind, scale, traffic, target: Rc::new(target) };
        subject.traffic.of_flows(subject.flows());
        subject
    }

    /// A SYN of an established flow would open it anew: these are others.
    fn flows(&self) -> Range<u64> {
        let first = if self.kind == Kind::Syn { 1 << 32 } else { 0 };
        first..first + self.scale.flows
    }

    /// Runs packets through the program; all of them have to take the way they are measured for.
    pub(super) fn run(&mut self, packets: u64) -> Run {
        self.traffic.aim(self.target.program());
        let before = self.target.counted();
        let run = self.traffic.run(packets);
        if let (Some(before), Some(after)) = (before, self.target.counted()) {
            assert_eq!(after - before, packets, "packets that took the way of {:?}", self.kind);
        }
        run
    }

    /// Runs packets through a program that does nothing, in place of its own.
    pub(super) fn run_idle(&mut self, idle: &ProgramFd, packets: u64) -> Run {
        self.traffic.aim(idle);
        self.traffic.run(packets)
    }
}

/// Loads everything afresh. Flows are established.
pub(super) fn load(scales: &[Scale]) -> Result<Vec<Subject>> {
    let rig = Rc::new(services(HOT.room));
    let mut subjects = hot(&rig)?;
    for scale in scales {
        subjects.extend(of_scale(*scale)?);
    }
    establish(&rig, &mut subjects);
    Ok(subjects)
}

/// One flow of each kind, all through one load of the balancer.
fn hot(rig: &Rc<Rig>) -> Result<Vec<Subject>> {
    let balanced = |kind, verdict, packet: &[u8]| {
        Subject::new(kind, HOT, packet, Balancer { rig: Rc::clone(rig), verdict })
    };
    let v4 = |port: u16, flags| segment(CLIENT_V4, VIP_V4, port, flags);
    let question = udp(&at(CLIENT_V4, 40000), &at(VIP_V4, 53), b"question");
    let any = v4(80, "A");
    Ok(vec![
        Subject::new(Kind::Transmit, HOT, &any, Floor::new("transmit")?),
        Subject::new(Kind::Encapsulate, HOT, &any, Floor::new("encapsulate")?),
        Subject::new(Kind::Peer, HOT, &any, peer(HOT)?),
        balanced(Kind::EstablishedV4, Verdict::Transmitted, &any),
        balanced(Kind::EstablishedV6, Verdict::Transmitted, &segment(CLIENT_V6, VIP_V6, 80, "A")),
        balanced(Kind::Udp, Verdict::Transmitted, &question),
        balanced(Kind::Syn, Verdict::Transmitted, &v4(80, "S")),
        balanced(Kind::NotOurs, Verdict::NotOurs, &segment(CLIENT_V4, NOBODY, 80, "A")),
        balanced(Kind::NoService, Verdict::NoService, &v4(81, "A")),
        balanced(Kind::EchoV4, Verdict::EchoReplied, &echo(CLIENT_V4, VIP_V4, false)),
        balanced(Kind::EchoV6, Verdict::EchoReplied, &echo(CLIENT_V6, VIP_V6, false)),
    ])
}

/// Many flows, each kind in a table of its own.
fn of_scale(scale: Scale) -> Result<Vec<Subject>> {
    let balanced = |kind, packet: &[u8]| {
        let rig = Rc::new(services(scale.room));
        Subject::new(kind, scale, packet, Balancer { rig, verdict: Verdict::Transmitted })
    };
    let v4 = |flags| segment(CLIENT_V4, VIP_V4, 80, flags);
    Ok(vec![
        Subject::new(Kind::Line, scale, &v4("A"), Floor::line(scale.room / 8)?),
        Subject::new(Kind::Peer, scale, &v4("A"), peer(scale)?),
        balanced(Kind::EstablishedV4, &v4("A")),
        balanced(Kind::EstablishedV6, &segment(CLIENT_V6, VIP_V6, 80, "A")),
        balanced(Kind::Syn, &v4("S")),
    ])
}

fn peer(scale: Scale) -> Result<Peer> {
    Peer::new([203, 0, 113, 10], 80, scale.flows)
}

/// Every flow lives over an epoch's end.
fn establish(rig: &Rig, subjects: &mut [Subject]) {
    let run = |subject: &mut Subject, packets| rig.epoch(subject.run(packets).jiffies);
    let mut last = None;
    for subject in &mut *subjects {
        last = Some(run(subject, subject.scale.flows));
    }
    let ended = until(Duration::from_mins(1), || {
        let now = subjects.first_mut().map(|subject| run(subject, 1));
        (now != last).then_some(())
    });
    assert!(ended.is_some(), "an epoch ends within a minute");
    for subject in subjects {
        subject.run(subject.scale.flows);
    }
}

/// A service of TCP in each family and one of UDP, with sixteen backends each.
fn services(room: u32) -> Rig {
    const BACKENDS: u8 = 16;

    let service = |name: &str, address: String, network: &str| {
        let backend = |number| format!("[[service.backend]]\naddress = \"{network}{number}\"\n");
        let backends: String = (21..21 + BACKENDS).map(backend).collect();
        format!("[[service]]\nname = \"{name}\"\naddress = \"{address}\"\n{backends}")
    };
    Rig::with_room(
        room,
        &[
            service("v4", format!("tcp:{VIP_V4}:80"), "192.0.2."),
            service("v6", format!("tcp:[{VIP_V6}]:80"), "2001:db8:2::"),
            service("udp", format!("udp:{VIP_V4}:53"), "192.0.2."),
        ]
        .concat(),
    )
}

fn segment(client: &str, vip: &str, port: u16, flags: &str) -> Vec<u8> {
    tcp(&at(client, 40000), &at(vip, port), flags)
}

fn at(ip: &str, port: u16) -> String {
    format!("{ip}:{port}")
}
