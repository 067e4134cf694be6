//! The service that most of these tests send packets to, in both families.

use lab::rig::{
    BALANCER, Outcome, Rig,
    packet::{ROUTER, echo, frame, sent, tcp, tunnelled, udp},
};
use lb_common::verdict::Verdict;

/// What one family of addresses has: a client, a VIP and the way to its backend.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) client: &'static str,
    pub(crate) vip: &'static str,
    pub(crate) balancer: &'static str,
    pub(crate) backend: &'static str,
    /// Bytes of the IP header.
    pub(crate) header: usize,
}

pub(crate) const V4: Family = Family {
    client: "198.51.100.7",
    vip: "203.0.113.10",
    balancer: "192.0.2.11",
    backend: "192.0.2.21",
    header: 20,
};
pub(crate) const V6: Family = Family {
    client: "2001:db8:1::7",
    vip: "2001:db8:3::10",
    balancer: "2001:db8:2::11",
    backend: "2001:db8:2::21",
    header: 40,
};
pub(crate) const FAMILIES: [Family; 2] = [V4, V6];

/// Bytes of an Ethernet header.
pub(crate) const ETHERNET: usize = 14;

impl Family {
    /// A TCP segment under way to the VIP's port 80.
    pub(crate) fn tcp(&self) -> Vec<u8> {
        tcp(&format!("{}:40000", self.client), &format!("{}:80", self.vip), "PA")
    }

    /// A UDP datagram to the VIP's port 53.
    pub(crate) fn udp(&self) -> Vec<u8> {
        udp(&format!("{}:40000", self.client), &format!("{}:53", self.vip), b"question")
    }

    /// An echo request to the VIP.
    pub(crate) fn ping(&self) -> Vec<u8> {
        echo(self.client, self.vip, false)
    }

    /// The VIP's answer to [`Family::ping`].
    pub(crate) fn pong(&self) -> Vec<u8> {
        echo(self.vip, self.client, true)
    }

    /// What leaves for the backend of the family when this packet comes in.
    pub(crate) fn forwarded(&self, packet: &[u8]) -> Outcome {
        let frame = sent(&[], &tunnelled(self.balancer, self.backend, packet));
        Outcome { verdict: Verdict::Transmitted, frame }
    }
}

/// TCP port 80 and UDP port 53 of a VIP of each family, with one backend each.
pub(crate) fn both_families() -> Rig {
    both_families_with("", "")
}

/// The same where each TCP service has these settings and each of its backends those.
pub(crate) fn both_families_with(settings: &str, of_backends: &str) -> Rig {
    let services = FAMILIES.iter().enumerate().flat_map(|(number, family)| {
        let vip = if family.vip.contains(':') {
            format!("[{}]", family.vip)
        } else {
            family.vip.to_owned()
        };
        [("tcp", 80, settings, of_backends), ("udp", 53, "", "")].map(
            |(protocol, port, settings, of_backends)| {
                format!(
                    r#"
                [[service]]
                name = "{protocol}-{number}"
                address = "{protocol}:{vip}:{port}"
                table_size = 64
                {settings}
                [[service.backend]]
                address = "{backend}"
                {of_backends}
                "#,
                    backend = family.backend
                )
            },
        )
    });
    Rig::new(&services.collect::<String>())
}

/// Sends a frame, and asks that it ends so and is bit for bit what it was.
pub(crate) fn stays_as_it_came(rig: &mut Rig, frame: &[u8], verdict: Verdict, what: &str) {
    let expected = Outcome { verdict, frame: frame.to_vec() };
    assert_eq!(rig.send(frame), expected, "{what}");
}

/// A packet in an Ethernet frame, with some bytes of the packet replaced.
pub(crate) fn with_bytes(packet: &[u8], offset: usize, bytes: &[u8]) -> Vec<u8> {
    let mut frame = frame(&[], packet);
    let offset = ETHERNET + offset;
    frame[offset..offset + bytes.len()].copy_from_slice(bytes);
    frame
}

/// The frame in which the answer to a ping goes back to where the ping came from.
pub(crate) fn echoed(reply: &[u8]) -> Vec<u8> {
    let frame = frame(&[], reply);
    [&ROUTER[..], &BALANCER, &frame[12..]].concat()
}

/// The last byte of the backend's address in the outer header of a packet that is sent on.
pub(crate) fn backend_of(rig: &mut Rig, packet: &[u8]) -> u8 {
    let outcome = rig.send(&frame(&[], packet));
    assert_eq!(outcome.verdict, Verdict::Transmitted);
    outcome.frame[14 + 19]
}
