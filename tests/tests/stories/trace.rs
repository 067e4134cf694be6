//! Asked to, the daemon tells of each packet.

use lab::{Topology, addresses::VIP, config::Config};

use crate::SOON;

#[test]
fn a_traced_daemon_logs_each_packet_for_a_vip_and_the_next_one_logs_none() {
    let lab = Topology::new().client("alice").backends(1).start();
    let (balancer, alice) = (lab.balancer(), lab.client("alice"));
    lab.serve(&Config::web(VIP, lab.backends()));
    let told = format!("-> ::ffff:{} by ::ffff:{}", VIP.ip(), lab.backend("web1").v4());
    let lines = || balancer.log().lines().filter(|line| line.contains(&told)).count();

    balancer.kill9();
    balancer.restart_with(&["--trace"]);
    assert_eq!(alice.get(VIP).served_by, "web1");
    // A handshake, a request, an end.
    lab.eventually("lines about the packets", SOON, || lines() >= 3);
    assert!(balancer.log().contains("transmitted ::ffff:198.51.100."), "{}", balancer.log());

    balancer.kill9();
    balancer.restart();
    let before = lines();
    assert_eq!(alice.get(VIP).served_by, "web1");
    assert!(balancer.terminate());
    assert_eq!(lines(), before);
}
