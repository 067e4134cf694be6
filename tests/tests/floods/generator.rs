//! The traffic of these tests is what the host takes it for.

use etherparse::{Ipv4HeaderSlice, SlicedPacket};
use lab::rig::{
    Rig,
    packet::{echo, frame, tcp, udp},
    traffic::Traffic,
};
use lb_common::verdict::{Action, Verdict};

const BACKENDS: [&str; 3] = ["192.0.2.21", "192.0.2.22", "192.0.2.23"];

/// A client and a VIP of each family.
const FAMILIES: [(&str, &str); 2] =
    [("198.51.100.7", "203.0.113.10"), ("2001:db8:1::7", "2001:db8:3::10")];

/// TCP port 80 of a VIP.
fn service(vip: &str) -> Rig {
    let vip = if vip.contains(':') { format!("[{vip}]") } else { vip.to_owned() };
    let head = format!("[[service]]\nname = \"web\"\naddress = \"tcp:{vip}:80\"\n");
    let backends = BACKENDS.map(|ip| format!("[[service.backend]]\naddress = \"{ip}\"\n"));
    // So much room that no flow goes without.
    Rig::with_room(1 << 18, &format!("{head}table_size = 1024\n{}", backends.concat()))
}

/// A segment of a connection under way from a client to port 80 of a VIP.
fn segment(client: &str, vip: &str) -> Vec<u8> {
    tcp(&format!("{client}:40000"), &format!("{vip}:80"), "A")
}

#[test]
fn a_generated_packet_is_the_one_that_the_host_makes_with_its_checksum_right() {
    let rig = service("203.0.113.10");
    let nobodys = [
        tcp("198.51.100.7:40000", "203.0.113.99:80", "S"),
        udp("2001:db8:1::7:40000", "2001:db8:3::99:53", b"a question of some length"),
        echo("198.51.100.7", "203.0.113.99", false),
    ];
    for packet in nobodys {
        let mut traffic = Traffic::like(&frame(&[], &packet), rig.program());
        for flow in [0, 1, 4711, 1 << 47] {
            let outcome = traffic.of_flows(flow..flow + 1).send();
            assert_eq!(outcome.frame, traffic.packet(flow), "flow {flow}");
            let sliced = SlicedPacket::from_ethernet(&outcome.frame).unwrap();
            assert!(sliced.transport.is_some(), "flow {flow}");
            if let Ok(header) = Ipv4HeaderSlice::from_slice(&outcome.frame[14..]) {
                let right = header.to_header().calc_header_checksum();
                assert_eq!(header.header_checksum(), right, "flow {flow}");
            }
        }
    }
}

#[test]
fn every_packet_of_a_batch_is_whole_whatever_the_program_did_to_the_one_before() {
    for (client, vip) in FAMILIES {
        let rig = service(vip);
        let packets = [
            (segment(client, vip), Verdict::Transmitted),
            (echo(client, vip, false), Verdict::EchoReplied),
        ];
        for (packet, verdict) in packets {
            let frame = frame(&[], &packet);
            let mut traffic = Traffic::like(&frame, rig.program());
            let before = rig.verdict(verdict);
            let run = traffic.of_flows(0..100).run(1000);
            assert_eq!((run.packets, run.action), (1000, 3), "{verdict:?}");
            let after = rig.verdict(verdict);
            assert_eq!(after.packets - before.packets, 1000, "{verdict:?}");
            assert_eq!(after.bytes - before.bytes, 1000 * frame.len() as u64, "{verdict:?}");
        }
    }
}

#[test]
fn flows_of_the_generator_lie_in_the_flow_table_on_the_backends_that_the_host_picks() {
    const FLOWS: u64 = 10_000;

    for (client, vip) in FAMILIES {
        let mut rig = service(vip);
        let mut traffic = Traffic::like(&frame(&[], &segment(client, vip)), rig.program());
        traffic.of_flows(0..FLOWS).run(FLOWS);
        let held = BACKENDS.map(|backend| rig.flows(backend));
        assert_eq!(held.iter().sum::<u64>(), FLOWS);

        let mut picked = [0; BACKENDS.len()];
        for flow in 0..FLOWS {
            // The program meets a flow that it knows, the host a new one.
            let outcome = rig.send(&traffic.packet(flow));
            assert_eq!(outcome.verdict.action(), Action::Transmit);
            picked[usize::from(outcome.frame[14 + 19] - 21)] += 1;
        }
        assert_eq!(held, picked);
        let new_flows = BACKENDS.map(|backend| rig.counters(backend).new_flows);
        assert_eq!(new_flows, held, "no packet was of another flow than the host thinks");
    }
}
