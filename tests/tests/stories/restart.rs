//! The data path outlives the daemon.

use lab::{Lab, Topology, addresses::VIP, config::Config};

use crate::SOON;

#[test]
fn the_daemon_is_killed_and_restarted_under_load_with_zero_failed_requests() {
    let lab = serving(3);
    let alice = lab.client("alice");
    let mut old = alice.keep_open(VIP);
    let served_by = old.get("/").unwrap().served_by;
    let load = alice.load(VIP, 200);
    let serves_on = |what: &str| {
        let before = load.so_far();
        lab.eventually(what, SOON, || load.so_far().since(&before).answered() >= 100);
    };

    serves_on("it serves");
    for _ in 0..2 {
        lab.balancer().kill9();
        serves_on("it serves without its daemon");
        assert_eq!(old.get("/").unwrap().served_by, served_by);
        lab.balancer().restart();
        serves_on("it serves with a new daemon");
        assert_eq!(old.get("/").unwrap().served_by, served_by);
    }
    let tally = load.stop();
    assert_eq!(tally.failures, Vec::<String>::new());
    assert_eq!(tally.served_by.len(), 3, "{:?}", tally.served_by);
}

#[test]
fn a_daemon_that_is_asked_to_end_leaves_the_data_path_in_place() {
    let lab = serving(2);
    let mut old = lab.client("alice").keep_open(VIP);
    let served_by = old.get("/").unwrap().served_by;

    assert!(lab.balancer().terminate(), "{}", lab.balancer().log());
    assert_eq!(old.get("/").unwrap().served_by, served_by);
    assert_eq!(lab.client("alice").get(VIP).status, 200);
}

#[test]
fn changes_by_command_survive_a_restart() {
    let lab = serving(3);
    let address = |name: &str| lab.backend(name).v4().to_string();
    let [web1, web2, web3] = [address("web1"), address("web2"), address("web3")];
    let lb = |arguments: &[&str]| lab.balancer().lb(arguments).success();
    lb(&["backend", "set", "web", &web1, "--weight", "7"]);
    lb(&["backend", "drain", "web", &web2]);
    lb(&["backend", "remove", "web", &web3]);
    lb(&["service", "add", "other", "tcp:203.0.113.10:8080"]);
    lb(&["backend", "add", "other", &web3]);
    let before = lb(&["export"]);

    lab.balancer().kill9();
    lab.balancer().restart();
    assert_eq!(lb(&["export"]), before);
    let status = lab.balancer().status();
    assert_eq!(status.backend(lab.backend("web1").v4()).unwrap().weight, 7);
    assert_eq!(status.state(lab.backend("web2").v4()), "draining");
    assert_eq!(status.backend(lab.backend("web3").v4()).unwrap().service, "other");
    let other = std::net::SocketAddr::new(VIP.ip(), 8080);
    assert_eq!(lab.client("alice").get(other).served_by, "web3");
    assert_eq!(lab.client("alice").get(VIP).served_by, "web1");
}

#[test]
fn detach_removes_everything() {
    let lab = serving(1);
    let balancer = lab.balancer();
    assert!(balancer.is_attached("eth0"));
    assert_ne!(balancer.pins(), "");

    balancer.lb(&["detach"]).success();
    assert!(!balancer.is_attached("eth0"));
    assert_eq!(balancer.pins(), "");
    lab.client("alice").request(VIP, "/").unwrap_err();
}

#[test]
fn detach_works_without_the_daemon() {
    let lab = serving(1);
    lab.balancer().kill9();
    lab.balancer().lb(&["detach"]).success();
    lab.client("alice").request(VIP, "/").unwrap_err();
}

fn serving(backends: usize) -> Lab {
    let lab = Topology::new().client("alice").backends(backends).start();
    lab.serve(&Config::web(VIP, lab.backends()));
    lab
}
