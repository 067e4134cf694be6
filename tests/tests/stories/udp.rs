//! UDP services.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use lab::{
    Topology,
    addresses::{VIP, VIP6},
    config::Config,
    udp,
};

/// The largest datagram whose answer, a name longer, the clients' network takes in one IPv4 packet.
const FULL_SIZE: usize = 1500 - 20 - 8 - "web1 ".len();

#[test]
fn a_udp_service_is_answered_and_each_flow_keeps_its_backend() {
    for vip in [VIP, VIP6] {
        let dns = SocketAddr::new(vip.ip(), 53);
        let lab = Topology::new().client("alice").backends(2).start();
        let responders: Vec<_> = lab.backends().iter().map(|web| web.answer_udp(dns)).collect();
        let config = Config::new().service("dns", format!("udp:{dns}"));
        lab.serve(&lab.backends().iter().fold(config, |config, web| config.backend(web.v4(), 1)));

        let mut seen = BTreeSet::new();
        for _ in 0..50 {
            let socket = lab.client("alice").udp_socket(dns).unwrap();
            let first = udp::ask(&socket, b"who?").unwrap();
            assert_eq!(udp::ask(&socket, b"and now?").unwrap().served_by, first.served_by);
            seen.insert(first.served_by);
        }
        assert_eq!(seen.len(), 2, "{seen:?}");
        assert_eq!(responders.iter().map(udp::UdpResponder::received).sum::<u64>(), 100);
    }
}

#[test]
fn flows_that_fall_silent_are_forgotten_after_their_service_s_time() {
    let dns = SocketAddr::new(VIP.ip(), 53);
    let lab = Topology::new().client("alice").backends(1).start();
    let web1 = lab.backend("web1");
    let _responder = web1.answer_udp(dns);
    let config = Config::new().service("dns", format!("udp:{dns}"));
    lab.serve(&config.setting("idle", "{ udp = \"10s\" }").backend(web1.v4(), 1));

    let sockets: Vec<_> = (0..5).map(|_| lab.client("alice").udp_socket(dns).unwrap()).collect();
    for socket in &sockets {
        udp::ask(socket, b"who?").unwrap();
    }
    let live = || lab.balancer().status().backend(web1.v4()).unwrap().flows;
    assert_eq!(live(), 5);
    lab.eventually(
        "all but the one that goes on asking are forgotten",
        Duration::from_secs(40),
        || {
            udp::ask(&sockets[0], b"still there?").unwrap();
            live() == 1
        },
    );
}

#[test]
fn a_full_size_datagram_arrives_whole() {
    let dns = SocketAddr::new(VIP.ip(), 53);
    let lab = Topology::new().client("alice").backends(1).start();
    let _responder = lab.backend("web1").answer_udp(dns);
    let config = Config::new().service("dns", format!("udp:{dns}"));
    lab.serve(&config.backend(lab.backend("web1").v6(), 1));

    let datagram: Vec<u8> = (0..FULL_SIZE).map(|n| n as u8).collect();
    assert_eq!(lab.client("alice").ask_udp(dns, &datagram).unwrap().echo, datagram);
}
