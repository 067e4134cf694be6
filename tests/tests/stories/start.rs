//! Starting and stopping the daemon, and what stands in its way.

use std::time::Duration;

use lab::{Lab, Topology, addresses::VIP, command::Output, config::Config};

#[test]
fn a_daemon_that_is_told_to_stop_ends_well_and_packets_keep_flowing() {
    let lab = serving(1);
    assert!(lab.balancer().terminate());
    assert_eq!(lab.client("alice").get(VIP).served_by, "web1");
    assert_eq!(lab.balancer().lb(&["status"]).code, 5);
}

#[test]
fn a_second_daemon_is_refused_and_the_first_one_goes_on() {
    let lab = serving(1);
    let config = Config::web(VIP, lab.backends()).to_toml();
    refuses(&lab.balancer().refused(&config), &["/run/lb/lb.sock", "already served", "pid"]);
    assert_eq!(lab.client("alice").get(VIP).served_by, "web1");
    assert_eq!(lab.balancer().lb(&["status"]).code, 0);
}

#[test]
fn an_interface_that_is_not_there_is_named() {
    let lab = Topology::new().backends(1).start();
    let config = Config::web(VIP, lab.backends()).to_toml().replace("eth0", "eth7");
    refuses(&lab.balancer().refused(&config), &["eth7"]);
}

#[test]
fn maps_of_another_size_are_refused_with_the_limit_and_the_remedy_and_packets_keep_flowing() {
    let lab = serving(1);
    assert!(lab.balancer().terminate());
    let config = Config::web(VIP, lab.backends()).to_toml();
    let larger = config.replacen("[[service]]", "[limits]\nflows = 4096\n[[service]]", 1);
    refuses(&lab.balancer().refused(&larger), &["limits.flows", "lb detach"]);
    assert_eq!(lab.client("alice").get(VIP).served_by, "web1");

    lab.balancer().lb(&["detach"]).success();
    lab.balancer().write_config(&larger);
    lab.balancer().restart();
    serves(&lab);
}

#[test]
fn a_damaged_state_file_is_refused_with_the_remedy() {
    let lab = serving(1);
    assert!(lab.balancer().terminate());
    lab.balancer().host().write("/var/lib/lb/state.json", "{ \"version\": 1, ").unwrap();
    let config = Config::web(VIP, lab.backends()).to_toml();
    refuses(&lab.balancer().refused(&config), &["/var/lib/lb/state.json", "damaged", "delete"]);
    assert_eq!(lab.client("alice").get(VIP).served_by, "web1");
}

#[test]
fn another_program_on_the_interface_stays_and_is_spoken_of() {
    let lab = serving(1);
    // A backend's program is as foreign to the balancer as any other.
    let web1 = lab.backend("web1");
    web1.host().write("/run/lb.toml", Config::web(VIP, lab.backends()).to_toml()).unwrap();
    let output = web1.lb(&["run", "--config", "/run/lb.toml"]);
    refuses(&output, &["eth0", "XDP program"]);
    assert_eq!(lab.client("alice").get(VIP).served_by, "web1");
}

#[test]
fn a_hangup_reads_the_config_file_again_and_a_broken_one_changes_nothing() {
    let lab = serving(2);
    let balancer = lab.balancer();
    let good = Config::web(VIP, lab.backends()).to_toml();
    let daemon = balancer.lb(&["status", "-o", "json"]).json()["pid"].to_string();
    let hang_up = || balancer.host().run("kill", &["-HUP", &daemon]).unwrap();
    let weight = || balancer.status().backend(lab.backend("web1").v4()).unwrap().weight;

    balancer.write_config(&good.replacen("weight = 1", "weight = 9", 1));
    hang_up();
    lab.eventually("the new weight", Duration::from_secs(5), || weight() == 9);

    balancer.write_config(&good.replacen("weight = 1", "weight = none", 1));
    hang_up();
    lab.eventually("a word in the log", Duration::from_secs(5), || {
        balancer.log().contains("the config file is not applied")
    });
    assert_eq!(weight(), 9);
}

fn serving(backends: usize) -> Lab {
    let lab = Topology::new().client("alice").backends(backends).start();
    lab.serve(&Config::web(VIP, lab.backends()));
    lab
}

fn serves(lab: &Lab) {
    lab.eventually("an answer", Duration::from_secs(5), || {
        lab.client("alice").request(VIP, "/").is_ok()
    });
}

/// One sentence that says all of this, and the exit code of a failure.
fn refuses(output: &Output, said: &[&str]) {
    assert_eq!(output.code, 1, "{output:?}");
    let sentence =
        output.stderr.lines().filter(|line| line.starts_with("lb: ")).collect::<Vec<_>>();
    assert_eq!(sentence.len(), 1, "{output:?}");
    for word in said {
        assert!(sentence[0].contains(word), "{word:?} is not in {:?}", sentence[0]);
    }
}
