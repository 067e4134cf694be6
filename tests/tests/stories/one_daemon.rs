//! One data path has one daemon.

use lab::{Topology, addresses::VIP, config::Config};

#[test]
fn a_second_daemon_with_another_socket_is_refused_until_the_first_one_is_killed() {
    let lab = Topology::new().client("alice").backends(2).start();
    let config = Config::web(VIP, lab.backends());
    lab.serve(&config);
    let balancer = lab.balancer();
    let pid = || balancer.lb(&["status", "-o", "json"]).json()["pid"].to_string();
    let first = pid();

    let elsewhere = "[daemon]\nsocket = \"/run/lb/other.sock\"\n[[service]]";
    let output = balancer.refused(&config.to_toml().replacen("[[service]]", elsewhere, 1));
    assert_eq!(output.code, 1, "{output:?}");
    assert_eq!(output.stderr.lines().filter(|line| line.starts_with("lb: ")).count(), 1);
    for word in ["/sys/fs/bpf/lb", "another lb daemon", "stop that daemon", "`pins`"] {
        assert!(output.stderr.contains(word), "{word:?} is not in {:?}", output.stderr);
    }

    // The first one still decides where packets go.
    assert_eq!(pid(), first);
    let web2 = lab.backend("web2").v4().to_string();
    balancer.lb(&["backend", "disable", "web", &web2]).success();
    assert_eq!(lab.client("alice").get(VIP).served_by, "web1");

    balancer.kill9();
    balancer.start(&config);
    assert_ne!(pid(), first);
}
