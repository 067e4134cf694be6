//! Frames as clients send them, and where a frame that was sent on goes.

use std::net::{IpAddr, Ipv4Addr};

use etherparse::{Ethernet2Slice, Ipv4HeaderSlice, PacketBuilder};

use super::world::{FlowId, SERVICES, ServiceUnderTest};

/// What a client says in a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packet {
    Syn,
    Data,
    Fin,
    Rst,
}

/// A packet of a flow. A datagram says nothing of the kind: whatever it is, it is data.
pub(super) fn frame(flow: FlowId, packet: Packet) -> Vec<u8> {
    let ServiceUnderTest { udp, port, .. } = SERVICES[flow.service];
    // A few clients with many ports each.
    let client = [198, 51, 100, flow.number % 5];
    let client_port = 40_000 + u16::from(flow.number);
    let step = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(client, [203, 0, 113, 10], 61);
    let mut frame = Vec::new();
    let written = if udp {
        step.udp(client_port, port).write(&mut frame, b"hello")
    } else {
        let step = step.tcp(client_port, port, 1000, 65535);
        let step = match packet {
            Packet::Syn => step.syn(),
            Packet::Data => step.ack(2000),
            Packet::Fin => step.ack(2000).fin(),
            Packet::Rst => step.rst(),
        };
        step.write(&mut frame, b"hello")
    };
    written.unwrap();
    frame
}

/// The destination of the outermost IP header.
pub(super) fn destination(frame: &[u8]) -> IpAddr {
    let ethernet = Ethernet2Slice::from_slice_without_fcs(frame).unwrap();
    let header = Ipv4HeaderSlice::from_slice(ethernet.payload_slice()).unwrap();
    Ipv4Addr::from(header.destination()).into()
}
