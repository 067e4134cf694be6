//! Draining: no new flows, old ones finish.

use std::net::Ipv4Addr;

use lab::{Topology, addresses::VIP, config::Config};

#[test]
fn draining_keeps_old_connections_and_gets_no_new_ones() {
    let lab = Topology::new().client("alice").backends(2).start();
    lab.serve(&Config::web(VIP, lab.backends()));
    let alice = lab.client("alice");
    let web1 = lab.backend("web1").v4().to_string();
    let mut old = (0..100)
        .map(|_| alice.keep_open(VIP))
        .find_map(|mut connection| {
            (connection.get("/").unwrap().served_by == "web1").then_some(connection)
        })
        .expect("one in a hundred connections goes to web1");

    lab.balancer().lb(&["backend", "drain", "web", &web1]).success();
    assert_eq!(lab.balancer().status().state(lab.backend("web1").v4()), "draining");
    for _ in 0..50 {
        assert_eq!(alice.get(VIP).served_by, "web2");
        assert_eq!(old.get("/").unwrap().served_by, "web1");
    }

    lab.balancer().lb(&["backend", "enable", "web", &web1]).success();
    assert_eq!(lab.balancer().status().state(lab.backend("web1").v4()), "up");
    assert!((0..100).any(|_| alice.get(VIP).served_by == "web1"));
    assert_eq!(old.get("/").unwrap().served_by, "web1");
}

#[test]
fn a_disabled_backend_gets_nothing() {
    let lab = Topology::new().client("alice").backends(2).start();
    lab.serve(&Config::web(VIP, lab.backends()));
    let web1 = lab.backend("web1").v4().to_string();

    lab.balancer().lb(&["backend", "disable", "web", &web1]).success();
    assert!((0..50).all(|_| lab.client("alice").get(VIP).served_by == "web2"));
}

#[test]
fn draining_twice_says_that_nothing_changed() {
    let lab = Topology::new().backends(1).start();
    lab.serve(&Config::web(VIP, lab.backends()));
    let web1 = lab.backend("web1").v4().to_string();
    let drain = ["backend", "drain", "web", &web1, "-o", "json"];

    let differences = |output: serde_json::Value| output["differences"].as_array().unwrap().len();
    assert_eq!(differences(lab.balancer().lb(&drain).json()), 1);
    assert_eq!(differences(lab.balancer().lb(&drain).json()), 0);
}

#[test]
fn whoever_waits_for_a_drain_hears_how_it_ended_and_finds_the_backend_disabled() {
    let lab = Topology::new().client("alice").backends(2).start();
    lab.serve(&Config::web(VIP, lab.backends()));
    let [web1, web2] = ["web1", "web2"].map(|name| lab.backend(name).v4());
    let drain = |address: Ipv4Addr, more: &[&str]| {
        let address = address.to_string();
        let line = ["backend", "drain", "web", &address, "--wait", "-o", "json"];
        lab.balancer().lb(&[&line, more].concat()).json()
    };

    // Nobody has asked for anything yet: there is nothing to wait for.
    assert_eq!(drain(web2, &[])["outcome"], "drained");
    assert_eq!(lab.balancer().status().state(web2), "disabled");

    let mut open = lab.client("alice").keep_open(VIP);
    assert_eq!(open.get("/").unwrap().served_by, "web1");
    let flows =
        lab.balancer().lb(&["flows", "--service", "web", "--top", "1", "-o", "json"]).json();
    assert_eq!(flows["backends"][0]["address"], format!("{web1}:80"));
    assert_eq!(flows["backends"][0]["live"], 1);

    let drained = drain(web1, &["--deadline", "1s"]);
    assert_eq!((&drained["outcome"], &drained["cut"]), (&"deadline".into(), &1.into()));
    assert_eq!(lab.balancer().status().state(web1), "disabled");
}
