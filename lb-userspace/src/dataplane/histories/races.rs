//! Packets on several CPUs, and the sweep beside them, all at once.

use std::thread::{self, ScopedJoinHandle};

use lb_common::flow::{Epoch, hash::HashKey};

use super::{
    frames::Packet,
    world::{FlowId, SERVICES, World},
};
use crate::dataplane::sweep::Sweep;

const CPUS: u64 = 3;
const PACKETS: u64 = 20_000;

/// Few flows in one bucket, so that two CPUs often change one lane.
fn packet(cpu: u64, turn: u64) -> (FlowId, Packet) {
    let random = (turn * CPUS + cpu + 1).wrapping_mul(HashKey::MULTIPLIER) >> 32;
    let service = (random % SERVICES.len() as u64) as usize;
    let number = (random >> 8 & 3) as u8;
    let packet =
        [Packet::Syn, Packet::Data, Packet::Data, Packet::Fin][(random >> 16 & 3) as usize];
    (FlowId { service, number }, packet)
}

#[test]
fn packets_on_many_cpus_and_the_sweep_beside_them_leave_the_books_right() {
    let world = World::new(1);
    thread::scope(|scope| {
        let cpus: Vec<_> = (0..CPUS)
            .map(|cpu| {
                let world = &world;
                scope.spawn(move || {
                    for (flow, packet) in (0..PACKETS).map(|turn| packet(cpu, turn)) {
                        world.send(flow, packet);
                    }
                })
            })
            .collect();
        let mapped = &world.replica.mapped;
        let mut sweep = Sweep::default();
        sweep.follow(&mapped.held);
        while !cpus.iter().all(ScopedJoinHandle::is_finished) {
            world.replica.wait(1);
            let now = Epoch::new(world.replica.now());
            sweep.go(&mapped.flow_table, &mapped.affinity, &mapped.arrays.loads, now);
        }
    });
    assert_eq!(world.counts(), world.scan());
}
