//! Nothing is half applied: what is wrong is refused with a word on what is right.

use lab::{Lab, Topology, addresses::VIP, config::Config};

/// What is wrong in a config file, and what the refusal must name.
const MALFORMED: [(&str, &str, &[&str]); 6] = [
    ("weight = 1", "weight = -1", &["weight", "-1"]),
    ("weight = 1", "wieght = 1", &["wieght", "weight"]),
    ("tcp:203.0.113.10:80", "tcp:203.0.113.10:80000", &["address", "tcp:203.0.113.10:80000"]),
    ("192.0.2.21", "192.0.2.321", &["address", "192.0.2.321"]),
    ("[[service]]", "[[service]", &["lb.toml:"]),
    ("name = \"web\"", "name = \"we b\"", &["name", "we b"]),
];

#[test]
fn a_malformed_config_does_not_start_and_the_line_and_field_are_named() {
    let lab = Topology::new().backends(1).start();
    let good = Config::web(VIP, lab.backends()).to_toml();
    for (right, wrong, named) in MALFORMED {
        let output = lab.balancer().refused(&good.replacen(right, wrong, 1));
        assert!([1, 2].contains(&output.code), "{wrong:?}: {output:?}");
        names(&output.stderr, named);
        names(&output.stderr, &["/run/lb.toml:"]);
    }
    let output = lab.balancer().refused(&good.replace("interfaces", "# interfaces"));
    assert_eq!(output.code, 1, "{output:?}");
    names(&output.stderr, &["/run/lb.toml", "interfaces"]);
}

#[test]
fn a_malformed_config_is_not_applied_and_nothing_changes() {
    let lab = serving();
    let balancer = lab.balancer();
    let good = Config::web(VIP, lab.backends()).to_toml();
    let before = export(&lab);
    for (right, wrong, named) in MALFORMED {
        balancer.write_config(&good.replacen(right, wrong, 1));
        let output = balancer.lb(&["apply", balancer.config_path()]);
        assert!([1, 2].contains(&output.code), "{wrong:?}: {output:?}");
        names(&output.stderr, named);
        assert_eq!(output.stderr.trim().lines().count(), 1, "{output:?}");
        assert_eq!(export(&lab), before);
    }
    assert_eq!(lab.client("alice").get(VIP).status, 200);
}

#[test]
fn a_wrong_command_leaves_things_as_they_are_and_its_exit_code_says_why() {
    let lab = serving();
    let before = export(&lab);
    let wrong: [(&[&str], i32); 7] = [
        (&["backend", "frobnicate"], 2),
        (&["backend", "set", "web", "192.0.2.21", "--weight", "-1"], 2),
        (&["backend", "set", "web", "192.0.2.21", "--weight", "65536"], 2),
        (&["backend", "add", "web", "192.0.2.321"], 2),
        (&["backend", "drain", "nosuch", "192.0.2.21"], 3),
        (&["backend", "drain", "web", "192.0.2.99"], 3),
        (&["service", "show", "nosuch"], 3),
    ];
    for (command, code) in wrong {
        let output = lab.balancer().lb(command);
        assert_eq!(output.code, code, "{output:?}");
        assert_ne!(output.stderr, "");
        assert_eq!(export(&lab), before);
    }
}

#[test]
fn without_a_daemon_a_command_says_that_none_can_be_reached() {
    let lab = Topology::new().start();
    let output = lab.balancer().lb(&["status"]);
    assert_eq!(output.code, 5, "{output:?}");
    assert!(output.stderr.contains("/run/lb/lb.sock"), "{output:?}");
    assert_eq!(output.stderr.trim().lines().count(), 1, "{output:?}");
}

#[test]
fn an_interface_that_is_not_there_is_named() {
    let lab = Topology::new().backends(1).start();
    let config = Config::web(VIP, lab.backends()).to_toml().replace("eth0", "eth9");
    let output = lab.balancer().refused(&config);
    assert_eq!(output.code, 1, "{output:?}");
    names(&output.stderr, &["eth9"]);
}

fn serving() -> Lab {
    let lab = Topology::new().client("alice").backends(2).start();
    lab.serve(&Config::web(VIP, lab.backends()));
    lab
}

fn export(lab: &Lab) -> String {
    lab.balancer().lb(&["export"]).success()
}

#[track_caller]
fn names(complaint: &str, nouns: &[&str]) {
    for noun in nouns {
        assert!(complaint.contains(noun), "{noun:?} is not named: {complaint}");
    }
}
