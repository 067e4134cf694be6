//! What a user is told of flows, as a program that knows no hash, no lane and no exchange.

use std::collections::BTreeMap;

use lb_common::verdict::Verdict;

use super::{
    Event,
    frames::Packet,
    world::{Ending, FlowId, Outcome, SERVERS, SERVICES, Server},
};
use crate::{model::Admin, state::Health};

/// What the config says of a service, in words of this file.
#[derive(Debug, Clone, Copy)]
struct Rules {
    /// A SYN is remembered, as the choice of its server is not told by a hash.
    remembers_syns: bool,
    when_down: WhenDown,
    /// A server that is drained sends its flows away.
    drain_moves: bool,
    gives_to_least_busy: bool,
    most: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WhenDown {
    Moves,
    Resets,
    Keeps,
}

const REMEMBERING: Rules = Rules {
    remembers_syns: true,
    when_down: WhenDown::Moves,
    drain_moves: false,
    gives_to_least_busy: false,
    most: None,
};

/// In the order of [`SERVICES`].
const RULES: [Rules; SERVICES.len()] = [
    Rules { remembers_syns: false, ..REMEMBERING },
    Rules { drain_moves: true, ..REMEMBERING },
    Rules { when_down: WhenDown::Resets, gives_to_least_busy: true, ..REMEMBERING },
    Rules { when_down: WhenDown::Keeps, ..REMEMBERING },
    Rules { most: Some(3), ..REMEMBERING },
    // UDP: nothing tells that a flow has ended, so that those of a drained server move.
    Rules { remembers_syns: false, drain_moves: true, ..REMEMBERING },
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Opening,
    Fresh,
    Established,
    Closing,
}

#[derive(Debug, Clone, Copy)]
struct Flow {
    /// None when its server was removed.
    server: Option<usize>,
    state: State,
    last_heard: u64,
}

#[derive(Debug, Clone, Copy)]
struct Standing {
    is_there: bool,
    health: Health,
    admin: Admin,
}

const IN_ORDER: Standing = Standing { is_there: true, health: Health::Up, admin: Admin::Enabled };

/// Who has which flow.
pub(super) struct Reference {
    flows: BTreeMap<FlowId, Flow>,
    standings: [[Standing; SERVERS]; SERVICES.len()],
    /// Nobody can choose by books that are wrong.
    books_are_right: bool,
}

impl Reference {
    /// All servers are up, and nobody has a flow.
    pub(super) fn new() -> Self {
        let standings = [[IN_ORDER; SERVERS]; SERVICES.len()];
        Self { flows: BTreeMap::new(), standings, books_are_right: true }
    }

    /// The live flows of a server; none of one that is not there.
    pub(super) fn live_flows(&self, server: Server) -> Option<u64> {
        self.standing(server).is_there.then(|| self.live(server) as u64)
    }

    /// Notes an event, if what it led to is right.
    pub(super) fn note(&mut self, event: Event, outcome: Outcome) {
        let now = outcome.now;
        match event {
            Event::Packet(flow, packet) | Event::Loss { packet: Some((flow, packet)), .. } => {
                self.packet(flow, packet, now, outcome.ending.unwrap());
            }
            Event::Wait { .. } => {}
            Event::Sweep { epochs_behind } => self.sweep(now - epochs_behind),
            Event::Loss { packet: None, .. } => self.sweep(now),
            Event::Judge(server, health) => self.standing_of(server).health = health,
            Event::Administer(server, admin) => self.standing_of(server).admin = admin,
            Event::Remove(server) => self.remove(server),
            Event::Add(server) => self.add(server),
            Event::Restart { .. } => self.forget_those_of_the_gone(),
        }
        if outcome.forgot {
            self.forget_those_of_the_gone();
        }
        self.books_are_right = outcome.books_are_right;
    }

    /// Notes what became of a packet, if that is right.
    fn packet(&mut self, id: FlowId, packet: Packet, now: u64, ending: Ending) {
        let packet = if SERVICES[id.service].udp { Packet::Data } else { packet };
        let held = self.flows.get(&id).copied();
        if let Some(flow) = held
            && goes_on(id.service, flow, packet, now)
        {
            let server = flow.server.map(|number| Server { service: id.service, number });
            if let Some(server) = server.filter(|server| self.keeps_flows(*server)) {
                assert_eq!(ending, Ending::SentTo(server), "{packet:?} of {flow:?}");
                self.flows.insert(id, heard(flow, packet, now));
                return;
            }
            if RULES[id.service].when_down == WhenDown::Resets && packet != Packet::Syn {
                let is_answered = packet != Packet::Rst;
                let silent = Ending::Refused(Verdict::NoBackend);
                assert_eq!(ending, if is_answered { Ending::Reset } else { silent });
                let closing = Flow { state: State::Closing, last_heard: now, ..flow };
                self.flows.insert(id, closing);
                return;
            }
        }
        match ending {
            Ending::SentTo(server) => {
                self.assert_welcome(server, held, packet);
                self.begin(id, held, packet, now, server.number);
            }
            Ending::Refused(verdict) => self.assert_nobody_takes(id.service, verdict),
            Ending::Reset => panic!("{packet:?} of {held:?} was answered by a reset"),
        }
    }

