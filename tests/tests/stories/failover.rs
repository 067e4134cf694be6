//! A dead backend stops getting packets, and comes back by itself.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use lab::{
    Lab, Topology,
    addresses::VIP,
    config::{Config, FAST_CHECK},
    udp,
};

use crate::SOON;

/// What [`FAST_CHECK`] promises: `interval × fall + timeout`.
const PROMISED: Duration = Duration::from_millis(300 * 2 + 300);

/// Two busy cores run the probes late, and the story notices late.
const GRACE: Duration = Duration::from_millis(600);

const DNS: SocketAddr = SocketAddr::new(VIP.ip(), 53);

#[test]
fn a_dead_backend_leaves_within_its_promised_time_and_returns() {
    let lab = checked(3);
    let web2 = lab.backend("web2");
    let load = lab.client("alice").load(VIP, 100);
    lab.eventually("web2 serves", SOON, || load.so_far().of("web2") > 0);

    web2.stop_nginx();
    let died = Instant::now();
    lab.eventually("web2 is down", SOON, || lab.balancer().status().state(web2.v4()) == "down");
    let took = died.elapsed();
    assert!(took <= PROMISED + GRACE, "promised within {PROMISED:?}, took {took:?}");

    let after = load.so_far();
    lab.eventually("a hundred more are served", SOON, || {
        load.so_far().since(&after).answered() >= 100
    });
    let since = load.so_far().since(&after);
    // One connection may have been under way to web2 when it went down.
    assert!(since.failures.len() <= 1, "{:?}", since.failures);
    assert_eq!(since.of("web2"), 0);

    web2.start_nginx();
    let before = load.so_far();
    lab.eventually("web2 serves again", SOON, || load.so_far().since(&before).of("web2") > 0);
    assert_eq!(lab.balancer().status().state(web2.v4()), "up");
}

#[test]
fn the_connections_of_the_living_are_not_touched_by_a_death() {
    let lab = checked(2);
    let mut open: Vec<_> = (0..40)
        .map(|_| {
            let mut connection = lab.client("alice").keep_open(VIP);
            (connection.get("/").unwrap().served_by, connection)
        })
        .collect();
    let web2 = lab.backend("web2");

    web2.stop_nginx();
    lab.eventually("web2 is down", SOON, || lab.balancer().status().state(web2.v4()) == "down");
    open.retain(|(served_by, _)| served_by == "web1");
    assert!(!open.is_empty());
    for (_, connection) in &mut open {
        assert_eq!(connection.get("/").unwrap().served_by, "web1");
    }

    web2.start_nginx();
    lab.eventually("web2 is up", SOON, || lab.balancer().status().state(web2.v4()) == "up");
    for (_, connection) in &mut open {
        assert_eq!(connection.get("/").unwrap().served_by, "web1");
    }
}

#[test]
fn a_flow_of_a_dead_backend_moves_to_a_living_one() {
    let lab = Topology::new().client("alice").backends(2).start();
    let _responders = lab.backends().iter().map(|b| b.answer_udp(DNS)).collect::<Vec<_>>();
    // Health is nginx's: a service is as healthy as its check says.
    let dns = Config::new().service("dns", format!("udp:{DNS}")).check(FAST_CHECK);
    lab.serve(&lab.backends().iter().fold(dns, |dns, backend| dns.backend(backend.v4(), 1)));

    let socket = lab.client("alice").udp_socket(DNS).unwrap();
    let served_by = udp::ask(&socket, b"?").unwrap().served_by;
    let dead = lab.backend(&served_by);

    dead.stop_nginx();
    lab.eventually("its backend is down", SOON, || {
        lab.balancer().status().state(dead.v4()) == "down"
    });
    let moved = udp::ask(&socket, b"?").unwrap();
    assert_ne!(moved.served_by, served_by);
}

fn checked(backends: usize) -> Lab {
    let lab = Topology::new().client("alice").backends(backends).start();
    let web = Config::new().service("web", format!("tcp:{VIP}")).check(FAST_CHECK);
    lab.serve(&lab.backends().iter().fold(web, |web, backend| web.backend(backend.v4(), 1)));
    lab
}
