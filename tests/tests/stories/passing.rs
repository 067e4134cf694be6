//! What is not ours, and what is but needs no backend.

use std::net::{Ipv4Addr, SocketAddr};

use lab::{
    Topology,
    addresses::{VIP, VIP6},
    config::Config,
};

#[test]
fn what_is_not_ours_passes_to_the_hosts_own_stack() {
    let lab = Topology::new().client("alice").backends(1).start();
    let _own = lab.balancer().start_nginx();
    lab.serve(&Config::web(VIP, lab.backends()));
    let alice = lab.client("alice");

    for own in [lab.balancer().v4().into(), lab.balancer().v6().into()] {
        let mut connection = alice.keep_open(SocketAddr::new(own, 80));
        assert_eq!(connection.get("/large").unwrap().served_by, "balancer");
        assert_eq!(connection.post("/", &vec![b'!'; 1 << 20]).unwrap().served_by, "balancer");
        assert!(alice.ping(own));
    }
    assert_eq!(alice.get(VIP).served_by, "web1");
}

#[test]
fn a_vip_answers_ping_in_both_families_and_its_neighbours_do_not() {
    let lab = Topology::new().client("alice").backends(1).start();
    let web1 = lab.backend("web1");
    let config = Config::new()
        .service("web", format!("tcp:{VIP}"))
        .backend(web1.v4(), 1)
        .service("web6", format!("tcp:{VIP6}"))
        .backend(web1.v6(), 1);
    lab.serve(&config);
    let alice = lab.client("alice");
    assert!(alice.ping(VIP.ip()));
    assert!(alice.ping(VIP6.ip()));
    assert!(!alice.ping(Ipv4Addr::new(203, 0, 113, 11).into()));
}

#[test]
fn replies_go_past_the_balancer() {
    let lab = Topology::new().client("alice").backends(1).start();
    lab.serve(&Config::web(VIP, lab.backends()));
    let mut connection = lab.client("alice").keep_open(VIP);

    let before = lab.balancer().interface_counters();
    let body = connection.get("/large").unwrap().body.len() as u64;
    let after = lab.balancer().interface_counters();
    // Acknowledgements are what is left for the balancer to carry.
    let carried = after.tx_bytes - before.tx_bytes;
    assert!(carried * 4 < body, "{body} bytes were answered, the balancer sent {carried}");
}

#[test]
fn two_labs_at_once_do_not_disturb_each_other() {
    let labs = [1, 2].map(|backends| Topology::new().client("alice").backends(backends).start());
    for lab in &labs {
        lab.serve(&Config::web(VIP, lab.backends()));
    }
    let [one, two] = &labs;
    assert!((0..50).all(|_| one.client("alice").get(VIP).served_by == "web1"));
    assert!((0..50).any(|_| two.client("alice").get(VIP).served_by == "web2"));
    one.balancer().lb(&["detach"]).success();
    one.client("alice").request(VIP, "/").unwrap_err();
    assert!((0..50).any(|_| two.client("alice").get(VIP).served_by == "web2"));
}
