//! A backend that comes up gets its share step by step.

use lab::{
    Lab, Topology,
    addresses::VIP,
    config::{Config, FAST_CHECK},
    one_cpu,
    status::BackendStatus,
};

use crate::SOON;

/// Slots of the table: half of them are the whole share of one of two.
const SLOTS: u64 = 1024;

#[test]
fn the_share_of_a_backend_that_comes_back_grows_step_by_step_to_the_whole() {
    let lab = serving("maglev", "2s");
    fails_and_returns(&lab);
    let mut shares = Vec::new();
    lab.eventually("web2 is warm", SOON, || {
        let BackendStatus { state, slots, .. } = web2(&lab);
        shares.push(slots);
        state == "up"
    });
    let (last, before) = shares.split_last().unwrap();
    assert_eq!(*last, SLOTS / 2);
    assert!(shares.is_sorted(), "{shares:?}");
    assert!(before.iter().all(|slots| *slots > 0 && *slots < SLOTS / 2), "{shares:?}");
    let mut steps = shares;
    steps.dedup();
    assert!(steps.len() > 3, "{steps:?}");
}

#[test]
fn new_flows_follow_the_share_of_a_backend_that_warms_up() {
    one_cpu::tell(|| {
        // It begins with a sixteenth, and keeps that for minutes.
        let lab = serving("rr", "1h");
        fails_and_returns(&lab);
        let answers = (0..68).filter(|_| lab.client("alice").get(VIP).served_by == "web2").count();
        assert!((3..=5).contains(&answers), "one in seventeen, not {answers} of 68");
        assert_eq!(web2(&lab).state, "warming");

        lab.balancer().lb(&["service", "set", "web", "--no-slow-start"]).success();
        let answers = (0..68).filter(|_| lab.client("alice").get(VIP).served_by == "web2").count();
        assert!((33..=35).contains(&answers), "one in two, not {answers} of 68");
    });
}

fn serving(scheduler: &str, slow_start: &str) -> Lab {
    let lab = Topology::new().client("alice").backends(2).start();
    let web = Config::new()
        .service("web", format!("tcp:{VIP}"))
        .check(FAST_CHECK)
        .setting("scheduler", &format!("\"{scheduler}\""))
        .setting("slow_start", &format!("\"{slow_start}\""))
        .setting("table_size", &SLOTS.to_string());
    lab.serve(&web.backends(lab.backends()));
    lab
}

/// After this web2 warms up.
fn fails_and_returns(lab: &Lab) {
    lab.backend("web2").stop_nginx();
    lab.eventually("web2 is down", SOON, || web2(lab).state == "down");
    lab.backend("web2").start_nginx();
    lab.eventually("web2 warms up", SOON, || web2(lab).state == "warming");
}

fn web2(lab: &Lab) -> BackendStatus {
    lab.balancer().status().backend(lab.backend("web2").v4()).unwrap().clone()
}
