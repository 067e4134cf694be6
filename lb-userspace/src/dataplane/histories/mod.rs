//! Random histories of packets, time, servers and daemons: whatever happens, and in whatever order,
//! the books tell how many live flows each backend has.

mod frames;
mod races;
mod reference;
mod replica;
mod world;

use lb_common::flow::{Entry, State};
use proptest::{collection::vec, prelude::*};

use self::{
    frames::Packet,
    reference::Reference,
    world::{FlowId, SERVERS, SERVICES, Server, World},
};
use crate::{model::Admin, state::Health};

/// Something that happens.
#[derive(Debug, Clone, Copy)]
enum Event {
    Packet(FlowId, Packet),
    Wait {
        epochs: u64,
    },
    Sweep {
        epochs_behind: u64,
    },
    Judge(Server, Health),
    Administer(Server, Admin),
    Remove(Server),
    Add(Server),
    /// The daemon starts anew, with its state file or without.
    Restart {
        remembers: bool,
    },
    /// A packet or the sweep changes the flow table, and what follows for the books is lost: all of
    /// it, or that of one backend.
    Loss {
        packet: Option<(FlowId, Packet)>,
        of_all: bool,
    },
}

fn flow() -> impl Strategy<Value = FlowId> {
    (0..SERVICES.len(), 0..12u8).prop_map(|(service, number)| FlowId { service, number })
}

fn packet() -> impl Strategy<Value = (FlowId, Packet)> {
    let packet = prop_oneof![
        3 => Just(Packet::Syn),
        6 => Just(Packet::Data),
        1 => Just(Packet::Fin),
        1 => Just(Packet::Rst),
    ];
    (flow(), packet)
}

fn server() -> impl Strategy<Value = Server> {
    (0..SERVICES.len(), 0..SERVERS).prop_map(|(service, number)| Server { service, number })
}

fn event() -> impl Strategy<Value = Event> {
    let health = prop_oneof![Just(Health::Up), Just(Health::Down)];
    let admin = prop_oneof![Just(Admin::Enabled), Just(Admin::Draining), Just(Admin::Disabled)];
    let lost = (prop::option::weighted(0.8, packet()), any::<bool>());
    prop_oneof![
        60 => packet().prop_map(|(flow, packet)| Event::Packet(flow, packet)),
        8 => (1..4u64).prop_map(|epochs| Event::Wait { epochs }),
        4 => (0..2u64).prop_map(|epochs_behind| Event::Sweep { epochs_behind }),
        4 => (server(), health).prop_map(|(server, health)| Event::Judge(server, health)),
        4 => (server(), admin).prop_map(|(server, admin)| Event::Administer(server, admin)),
        5 => server().prop_map(Event::Remove),
        10 => server().prop_map(Event::Add),
        2 => any::<bool>().prop_map(|remembers| Event::Restart { remembers }),
        1 => lost.prop_map(|(packet, of_all)| Event::Loss { packet, of_all }),
    ]
}

proptest! {
    #[test]
    fn the_books_say_what_a_list_of_flows_and_their_backends_says(events in vec(event(), 1..150)) {
        // No bucket ever fills up, so that no flow goes without an entry.
        let mut world = World::new(128);
        let mut reference = Reference::new();
        for event in events {
            let outcome;
            (world, outcome) = world.after(event);
            reference.note(event, outcome);
            if outcome.books_are_right {
                for server in servers() {
                    let (counted, known) = (world.live_flows(server), reference.live_flows(server));
                    prop_assert_eq!(counted, known, "{:?} after {:?}", server, event);
                }
            }
        }
    }

    #[test]
    fn in_a_table_with_too_few_lanes_the_books_say_what_is_in_it_and_established_flows_stay(
        buckets in prop::sample::select(vec![1, 2, 4, 8]),
        events in vec(event(), 1..150),
    ) {
        let mut world = World::new(buckets);
        for event in events {
            let before = world.lanes();
            let outcome;
            (world, outcome) = world.after(event);
            if outcome.books_are_right {
                prop_assert_eq!(world.counts(), world.scan(), "after {:?}", event);
            }
            if outcome.ending.is_some() {
                let lost = before.into_iter().zip(world.lanes()).find(is_evicted_flow);
                prop_assert_eq!(lost, None, "after {:?}", event);
            }
        }
    }
}

/// True of a lane that held an established flow before a packet, and does not after it.
fn is_evicted_flow((before, after): &(u64, u64)) -> bool {
    let is_established =
        |entry: Entry| entry.state() == State::Established && Entry::distance(*after, *before) != 0;
    Entry::from_word(*before).is_some_and(is_established)
}

fn servers() -> impl Iterator<Item = Server> {
    (0..SERVICES.len())
        .flat_map(|service| (0..SERVERS).map(move |number| Server { service, number }))
}
