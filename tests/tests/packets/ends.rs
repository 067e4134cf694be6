//! What becomes of flows whose backend is gone or leaves, and when a flow is live.

use etherparse::PacketBuilder;
use lab::rig::{
    BALANCER, Outcome, Rig,
    header::{with_extensions, with_options},
    packet::{ROUTER, frame, tcp, udp},
};
use lb::{model::Admin, state::Health};
use lb_common::verdict::Verdict;

use crate::world::{FAMILIES, Family, backend_of};

/// TCP port 80 and UDP port 53 of a VIP of each family, with these settings and two backends.
fn config(tcp: &str, udp: &str) -> String {
    let service = |(number, family): (usize, &Family),
                   (protocol, port, settings): (&str, u16, &str)| {
        let vip = if family.header == 40 { format!("[{}]", family.vip) } else { family.vip.into() };
        format!(
            "[[service]]\nname = \"{protocol}-{number}\"\naddress = \"{protocol}:{vip}:{port}\"\n\
             table_size = 64\n{settings}\n[[service.backend]]\naddress = \"192.0.2.21\"\n\
             [[service.backend]]\naddress = \"192.0.2.22\"\n"
        )
    };
    let of = |one| [("tcp", 80, tcp), ("udp", 53, udp)].map(|kind| service(one, kind)).concat();
    FAMILIES.iter().enumerate().map(of).collect()
}

/// Sends packets of flows with ports from 10,000 until one meets this backend; its port.
fn flow_of(rig: &mut Rig, backend: u8, packet: impl Fn(u16) -> Vec<u8>) -> u16 {
    (10_000..10_100).find(|port| backend_of(rig, &packet(*port)) == backend).unwrap()
}

fn segment(family: &Family, port: u16, flags: &str) -> Vec<u8> {
    tcp(&format!("{}:{port}", family.client), &format!("{}:80", family.vip), flags)
}

/// What a client should get: a reset from the VIP that fits the segment it sent, which
/// acknowledges 2000.
fn reset(family: &Family, port: u16) -> Vec<u8> {
    let mut packet = Vec::new();
    let (vip, client) = (family.vip.parse().unwrap(), family.client.parse().unwrap());
    let ip = match (vip, client) {
        (std::net::IpAddr::V4(vip), std::net::IpAddr::V4(client)) => {
            PacketBuilder::ipv4(vip.octets(), client.octets(), 64)
        }
        (std::net::IpAddr::V6(vip), std::net::IpAddr::V6(client)) => {
            PacketBuilder::ipv6(vip.octets(), client.octets(), 64)
        }
        _ => unreachable!("a family has one"),
    };
    ip.tcp(80, port, 2000, 0).rst().write(&mut packet, &[]).unwrap();
    let frame = frame(&[], &packet);
    [&ROUTER[..], &BALANCER, &frame[12..]].concat()
}

#[test]
fn a_client_of_a_dead_backend_is_reset_where_its_service_says_so() {
    let mut rig = Rig::new(&config("on_failure = \"reset\"", ""));
    rig.check();
    for family in FAMILIES {
        let port = flow_of(&mut rig, 21, |port| segment(&family, port, "A"));
        let other = flow_of(&mut rig, 22, |port| segment(&family, port, "A"));
        rig.judge("192.0.2.21", Health::Down);
        let plain = segment(&family, port, "PA");
        let long = if family.header == 20 {
            with_options(&plain, &[1; 8])
        } else {
            with_extensions(&plain, &[(60, [0, 0, 1, 4, 0, 0, 0, 0])])
        };
        for packet in [plain, long] {
            let expected = Outcome { verdict: Verdict::Reset, frame: reset(&family, port) };
            assert_eq!(rig.send(&frame(&[], &packet)), expected);
        }
        let answer = segment(&family, port, "R");
        let outcome = rig.send(&frame(&[], &answer));
        assert_eq!(outcome.verdict, Verdict::NoBackend, "a reset is not answered");
        assert_eq!(outcome.frame, frame(&[], &answer));
        assert_eq!(backend_of(&mut rig, &segment(&family, other, "PA")), 22);
        let again = backend_of(&mut rig, &segment(&family, port, "S"));
        assert_eq!(again, 22, "the port is free for a new flow");
        rig.judge("192.0.2.21", Health::Up);
    }
}

#[test]
fn a_segment_without_an_acknowledgement_is_reset_by_its_own_numbers() {
    let mut rig = Rig::new(&config("on_failure = \"reset\"", ""));
    rig.check();
    let [v4, _] = FAMILIES;
    let port = flow_of(&mut rig, 21, |port| segment(&v4, port, "A"));
    rig.judge("192.0.2.21", Health::Down);
    let outcome = rig.send(&frame(&[], &segment(&v4, port, "F")));
    assert_eq!(outcome.verdict, Verdict::Reset);
    let header = etherparse::TcpHeaderSlice::from_slice(&outcome.frame[34..]).unwrap();
    // Sequence number 1000, five bytes of payload, and the FIN.
    assert_eq!((header.sequence_number(), header.acknowledgment_number()), (0, 1006));
    assert!(header.rst() && header.ack() && !header.fin());
}

#[test]
fn flows_wait_for_a_dead_backend_where_their_service_says_so() {
    let mut rig = Rig::new(&config("on_failure = \"keep\"", "on_failure = \"keep\""));
    rig.check();
    let [v4, _] = FAMILIES;
    let port = flow_of(&mut rig, 21, |port| segment(&v4, port, "A"));
    rig.judge("192.0.2.21", Health::Down);
    assert_eq!(backend_of(&mut rig, &segment(&v4, port, "PA")), 21);
    for port in 20_000..20_050 {
        assert_eq!(backend_of(&mut rig, &segment(&v4, port, "S")), 22, "new flows go elsewhere");
    }
    rig.administer("192.0.2.21", Admin::Disabled);
    assert_eq!(backend_of(&mut rig, &segment(&v4, port, "PA")), 22, "disabled, it keeps none");
}

#[test]
fn datagrams_leave_a_draining_backend_at_once_unless_their_service_keeps_them() {
    let [v4, _] = FAMILIES;
    let datagram =
        |port: u16| udp(&format!("{}:{port}", v4.client), &format!("{}:53", v4.vip), b"question");
    for (settings, stays) in [("", 22), ("on_drain = \"keep\"", 21)] {
        let mut rig = Rig::new(&config("", settings));
        let port = flow_of(&mut rig, 21, datagram);
        rig.administer("192.0.2.21", Admin::Draining);
        assert_eq!(backend_of(&mut rig, &datagram(port)), stays, "{settings}");
        rig.administer("192.0.2.22", Admin::Draining);
        assert_eq!(backend_of(&mut rig, &datagram(port)), stays, "nobody else is there");
    }
}

#[test]
fn a_flow_is_live_from_its_first_packet_that_is_remembered_to_its_fin_or_rst() {
    for scheduler in ["maglev", "rr"] {
        let mut rig = Rig::new(&config(&format!("scheduler = \"{scheduler}\""), ""));
        let [v4, _] = FAMILIES;
        let live = |rig: &Rig| rig.flows("192.0.2.21") + rig.flows("192.0.2.22");
        for (flags, count) in [
            ("S", u64::from(scheduler == "rr")),
            ("A", 1),
            ("PA", 1),
            ("FA", 0),
            ("A", 0),
            ("S", 1),
            ("A", 1),
            ("R", 0),
        ] {
            backend_of(&mut rig, &segment(&v4, 10_000, flags));
            assert_eq!(live(&rig), count, "{scheduler}: after {flags}");
        }
    }
}
