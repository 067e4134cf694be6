//! IPv4 and IPv6, on either side of the balancer.

use std::net::{IpAddr, SocketAddr};

use lab::{
    Lab, Topology,
    addresses::{VIP, VIP6},
    config::Config,
};

#[test]
fn an_ipv4_vip_is_served_by_ipv4_backends() {
    serves_in_full(VIP, |backend| backend.v4().into());
}

#[test]
fn an_ipv6_vip_is_served_by_ipv6_backends() {
    serves_in_full(VIP6, |backend| backend.v6().into());
}

#[test]
fn an_ipv4_vip_is_served_by_ipv6_backends() {
    serves_in_full(VIP, |backend| backend.v6().into());
}

#[test]
fn an_ipv6_vip_is_served_by_ipv4_backends() {
    serves_in_full(VIP6, |backend| backend.v4().into());
}

#[test]
fn one_balancer_serves_both_families_at_once() {
    let lab = Topology::new().client("alice").backends(2).start();
    let [web1, web2] = [lab.backend("web1").v4(), lab.backend("web2").v4()];
    let config = Config::new()
        .service("web", format!("tcp:{VIP}"))
        .backend(web1, 1)
        .service("web6", format!("tcp:{VIP6}"))
        .backend(web2, 1);
    lab.serve(&config);
    assert_eq!(lab.client("alice").get(VIP).served_by, "web1");
    assert_eq!(lab.client("alice").get(VIP6).served_by, "web2");
}

/// Small and full-size packets in both directions, and both backends used.
fn serves_in_full(vip: SocketAddr, address: impl Fn(&lab::Backend) -> IpAddr) {
    let lab = Topology::new().client("alice").backends(2).start();
    let web = Config::new().service("web", format!("tcp:{vip}"));
    let add = |config: Config, backend| config.backend(address(backend), 1);
    lab.serve(&lab.backends().iter().fold(web, add));

    both_serve(&lab, vip);
    let mut connection = lab.client("alice").keep_open(vip);
    assert_eq!(connection.get("/large").unwrap().body, vec![b'.'; 1 << 20]);
    assert_eq!(connection.post("/", &vec![b'!'; 1 << 20]).unwrap().status, 200);
    assert!(lab.client("alice").ping(vip.ip()), "{} answers no ping", vip.ip());
}

fn both_serve(lab: &Lab, vip: SocketAddr) {
    let mut seen = [false; 2];
    for _ in 0..100 {
        match lab.client("alice").get(vip).served_by.as_str() {
            "web1" => seen[0] = true,
            "web2" => seen[1] = true,
            other => panic!("served by {other}"),
        }
    }
    assert_eq!(seen, [true; 2]);
}
