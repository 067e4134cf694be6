//! How new flows are spread over the backends.

use std::collections::BTreeSet;

use lab::{
    Lab, Topology,
    addresses::VIP,
    config::{Config, FAST_CHECK},
    http::Connection,
    nginx::FILM,
    one_cpu,
};

use crate::SOON;

#[test]
fn rr_gives_three_backends_ten_of_thirty_requests_each_to_within_one() {
    one_cpu::tell(|| {
        let lab = Topology::new().client("alice").backends(3).start();
        lab.serve(&web("rr").backends(lab.backends()));
        assert_near(&requests(&lab, 30), &[10, 10, 10]);
    });
}

#[test]
fn wrr_gives_each_backend_the_requests_that_its_weight_asks_for_to_within_one() {
    one_cpu::tell(|| {
        let lab = Topology::new().client("alice").backends(3).start();
        let [web1, web2, web3] = ["web1", "web2", "web3"].map(|name| lab.backend(name).v4());
        lab.serve(&web("wrr").backend(web1, 5).backend(web2, 2).backend(web3, 1));
        assert_near(&requests(&lab, 32), &[20, 8, 4]);
    });
}

#[test]
fn lc_gives_new_connections_to_those_that_have_fewer() {
    let lab = Topology::new().client("alice").backends(3).start();
    lab.serve(&web("lc").backends(lab.backends()));
    let others = ["web2", "web3"].map(|name| lab.backend(name).v4().to_string());
    let tell = |word| {
        for other in &others {
            lab.balancer().lb(&["backend", word, "web", other]).success();
        }
    };

    tell("disable");
    let mut open = lab.client("alice").keep_many_open(VIP, 6);
    assert_eq!(tally(&lab, &servers(&open)), [6, 0, 0]);
    tell("enable");
    open.extend(lab.client("alice").keep_many_open(VIP, 12));
    assert_eq!(tally(&lab, &servers(&open)), [6, 6, 6]);
}

#[test]
fn sh_keeps_a_client_s_server_when_another_one_stops() {
    let clients = ["alice", "bob", "carol"];
    let topology = clients.into_iter().fold(Topology::new(), Topology::client);
    let lab = topology.backends(3).start();
    lab.serve(&web("sh").check(FAST_CHECK).backends(lab.backends()));
    let server = |client: &str| lab.client(client).get(VIP).served_by;
    let before = clients.map(server);
    let stopped = lab.backend(if before[0] == "web1" { "web2" } else { "web1" });

    stopped.stop_nginx();
    lab.eventually("it is down", SOON, || lab.balancer().status().state(stopped.v4()) == "down");
    for _ in 0..5 {
        for (client, before) in clients.iter().zip(&before) {
            let now = server(client);
            assert!(now == *before || before == stopped.name(), "{client}: {before} to {now}");
        }
    }

    stopped.start_nginx();
    lab.eventually("it is up", SOON, || lab.balancer().status().state(stopped.v4()) == "up");
    assert_eq!(clients.map(server), before, "it came back to those it had");
}

#[test]
fn with_affinity_all_connections_of_a_client_meet_one_server_even_in_turns() {
    one_cpu::tell(|| {
        let clients = ["alice", "bob", "carol"];
        let topology = clients.into_iter().fold(Topology::new(), Topology::client);
        let lab = topology.backends(3).start();
        let config = web("rr").setting("affinity", r#"{ by = "address" }"#);
        lab.serve(&config.backends(lab.backends()));
        let server = |client: &str| lab.client(client).get(VIP).served_by;
        let first = clients.map(server);
        assert!(first.iter().collect::<BTreeSet<_>>().len() > 1, "each its turn: {first:?}");
        for (client, first) in clients.iter().zip(&first) {
            assert!((0..5).all(|_| server(client) == *first), "{client} is not always at {first}");
        }
    });
}

#[test]
fn a_scheduler_that_is_changed_does_not_disturb_what_is_under_way() {
    let lab = Topology::new().client("alice").backends(3).start();
    // In turns: a hash alone would not find them all again.
    lab.serve(&web("rr").backends(lab.backends()));
    let mut others = lab.client("alice").keep_many_open(VIP, 6);
    let mut connection = lab.client("alice").keep_open(VIP);
    let mut film = connection.download("/film").unwrap();
    let server = film.served_by().to_owned();

    for scheduler in ["lc", "wrr", "sh", "p2c", "wlc", "maglev", "rr"] {
        lab.balancer().lb(&["service", "set", "web", "--scheduler", scheduler]).success();
        film.read(FILM / 10).unwrap();
        for (server, other) in &mut others {
            assert_eq!(other.get("/").unwrap().served_by, *server, "{scheduler}");
        }
    }
    film.rest().unwrap();
    assert_eq!(connection.get("/").unwrap().served_by, server);
}

fn web(scheduler: &str) -> Config {
    let config = Config::new().service("web", format!("tcp:{VIP}"));
    config.setting("scheduler", &format!("\"{scheduler}\""))
}

/// How many of so many requests, one after the other, each backend answers.
fn requests(lab: &Lab, count: usize) -> Vec<usize> {
    let servers: Vec<_> = (0..count).map(|_| lab.client("alice").get(VIP).served_by).collect();
    tally(lab, &servers)
}

fn servers(open: &[(String, Connection)]) -> Vec<String> {
    open.iter().map(|(server, _)| server.clone()).collect()
}

/// Each CPU goes by turns of its own, so that what a second one adds may be uneven by one.
#[track_caller]
fn assert_near(seen: &[usize], expected: &[usize]) {
    let is_near = seen.iter().zip(expected).all(|(seen, expected)| seen.abs_diff(*expected) <= 1);
    assert!(is_near, "{seen:?} where {expected:?} would be even");
}

/// How often each backend is among the servers.
fn tally(lab: &Lab, servers: &[String]) -> Vec<usize> {
    let of = |name: &str| servers.iter().filter(|server| *server == name).count();
    lab.backends().iter().map(|backend| of(backend.name())).collect()
}
