//! A flow stays where it is.

use lab::{Topology, addresses::VIP, config::Config, http::Connection};

#[test]
fn a_connection_stays_while_other_backends_come_and_go() {
    let lab = Topology::new().client("alice").backends(4).start();
    // web4 joins later.
    lab.serve(&Config::web(VIP, &lab.backends()[..3]));
    let address = |name: &str| lab.backend(name).v4().to_string();
    let (web2, web3, web4) = (address("web2"), address("web3"), address("web4"));
    let mut open = lab.client("alice").keep_many_open(VIP, 60);
    assert!(["web1", "web2", "web3"].iter().all(|name| open.iter().any(|(by, _)| by == name)));

    let change = ["backend", "add", "web", &web4, "--weight", "5"];
    lab.balancer().lb(&change).success();
    all_stay(&mut open, &change);
    let mut newcomers = lab.client("alice").keep_many_open(VIP, 60);
    assert!(newcomers.iter().any(|(served_by, _)| served_by == "web4"));
    open.append(&mut newcomers);

    let changes: [&[&str]; 4] = [
        &["backend", "set", "web", &web2, "--weight", "9"],
        &["backend", "drain", "web", &web2],
        &["backend", "enable", "web", &web2],
        &["backend", "set", "web", &web2, "--weight", "1"],
    ];
    for change in changes {
        lab.balancer().lb(change).success();
        all_stay(&mut open, change);
    }

    let change = ["backend", "remove", "web", &web3];
    lab.balancer().lb(&change).success();
    open.retain(|(served_by, _)| served_by != "web3");
    all_stay(&mut open, &change);
    let newcomers = lab.client("alice").keep_many_open(VIP, 60);
    assert!(newcomers.iter().all(|(served_by, _)| served_by != "web3"));
}

#[test]
fn a_connection_stays_when_the_config_file_is_applied_with_more_backends() {
    let lab = Topology::new().client("alice").backends(4).start();
    lab.serve(&Config::web(VIP, &lab.backends()[..2]));
    let mut open = lab.client("alice").keep_many_open(VIP, 30);

    let more = Config::web(VIP, lab.backends());
    lab.balancer().write_config(&more.to_toml());
    let apply = ["apply", lab.balancer().config_path()];
    lab.balancer().lb(&apply).success();
    all_stay(&mut open, &apply);
    assert_eq!(lab.balancer().status().backends().count(), 4);

    let mut newcomers = lab.client("alice").keep_many_open(VIP, 60);
    assert!(newcomers.iter().any(|(by, _)| by == "web3" || by == "web4"));
    all_stay(&mut newcomers, &apply);
}

#[track_caller]
fn all_stay(open: &mut [(String, Connection)], after: &[&str]) {
    for (served_by, connection) in open {
        let answer = connection.get("/").unwrap_or_else(|error| {
            panic!("after lb {}: a connection to {served_by} broke: {error}", after.join(" "))
        });
        assert_eq!(&answer.served_by, served_by, "after lb {}", after.join(" "));
    }
}
