//! Packets of services leave for a backend.

use lab::rig::{
    Outcome, Rig,
    packet::{frame, sent, tcp, tunnelled, udp},
};
use lb_common::verdict::Verdict;

const CLIENT: &str = "198.51.100.7:40000";
const CLIENT6: &str = "2001:db8:1::7:40000";

/// A config with one service of one backend.
fn service(address: &str, backend: &str) -> String {
    format!(
        r#"
        [[service]]
        name = "web"
        address = "{address}"
        table_size = 64
        [[service.backend]]
        address = "{backend}"
        "#
    )
}

#[test]
fn every_family_of_client_reaches_every_family_of_backend() {
    let cases = [
        (CLIENT, "203.0.113.10", "192.0.2.11", "192.0.2.21"),
        (CLIENT6, "2001:db8:3::10", "2001:db8:2::11", "2001:db8:2::21"),
        (CLIENT, "203.0.113.10", "2001:db8:2::11", "2001:db8:2::21"),
        (CLIENT6, "2001:db8:3::10", "192.0.2.11", "192.0.2.21"),
    ];
    for (client, vip, balancer, backend) in cases {
        let written = if vip.contains(':') { format!("[{vip}]") } else { vip.to_owned() };
        let mut rig = Rig::new(&service(&format!("tcp:{written}:80"), backend));
        for flags in ["S", "A", "PA", "FA", "R", "RA", ""] {
            let packet = tcp(client, &format!("{vip}:80"), flags);
            let expected = Outcome {
                verdict: Verdict::Transmitted,
                frame: sent(&[], &tunnelled(balancer, backend, &packet)),
            };
            assert_eq!(rig.send(&frame(&[], &packet)), expected, "{vip} to {backend}, {flags}");
        }
        let mut rig = Rig::new(&service(&format!("udp:{written}:53"), backend));
        let packet = udp(client, &format!("{vip}:53"), b"question");
        let outcome = rig.send(&frame(&[], &packet));
        assert_eq!(outcome.verdict, Verdict::Transmitted);
        assert_eq!(outcome.frame, sent(&[], &tunnelled(balancer, backend, &packet)));
    }
}
