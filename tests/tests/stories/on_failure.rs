//! What becomes of the connections of a server that answers no more.
//!
//! It hangs: of a server that is killed, its kernel takes leave of the clients.

use std::{io::ErrorKind, thread};

use lab::{
    Lab, Topology,
    addresses::VIP,
    config::{Config, FAST_CHECK},
    http::Connection,
};

use crate::SOON;

#[test]
fn reset_ends_the_connections_of_a_dead_server() {
    let (lab, mut open, server) = connected("reset");
    hangs(&lab, &server);
    assert_eq!(open.get("/").unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(lab.balancer().packets("reset") >= 1, "the balancer itself did it");
    assert_ne!(lab.client("alice").get(VIP).served_by, server);
}

#[test]
fn move_sends_them_to_a_server_that_does_not_know_them() {
    let (lab, mut open, server) = connected("move");
    hangs(&lab, &server);
    assert_eq!(open.get("/").unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(lab.balancer().packets("reset"), 0, "the other server did it");
    assert_ne!(lab.client("alice").get(VIP).served_by, server);
}

#[test]
fn keep_lets_them_wait_for_a_server_that_comes_back() {
    let (lab, mut open, server) = connected("keep");
    hangs(&lab, &server);
    for _ in 0..20 {
        assert_ne!(lab.client("alice").get(VIP).served_by, server, "a dead server gets none");
    }
    let answer = thread::scope(|scope| {
        // Until two probes are answered it is down to the balancer.
        let asked = scope.spawn(|| open.get("/"));
        lab.backend(&server).thaw_nginx();
        asked.join().unwrap().unwrap()
    });
    assert_eq!(answer.served_by, server);
}

/// Two servers and a connection to one of them.
fn connected(on_failure: &str) -> (Lab, Connection, String) {
    let lab = Topology::new().client("alice").backends(2).start();
    let web = Config::new()
        .service("web", format!("tcp:{VIP}"))
        .check(FAST_CHECK)
        .setting("on_failure", &format!("\"{on_failure}\""));
    lab.serve(&web.backends(lab.backends()));
    let mut open = lab.client("alice").keep_open(VIP);
    let server = open.get("/").unwrap().served_by;
    (lab, open, server)
}

fn hangs(lab: &Lab, server: &str) {
    let server = lab.backend(server);
    server.freeze_nginx();
    lab.eventually("it is down", SOON, || lab.balancer().status().state(server.v4()) == "down");
}
