//! The live flows of each backend, as operators see them.

use std::collections::BTreeMap;

use lab::{
    Lab, Topology,
    addresses::VIP,
    config::{Config, FAST_CHECK},
    http::Connection,
};
use serde_json::Value;

use crate::SOON;

#[test]
fn live_flows_are_shown_by_backend_and_state_until_they_end() {
    let lab = Topology::new().client("alice").backends(2).start();
    lab.serve(&Config::web(VIP, lab.backends()));
    let mut open = lab.client("alice").keep_many_open(VIP, 12);
    let counted = flows(&lab);
    for backend in lab.backends() {
        let flows = &counted[backend.name()];
        assert_eq!(flows["live"], held(&open, backend.name()), "{counted:?}");
        let young = ["fresh", "established"].map(|state| flows["states"][state].as_u64().unwrap());
        assert_eq!(young.iter().sum::<u64>(), held(&open, backend.name()));
    }

    lab.eventually("who goes on talking becomes established", SOON, || {
        for (_, connection) in &mut open {
            connection.get("/").unwrap();
        }
        flows(&lab).iter().all(|(name, flows)| flows["states"]["established"] == held(&open, name))
    });

    let ended = open.split_off(5);
    let closed = |name: &str| held(&ended, name);
    let before: BTreeMap<_, _> = counted.keys().map(|name| (name, closed(name))).collect();
    drop(ended);
    lab.eventually("who has ended lives no more", SOON, || {
        flows(&lab).iter().all(|(name, flows)| {
            let closing = &flows["states"]["closing"];
            flows["live"] == held(&open, name) && *closing == before[name]
        })
    });
}

#[test]
fn a_daemon_that_is_killed_and_started_again_knows_the_live_flows_and_warms_nobody_up() {
    let lab = Topology::new().client("alice").backends(3).start();
    let web = Config::new()
        .service("web", format!("tcp:{VIP}"))
        .check(FAST_CHECK)
        .setting("scheduler", "\"lc\"")
        .setting("slow_start", "\"1h\"");
    lab.serve(&web.backends(lab.backends()));
    let mut open = lab.client("alice").keep_many_open(VIP, 9);

    lab.balancer().kill9();
    // Packets keep the books while no daemon does.
    open.truncate(6);
    open.extend(lab.client("alice").keep_many_open(VIP, 5));
    lab.balancer().restart();
    for _ in 0..2 {
        let status = lab.balancer().status();
        for backend in lab.backends() {
            let seen = status.backend(backend.v4()).unwrap();
            assert_eq!((seen.state.as_str(), seen.flows), ("up", held(&open, backend.name())));
        }
        let counted = flows(&lab);
        assert!(counted.iter().all(|(name, flows)| flows["live"] == held(&open, name)));
        open.extend(lab.client("alice").keep_many_open(VIP, 3));
    }
}

/// What `lb flows` says, by the name of the backend.
fn flows(lab: &Lab) -> BTreeMap<String, Value> {
    let flows = lab.balancer().lb(&["flows", "-o", "json"]).json();
    let of = |backend: &lab::Backend| {
        let address = format!("{}:{}", backend.v4(), VIP.port());
        let mut all = flows["backends"].as_array().unwrap().iter();
        let found = all.find(|one| one["address"] == *address);
        (backend.name().to_owned(), found.unwrap().clone())
    };
    lab.backends().iter().map(of).collect()
}

fn held(open: &[(String, Connection)], name: &str) -> u64 {
    open.iter().filter(|(server, _)| server == name).count() as u64
}
