mod arbitrary;
mod mistakes;

use std::{num::NonZeroU16, time::Duration};

use proptest::{prelude::*, sample::select};

use super::*;
use crate::model::{
    Affinity, Backend, HashFields, HttpCheck, Idle, MaxFlows, OnDrain, OnFailure, Percent, Policy,
    Probe, Scheduler,
};
use arbitrary::desired;
use mistakes::MISTAKES;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse("lb.toml", text).map_err(|error| error.to_string())
}

const SERVICE: &str = "[[service]]\nname = \"web\"\naddress = \"tcp:203.0.113.10:443\"\n";

#[test]
fn a_whole_file_means_what_it_says() {
    let config = parse(WHOLE).unwrap();
    let daemon = &config.daemon;
    assert_eq!(daemon.interfaces.iter().map(InterfaceName::as_str).collect::<Vec<_>>(), ["eth0"]);
    assert_eq!(daemon.mode, Mode::Native);
    assert_eq!(daemon.hash_key.as_ref().unwrap().as_bytes(), b"shared");
    assert_eq!(daemon.limits.flows, 1 << 20, "1,000,000 is rounded up");
    assert_eq!(daemon.tunnel.v4, Some("198.51.100.1".parse().unwrap()));
    assert_eq!(daemon.paths.socket, Path::new("/run/other.sock"));
    assert_eq!(daemon.paths.pins, Path::new("/sys/fs/bpf/lb"));

    let service = &config.desired.services[&"web".parse().unwrap()];
    let check = service.check.as_ref().unwrap();
    assert_eq!(check.port, NonZeroU16::new(8080));
    assert_eq!(check.timing.timeout, Duration::from_millis(250));
    let probe = HttpCheck { path: "/healthz".into(), host: None, expect: vec![200, 204] };
    assert_eq!(check.probe, Probe::Http(probe));
    let backends: Vec<String> = service
        .backends
        .iter()
        .map(|(address, backend)| format!("{address} {}", backend.weight))
        .collect();
    assert_eq!(backends, ["192.0.2.21:443 10", "192.0.2.22:443 1", "[2001:db8::21]:443 1"]);
}

const WHOLE: &str = r#"
interfaces = ["eth0"]
mode = "native"
hash_key = "shared"
[limits]
flows = 1_000_000
[tunnel]
source4 = "198.51.100.1"
[daemon]
socket = "/run/other.sock"

[[service]]
name = "web"
address = "tcp:203.0.113.10:443"
scheduler = "maglev"
forward = "ipip"
check = { type = "http", port = 8080, path = "/healthz", expect = [200, 204], interval = "500ms", timeout = "250ms" }
[[service.backend]]
address = "192.0.2.21"
weight = 10
[[service.backend]]
address = "192.0.2.22:443"
[[service.backend]]
address = "2001:db8::21"
"#;

#[test]
fn each_mistake_is_one_line_that_names_the_place_the_value_and_what_is_allowed() {
    for (text, expected) in MISTAKES {
        let text = text.replace("SERVICE\n", SERVICE);
        assert_eq!(parse(&text).unwrap_err(), *expected, "{text}");
    }
}

#[test]
fn every_setting_of_a_service_is_read_and_what_is_left_out_is_the_default() {
    let text = format!(
        "{SERVICE}scheduler = \"wlc\"\nhash = \"source+destination\"\n\
         affinity = {{ by = \"address\", prefix4 = 24 }}\nidle = {{ established = \"30m\" }}\n\
         on_failure = \"reset\"\non_drain = \"move\"\nmin_healthy = 2\nslow_start = \"1m 30s\"\n\
         min_primaries = 3\npanic_threshold = 50\n\n\
         [[service.backend]]\naddress = \"192.0.2.21\"\nbackup = true\nmax_flows = 1000\n"
    );
    let config = parse(&text).unwrap();
    let service = &config.desired.services[&"web".parse().unwrap()];
    let expected = Policy {
        scheduler: Scheduler::Wlc,
        hash: Some(HashFields::SourceAndDestination),
        affinity: Some(Affinity { prefix4: 24, ..Affinity::default() }),
        idle: Idle { established: Some("30m".parse().unwrap()), ..Idle::default() },
        on_failure: OnFailure::Reset,
        on_drain: Some(OnDrain::Move),
        min_healthy: 2,
        slow_start: Some("1m 30s".parse().unwrap()),
        min_primaries: NonZeroU16::new(3).unwrap(),
        panic_threshold: Percent::try_from(50).unwrap(),
    };
    assert_eq!(service.policy, expected);
    let backend = Backend { backup: true, max_flows: MaxFlows::new(1000), ..Backend::default() };
    assert_eq!(service.backends.values().collect::<Vec<_>>(), [&backend]);
    assert_eq!(export(&config.desired), text);

    let bare = parse(SERVICE).unwrap().desired;
    assert_eq!(bare.services[&"web".parse().unwrap()].policy, Policy::default());
    assert_eq!(export(&bare), SERVICE);
}