    fn begin(&mut self, id: FlowId, held: Option<Flow>, packet: Packet, now: u64, server: usize) {
        let state = match (packet, held.map(|flow| flow.state)) {
            (Packet::Syn, None) if !RULES[id.service].remembers_syns => return,
            (Packet::Syn, _) => State::Opening,
            (Packet::Fin | Packet::Rst, None) => return,
            (Packet::Fin | Packet::Rst, Some(_)) | (Packet::Data, Some(State::Closing)) => {
                State::Closing
            }
            (Packet::Data, Some(State::Established)) => State::Established,
            (Packet::Data, _) => State::Fresh,
        };
        self.flows.insert(id, Flow { server: Some(server), state, last_heard: now });
    }

    /// A round of the sweep at an epoch.
    fn sweep(&mut self, now: u64) {
        self.flows
            .retain(|id, flow| flow.server.is_some() && !is_forgotten(id.service, *flow, now));
    }

    fn forget_those_of_the_gone(&mut self) {
        self.flows.retain(|_, flow| flow.server.is_some());
    }

    fn remove(&mut self, server: Server) {
        self.standing_of(server).is_there = false;
        for (_, flow) in self.flows.iter_mut().filter(|(id, _)| id.service == server.service) {
            flow.server = flow.server.filter(|number| *number != server.number);
        }
    }

    /// The flows that it had before it was removed are not its own any more.
    fn add(&mut self, server: Server) {
        if !self.standing(server).is_there {
            *self.standing_of(server) = IN_ORDER;
        }
    }

    fn standing_of(&mut self, server: Server) -> &mut Standing {
        &mut self.standings[server.service][server.number]
    }

    fn standing(&self, server: Server) -> Standing {
        self.standings[server.service][server.number]
    }

    fn live(&self, server: Server) -> usize {
        let own = self.flows.iter().filter(|(id, flow)| {
            id.service == server.service && flow.server == Some(server.number)
        });
        own.filter(|(_, flow)| flow.state != State::Closing).count()
    }

    fn takes_new_flows(&self, server: Server) -> bool {
        let Standing { is_there, health, admin } = self.standing(server);
        is_there && admin == Admin::Enabled && health == Health::Up
    }

    fn keeps_flows(&self, server: Server) -> bool {
        let Standing { is_there, health, admin } = self.standing(server);
        let rules = RULES[server.service];
        let stands = health == Health::Up || rules.when_down == WhenDown::Keeps;
        let leaves = admin == Admin::Draining
            && rules.drain_moves
            && servers(server.service).any(|other| self.takes_new_flows(other));
        is_there && stands && admin != Admin::Disabled && !leaves
    }

    /// A server that gets a flow takes new ones, and is one that the scheduler may choose.
    fn assert_welcome(&self, server: Server, held: Option<Flow>, packet: Packet) {
        assert!(self.takes_new_flows(server), "{server:?} takes no new flows");
        // In the middle of a flow that nobody remembers, the hash alone decides.
        let is_chosen = held.is_some() || packet == Packet::Syn || SERVICES[server.service].udp;
        if !is_chosen || !self.books_are_right {
            return;
        }
        let rules = RULES[server.service];
        let live = self.live(server);
        let mut others = servers(server.service).filter(|other| self.takes_new_flows(*other));
        if rules.gives_to_least_busy {
            assert!(others.all(|other| live <= self.live(other)), "{server:?} is not least busy");
        }
        assert!(rules.most.is_none_or(|most| live < most), "{server:?} has as many as it may");
    }

    fn assert_nobody_takes(&self, service: usize, verdict: Verdict) {
        let mut open = servers(service).filter(|server| self.takes_new_flows(*server));
        let most = RULES[service].most.filter(|_| verdict == Verdict::BackendsFull);
        let Some(most) = most else {
            assert_eq!((verdict, open.next()), (Verdict::NoBackend, None));
            return;
        };
        let is_full = |server| self.live(server) >= most;
        assert!(!self.books_are_right || open.all(is_full), "somebody has room");
    }
}

fn servers(service: usize) -> impl Iterator<Item = Server> {
    (0..SERVERS).map(move |number| Server { service, number })
}

/// True when a packet belongs to the flow that its client had before, and does not begin another.
fn goes_on(service: usize, flow: Flow, packet: Packet, now: u64) -> bool {
    let is_one_more = match (packet, flow.state) {
        (Packet::Syn, State::Opening) => true,
        // Into the middle of a flow that talks.
        (Packet::Syn, State::Established) => now - flow.last_heard <= 1,
        (Packet::Syn, _) => false,
        _ => true,
    };
    is_one_more && !is_forgotten(service, flow, now)
}

/// True of a flow that was silent for longer than the config allows, in epochs of five seconds.
fn is_forgotten(service: usize, flow: Flow, now: u64) -> bool {
    let allowed = match flow.state {
        _ if SERVICES[service].udp => 4,
        State::Opening => 2,
        State::Fresh | State::Established => 12,
        State::Closing => 3,
    };
    now.saturating_sub(flow.last_heard) > allowed
}

/// A flow after one more packet of it.
fn heard(flow: Flow, packet: Packet, now: u64) -> Flow {
    let state = match (packet, flow.state) {
        // Anybody can forge a SYN: it changes nothing about a flow that talks.
        (Packet::Syn, State::Established) => return flow,
        (Packet::Syn, _) => State::Opening,
        (Packet::Fin | Packet::Rst, _) | (Packet::Data, State::Closing) => State::Closing,
        (Packet::Data, State::Opening) => State::Fresh,
        (Packet::Data, State::Fresh) if flow.last_heard == now => State::Fresh,
        (Packet::Data, State::Fresh | State::Established) => State::Established,
    };
    Flow { state, last_heard: now, ..flow }
}
