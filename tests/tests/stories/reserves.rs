//! What is held in reserve, and for what: backups, limits, and the last resort when checks go wrong.

use std::{io::ErrorKind, time::Duration};

use lab::{
    Lab, Topology,
    addresses::VIP,
    config::{Config, FAST_CHECK},
};

use crate::SOON;

#[test]
fn a_backup_serves_only_while_there_is_no_primary() {
    let lab = Topology::new().client("alice").backends(2).start();
    let (alice, [web1, web2]) = (lab.client("alice"), ["web1", "web2"].map(|it| lab.backend(it)));
    let config = web().check(FAST_CHECK).backend(web1.v4(), 1);
    lab.serve(&config.backend(web2.v4(), 1).setting("backup", "true"));
    let backup_is = |state: &str| lab.balancer().status().state(web2.v4()) == state;
    assert!(backup_is("standby"));
    assert!((0..20).all(|_| alice.get(VIP).served_by == "web1"));

    web1.stop_nginx();
    lab.eventually("the backup serves", SOON, || backup_is("up"));
    let mut open = alice.keep_open(VIP);
    assert_eq!(open.get("/").unwrap().served_by, "web2");

    web1.start_nginx();
    lab.eventually("the backup stands by again", SOON, || backup_is("standby"));
    for _ in 0..20 {
        assert_eq!(alice.get(VIP).served_by, "web1");
        assert_eq!(open.get("/").unwrap().served_by, "web2", "what it has it keeps");
    }
}

#[test]
fn when_too_few_are_healthy_the_dead_are_used_as_well_and_lb_status_says_so() {
    let lab = Topology::new().client("alice").backends(3).start();
    let config = web().check(FAST_CHECK).setting("panic_threshold", "50");
    lab.serve(&config.backends(lab.backends()));
    let [web1, web2, web3] = lab.backends() else { panic!("three backends") };
    let down = |lab: &Lab| {
        let status = lab.balancer().status();
        status.backends().filter(|backend| backend.state == "down").count()
    };
    let panics = |lab: &Lab| {
        let problems = lab.balancer().status().problems().join("\n");
        problems.contains("fewer than 50 % of its backends are healthy")
    };
    let outcomes = || -> Vec<_> {
        let answer = || lab.client("alice").request(VIP, "/").map(|answer| answer.served_by);
        (0..50).map(|_| answer().map_err(|error| error.kind())).collect()
    };

    web2.stop_nginx();
    lab.eventually("one is down", SOON, || down(&lab) == 1);
    assert!(!panics(&lab));
    assert!(outcomes().iter().all(|one| one.as_ref().is_ok_and(|by| by != web2.name())));

    web3.stop_nginx();
    lab.eventually("two are down", SOON, || down(&lab) == 2);
    assert!(panics(&lab));
    assert!(lab.balancer().lb(&["status"]).success().contains("new flows go to all of them"));
    let all = outcomes();
    assert!(all.contains(&Ok(web1.name().to_owned())));
    assert!(all.contains(&Err(ErrorKind::ConnectionRefused)), "the dead are asked: {all:?}");

    web2.start_nginx();
    lab.eventually("one is back", SOON, || down(&lab) == 1);
    assert!(!panics(&lab));
    assert!(outcomes().iter().all(|one| one.as_ref().is_ok_and(|by| by != web3.name())));
}

#[test]
fn a_connection_more_than_all_backends_take_is_refused_until_one_ends() {
    let lab = Topology::new().client("alice").backends(2).start();
    let alice = lab.client("alice");
    let limited = |config: Config, backend: &lab::Backend| {
        config.backend(backend.v4(), 1).setting("max_flows", "2")
    };
    lab.serve(&lab.backends().iter().fold(web(), limited));
    let mut open: Vec<_> = (0..4).map(|_| alice.keep_open(VIP)).collect();
    let mut servers: Vec<_> = open.iter_mut().map(|one| one.get("/").unwrap().served_by).collect();
    servers.sort();
    assert_eq!(servers, ["web1", "web1", "web2", "web2"]);

    let refused = alice.request(VIP, "/").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TimedOut, "its SYN is dropped");
    assert!(lab.balancer().packets("backends_full") >= 1);

    drop(open.pop());
    let mut next = None;
    lab.eventually("the next one is accepted", Duration::from_secs(5), || {
        next = alice.request(VIP, "/").ok();
        next.is_some()
    });
    assert_eq!(next.unwrap().status, 200);
    assert!(open.iter_mut().all(|one| one.get("/").is_ok()));
}

fn web() -> Config {
    Config::new().service("web", format!("tcp:{VIP}"))
}
