//! New flows follow the weights.

use std::time::Duration;

use lab::{Lab, Topology, addresses::VIP, config::Config, load::Tally};

/// Enough connections that a share of a quarter is off by a tenth once in a hundred thousand runs.
const CONNECTIONS: u64 = 400;

#[test]
fn new_connections_follow_the_weights() {
    let lab = Topology::new().client("alice").backends(2).start();
    let [web1, web2] = [lab.backend("web1").v4(), lab.backend("web2").v4()];
    let web = Config::new().service("web", format!("tcp:{VIP}"));
    lab.serve(&web.backend(web1, 30).backend(web2, 10));

    let shares = connections(&lab);
    assert_eq!(shares.failures, Vec::<String>::new());
    assert!((shares.share("web1") - 0.75).abs() < 0.1, "{:?}", shares.served_by);
}

#[test]
fn a_weight_changed_by_command_holds_for_the_next_connections() {
    let lab = Topology::new().client("alice").backends(2).start();
    lab.serve(&Config::web(VIP, lab.backends()));
    let web2 = lab.backend("web2").v4();

    lab.balancer().lb(&["backend", "set", "web", &web2.to_string(), "--weight", "3"]).success();
    assert_eq!(lab.balancer().status().backend(web2).unwrap().weight, 3);
    let shares = connections(&lab);
    assert!((shares.share("web2") - 0.75).abs() < 0.1, "{:?}", shares.served_by);

    lab.balancer().lb(&["backend", "set", "web", &web2.to_string(), "--weight", "0"]).success();
    let shares = connections(&lab);
    assert_eq!(shares.of("web2"), 0, "weight 0 means no new flows");
}

#[test]
fn a_backend_with_weight_zero_keeps_its_connections_and_gets_no_new_ones() {
    let lab = Topology::new().client("alice").backends(2).start();
    lab.serve(&Config::web(VIP, lab.backends()));
    let mut open = lab.client("alice").keep_open(VIP);
    let server = open.get("/").unwrap().served_by;

    let address = lab.backend(&server).v4().to_string();
    lab.balancer().lb(&["backend", "set", "web", &address, "--weight", "0"]).success();
    for _ in 0..20 {
        assert_ne!(lab.client("alice").get(VIP).served_by, server);
        assert_eq!(open.get("/").unwrap().served_by, server);
    }
}

fn connections(lab: &Lab) -> Tally {
    let load = lab.client("alice").load(VIP, 1000);
    lab.eventually("enough requests are made", Duration::from_secs(30), || {
        let so_far = load.so_far();
        so_far.answered() + so_far.failures.len() as u64 >= CONNECTIONS
    });
    load.stop()
}
