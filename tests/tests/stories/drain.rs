//! Draining: no new flows, old ones finish.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr},
};

use lab::{Topology, addresses::VIP, config::Config, nginx::FILM, udp};

use crate::SOON;

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

#[test]
fn a_drain_waits_for_a_long_download_and_disables_the_backend_then() {
    let lab = Topology::new().client("alice").backends(2).start();
    lab.serve(&Config::web(VIP, lab.backends()));
    let mut connection = lab.client("alice").keep_open(VIP);
    let mut film = connection.download("/film").unwrap();
    let server = lab.backend(film.served_by());
    let state = || lab.balancer().status().state(server.v4()).to_owned();

    let drain = ["backend", "drain", "web", &server.v4().to_string(), "--wait"];
    let mut drain = lab.balancer().start_lb("drain", &drain);
    lab.eventually("it drains", SOON, || state() == "draining");
    film.read(FILM / 2).unwrap();
    assert_ne!(lab.client("alice").get(VIP).served_by, server.name());
    let status = lab.balancer().status();
    let seen = status.backend(server.v4()).unwrap();
    assert_eq!((seen.state.as_str(), seen.flows), ("draining", 1));
    assert_eq!(drain.ended(), None);

    film.rest().unwrap();
    drop(connection);
    let mut ended = None;
    lab.eventually("the drain has ended", SOON, || {
        ended = drain.ended();
        ended.is_some()
    });
    let said = lab.balancer().host().read("/run/drain.log").unwrap();
    assert!(ended.is_some_and(|status| status.success()), "{said}");
    assert!(said.contains("1 live flow") && said.contains("no flow was cut"), "{said}");
    assert_eq!(state(), "disabled");
}

#[test]
fn a_drain_s_deadline_cuts_a_download_that_takes_longer() {
    let lab = Topology::new().client("alice").backends(2).start();
    lab.serve(&Config::web(VIP, lab.backends()));
    let mut connection = lab.client("alice").keep_open(VIP);
    let film = connection.download("/film").unwrap();
    let server = lab.backend(film.served_by()).v4();

    let drain = ["backend", "drain", "web", &server.to_string(), "--wait", "--deadline", "1s"];
    let said = lab.balancer().lb(&drain).success();
    assert!(said.contains("1 flow was cut"), "{said}");
    assert_eq!(lab.balancer().status().state(server), "disabled");
    let cut = film.rest().map(|answer| answer.status).unwrap_err();
    assert_eq!(cut.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_udp_flow_moves_at_once_when_its_backend_is_drained() {
    let dns = SocketAddr::new(VIP.ip(), 53);
    let lab = Topology::new().client("alice").backends(2).start();
    let _responders: Vec<_> = lab.backends().iter().map(|web| web.answer_udp(dns)).collect();
    lab.serve(&Config::new().service("dns", format!("udp:{dns}")).backends(lab.backends()));
    let socket = lab.client("alice").udp_socket(dns).unwrap();
    let first = udp::ask(&socket, b"who?").unwrap().served_by;
    let address = lab.backend(&first).v4().to_string();

    lab.balancer().lb(&["backend", "drain", "dns", &address]).success();
    let second = udp::ask(&socket, b"and now?").unwrap().served_by;
    assert_ne!(second, first);
    lab.balancer().lb(&["backend", "enable", "dns", &address]).success();
    assert_eq!(udp::ask(&socket, b"and then?").unwrap().served_by, second, "it stays there");
}

#[test]
fn connections_end_at_once_when_their_backend_is_drained_where_the_service_says_so() {
    let lab = Topology::new().client("alice").backends(2).start();
    let web = Config::new().service("web", format!("tcp:{VIP}")).setting("on_drain", "\"move\"");
    lab.serve(&web.backends(lab.backends()));
    let mut open = lab.client("alice").keep_open(VIP);
    let server = open.get("/").unwrap().served_by;

    let address = lab.backend(&server).v4().to_string();
    lab.balancer().lb(&["backend", "drain", "web", &address]).success();
    // The other backend resets what it does not know, so that the client connects anew.
    assert_eq!(open.get("/").unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_ne!(lab.client("alice").get(VIP).served_by, server);
}
