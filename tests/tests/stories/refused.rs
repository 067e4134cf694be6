//! A refused change leaves every map byte for byte as it was.

use lab::{Lab, Topology, config::Config};
use lb_common::ABI_VERSION;

/// One way of asking for something that is refused.
enum Attempt {
    /// `lb` with these arguments; the exit code.
    Command(&'static [&'static str], i32),
    /// `lb apply` of the good file with something replaced.
    File(&'static str, &'static str),
    /// A request to the API, as no `lb` would send it; the HTTP status.
    Request(&'static str, u16),
}
use Attempt::{Command, File, Request};

/// What is refused, and what the refusal names.
const REFUSED: &[(Attempt, &[&str])] = &[
    (
        Command(&["backend", "set", "web", "192.0.2.21", "--weight", "65536"], 2),
        &["65536", "65535"],
    ),
    (Command(&["backend", "set", "web", "192.0.2.99", "--weight", "2"], 3), &["192.0.2.99"]),
    (Command(&["backend", "add", "web", "192.0.2.21", "--weight", "7"], 1), &["192.0.2.21", "3"]),
    (Command(&["backend", "add", "web", "203.0.113.10"], 1), &["203.0.113.10", "VIP"]),
    (Command(&["backend", "add", "web", "192.0.2.99:81"], 1), &["81", "80"]),
    (Command(&["backend", "add", "web", "192.0.2.99"], 1), &["limits.backends"]),
    (Command(&["backend", "add", "nosuch", "192.0.2.99"], 3), &["nosuch", "web"]),
    (Command(&["backend", "drain", "web", "192.0.2.99"], 3), &["192.0.2.99", "192.0.2.21"]),
    (Command(&["backend", "disable", "nosuch", "192.0.2.21"], 3), &["nosuch"]),
    (Command(&["backend", "remove", "nosuch", "192.0.2.21"], 3), &["nosuch"]),
    (Command(&["service", "add", "other", "tcp:203.0.113.10:80"], 1), &["other", "web"]),
    (Command(&["service", "add", "web", "tcp:203.0.113.10:81"], 1), &["web", "81"]),
    (Command(&["service", "add", "other", "tcp:203.0.113.10:81"], 1), &["limits.services"]),
    (Command(&["service", "set", "web", "--affinity", "prefix4=33"], 2), &["33", "1 to 32"]),
    (Command(&["service", "set", "web", "--scheduler", "best"], 2), &["best", "maglev"]),
    (Command(&["service", "set", "web", "--table-size", "1000"], 2), &["1000", "power of two"]),
    (Command(&["service", "set", "web", "--table-size", "65536"], 1), &["limits.maglev_slots"]),
    (Command(&["service", "set", "all", "--check", "tcp"], 1), &["all", "port"]),
    (Command(&["service", "set", "nosuch", "--no-check"], 3), &["nosuch"]),
    (File("weight = 3", "weight = 65536"), &["weight", "65536"]),
    (File("weight = 3", "wieght = 3"), &["wieght"]),
    (File("192.0.2.22", "192.0.2.21"), &["192.0.2.21", "already"]),
    (File("192.0.2.22", "203.0.113.10"), &["203.0.113.10", "VIP"]),
    (
        File("table_size = 1024", "affinity = { by = \"address\", prefix6 = 129 }"),
        &["affinity.prefix6", "129", "1 to 128"],
    ),
    (File("table_size = 1024", "scheduler = \"best\""), &["scheduler", "best"]),
    (File("table_size = 1024", "table_size = 65536"), &["limits.maglev_slots"]),
    (File("udp:203.0.113.11:*", "tcp:203.0.113.10:80"), &["all", "web"]),
    (File("name = \"all\"", "name = \"web\""), &["web"]),
    (File("[[service]]", "[[service]"), &["lb.toml:"]),
    (
        Request(r#"{"set_backend":{"backend":"web","weight":2}}"#, 400),
        &["the body is not a change"],
    ),
    (
        Request(
            r#"{"set_backend":{"backend":{"service":"web","address":"192.0.2.21"},"weight":65536}}"#,
            400,
        ),
        &["65536"],
    ),
    (
        Request(
            r#"{"apply":{"services":{"web":{"address":"tcp:203.0.113.10:80","scheduler":"best"}}}}"#,
            400,
        ),
        &["best", "maglev"],
    ),
    (
        Request(
            r#"{"apply":{"services":{"web":{"address":"tcp:203.0.113.10:80","backends":{"192.0.2.21":{"weight":1},"192.0.2.21:80":{"weight":1}}}}}}"#,
            400,
        ),
        &["192.0.2.21:80", "twice"],
    ),
    (
        Request(
            r#"{"apply":{"services":{"a":{"address":"tcp:203.0.113.10:80"},"b":{"address":"tcp:203.0.113.10:80"}}}}"#,
            400,
        ),
        &["203.0.113.10:80"],
    ),
];

#[test]
fn a_refused_change_leaves_every_map_byte_for_byte_as_it_was() {
    let lab = serving();
    let before = maps(&lab);
    for (attempt, named) in REFUSED {
        let (what, complaint) = refused(&lab, attempt);
        for noun in *named {
            assert!(complaint.contains(noun), "{what}: {noun:?} is not named: {complaint}");
        }
        assert!(maps(&lab) == before, "{what} changed a map");
    }
    // The maps tell when something does change.
    lab.balancer().lb(&["backend", "drain", "web", "192.0.2.21"]).success();
    assert!(maps(&lab) != before);
}

#[test]
fn a_change_that_cannot_be_remembered_is_not_made() {
    let lab = serving();
    let before = maps(&lab);
    let remount = |how| lab.balancer().host().run("mount", &["-o", how, "/var/lib"]).unwrap();
    let drain = || lab.balancer().lb(&["backend", "drain", "web", "192.0.2.21"]);
    remount("remount,ro");
    let output = drain();
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stderr.contains("/var/lib/lb/state.json"), "{output:?}");
    assert!(maps(&lab) == before);

    remount("remount,rw");
    drain().success();
    assert!(maps(&lab) != before);
}

