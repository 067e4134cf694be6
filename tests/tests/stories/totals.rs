//! What has been counted only grows.

use lab::{Balancer, Topology, addresses::VIP, config::Config};

#[test]
fn a_service_s_total_counts_backends_that_left_whatever_becomes_of_the_daemon() {
    let lab = Topology::new().client("alice").backends(3).start();
    let (balancer, alice) = (lab.balancer(), lab.client("alice"));
    lab.serve(&Config::web(VIP, lab.backends()));
    for _ in 0..60 {
        assert_eq!(alice.get(VIP).status, 200);
    }
    let address = |name: &str| lab.backend(name).v4().to_string();
    let before = total(balancer);
    assert!(before >= 60, "{before} flows");

    balancer.lb(&["backend", "remove", "web", &address("web1")]).success();
    assert_eq!(total(balancer), before, "after a removal");
    balancer.kill9();
    balancer.restart();
    assert_eq!(total(balancer), before, "after a restart");

    // The file changes while no daemon runs.
    assert!(balancer.terminate());
    balancer.start(&Config::web(VIP, &lab.backends()[2..]));
    assert_eq!(total(balancer), before, "after a restart with another file");
    assert_eq!(alice.get(VIP).served_by, "web3");
    assert_eq!(total(balancer), before + 1);
}

/// New flows of the only service.
fn total(balancer: &Balancer) -> u64 {
    balancer.lb(&["stats", "-o", "json"]).json()["services"][0]["new_flows"].as_u64().unwrap()
}