const REFERENCE: &str = include_str!("../../../docs/configuration.md");

#[test]
fn every_example_of_the_reference_is_a_good_file() {
    let examples: Vec<&str> = REFERENCE.split("```toml\n").skip(1).collect();
    assert!(!examples.is_empty());
    for example in examples {
        let (text, _) = example.split_once("```").unwrap();
        assert!(parse(text).is_ok(), "{:?}", parse(text));
    }
}

#[test]
fn the_reference_has_every_field_that_files_can_state() {
    for (table, prefix) in [
        ("strange = 1", ""),
        ("[limits]\nstrange = 1", "limits."),
        ("[tunnel]\nstrange = 1", "tunnel."),
        ("[daemon]\nstrange = 1", "daemon."),
        ("[[service]]\nstrange = 1", ""),
        ("[[service]]\n[[service.backend]]\nstrange = 1", ""),
        ("[[service]]\ncheck = { strange = 1 }", ""),
        ("[[service]]\naffinity = { strange = 1 }", ""),
        ("[[service]]\nidle = { strange = 1 }", ""),
    ] {
        let refusal = parse(table).unwrap_err();
        let (_, expected) = refusal.split_once(", expected ").unwrap();
        // Names stand between back quotes: every second part.
        let tables = ["limits", "tunnel", "daemon", "service", "backend"];
        let fields = expected.split('`').skip(1).step_by(2).filter(|name| !tables.contains(name));
        for field in fields {
            let row = format!("| `{prefix}{field}` | ");
            assert!(REFERENCE.contains(&row), "no row of {prefix}{field}");
        }
    }
}

#[test]
fn an_any_port_service_may_stand_beside_an_exact_one() {
    let text = format!("{SERVICE}[[service]]\nname = \"rest\"\naddress = \"tcp:203.0.113.10:*\"\n");
    assert_eq!(parse(&text).unwrap().desired.services.len(), 2);
}

#[test]
fn a_check_that_asks_often_need_not_say_its_time_out() {
    let text = format!("{SERVICE}check = {{ type = \"tcp\", interval = \"200ms\" }}\n");
    let config = parse(&text).unwrap();
    let check = config.desired.services[&"web".parse().unwrap()].check.clone().unwrap();
    assert_eq!(check.timing.timeout, Duration::from_millis(200));
}

#[test]
fn a_missing_file_and_a_file_without_interfaces_are_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lb.toml");
    let error = Config::load_to_run(&path).unwrap_err().to_string();
    let expected = format!("{}: cannot be read: No such file or directory", path.display());
    assert!(error.starts_with(&expected), "{error}");
    fs::write(&path, SERVICE).unwrap();
    let error = Config::load_to_run(&path).unwrap_err().to_string();
    let expected = "interfaces: is missing: the names of one interface or more, such as [\"eth0\"]";
    assert_eq!(error, format!("{}: {expected}", path.display()));
}

#[test]
fn the_shared_secret_shows_in_no_log() {
    let config = parse("hash_key = \"hunter2\"").unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}

proptest! {
    #[test]
    fn what_is_exported_reads_back_the_same(desired in desired()) {
        let text = export(&desired);
        prop_assert_eq!(parse(&text).map(|config| config.desired), Ok(desired), "{}", text);
    }

    #[test]
    fn no_text_makes_the_parser_panic_or_speak_in_two_lines(
        words in prop::collection::vec(select(vec![
            "[[service]]", "name", "=", "\"web\"", "\n", "[", "]", "{", "}", "weight", "1", "é", "\"",
            "address", "\"tcp:203.0.113.10:443\"", "[[service.backend]]", "check", ",", "'", "-1",
        ]), 0..30),
    ) {
        if let Err(error) = parse(&words.join(" ")) {
            prop_assert!(!error.contains('\n'), "{error}");
        }
    }
}