/// Two services, with room for no more.
fn serving() -> Lab {
    let lab = Topology::new().backends(2).start();
    lab.balancer().start(&config());
    lab.eventually("every backend is up", crate::SOON, || {
        lab.balancer().status().backends().all(|backend| backend.state == "up")
    });
    lab
}

fn config() -> Config {
    Config::new()
        .setting("limits", "{ services = 2, backends = 3, flows = 64, maglev_slots = 4096 }")
        .service("web", "tcp:203.0.113.10:80")
        .setting("table_size", "1024")
        .backend("192.0.2.21", 3)
        .backend("192.0.2.22", 1)
        .service("all", "udp:203.0.113.11:*")
        .setting("table_size", "512")
        .backend("192.0.2.21", 1)
}

/// Tries it, and returns what it is called and what the refusal said.
fn refused(lab: &Lab, attempt: &Attempt) -> (String, String) {
    let balancer = lab.balancer();
    match attempt {
        Command(arguments, code) => {
            let output = balancer.lb(arguments);
            assert_eq!(output.code, *code, "{output:?}");
            (format!("lb {}", arguments.join(" ")), output.stderr)
        }
        File(right, wrong) => {
            let good = config().to_toml();
            assert!(good.contains(right), "{right} is not in the good file");
            balancer.write_config(&good.replacen(right, wrong, 1));
            let output = balancer.lb(&["apply", balancer.config_path()]);
            assert_eq!(output.code, 1, "{output:?}");
            (format!("lb apply of a file with {wrong}"), output.stderr)
        }
        Request(change, status) => {
            let body = format!("{{\"change\":{change}}}");
            let ask =
                ["--silent", "--unix-socket", "/run/lb/lb.sock", "--write-out", "%{http_code}"];
            let what = ["--data", &body, "http://lb/v1/change"];
            let answer = balancer.host().run("curl", &[&ask[..], &what].concat()).unwrap();
            assert!(answer.ends_with(&status.to_string()), "{change}: {answer}");
            (format!("a request to {change}"), answer)
        }
    }
}

/// Every byte of the maps that packets are balanced by.
fn maps(lab: &Lab) -> Vec<String> {
    let names = ["SERVICES", "BACKENDS", "SHADOWS", "LOADS", "ARENA", "GUARD"];
    let dump = |name: &str| {
        let pin = format!("/sys/fs/bpf/lb/v{ABI_VERSION}/{name}");
        lab.balancer().host().run("bpftool", &["--json", "map", "dump", "pinned", &pin]).unwrap()
    };
    names.map(dump).into()
}
