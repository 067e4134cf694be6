use std::{collections::BTreeMap, net::IpAddr, num::NonZeroU16, time::Duration};

use proptest::{prelude::*, sample::select};

use super::*;
use crate::model::{
    Admin, Backend, BackendAddress, Check, Forward, HttpCheck, Probe, Protocol, Scheduler, Service,
    ServiceAddress, ServiceName, TableSize, Timing, Weight,
};

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

const MISTAKES: &[(&str, &str)] = &[
    (
        "interfaces = [\"eth0\"\n\nmode =",
        "lb.toml:3: missing comma between array elements, expected `,`",
    ),
    ("mode = 3", "lb.toml:1: mode: invalid type: integer `3`, expected a string"),
    (
        "colour = \"red\"",
        "lb.toml:1: unknown field `colour`, expected one of `interfaces`, `mode`, `hash_key`, `limits`, `tunnel`, `daemon`, `service`",
    ),
    ("mode = \"fast\"", "lb.toml:1: mode: \"fast\" is not one of: auto, native, generic"),
    ("interfaces = [\"eth0\", \"eth0\"]", "lb.toml:1: interfaces: eth0 is listed twice"),
    ("interfaces = []", "lb.toml:1: interfaces: is empty: the names of one interface or more"),
    (
        "interfaces = [\"a/b\"]",
        "lb.toml:1: interfaces: \"a/b\" is not an interface name: 1 to 15 bytes without '/', ':' or white space",
    ),
    (
        "interfaces = \"eth0\"",
        "lb.toml:1: interfaces: invalid type: string \"eth0\", expected a list",
    ),
    ("hash_key = \"\"", "lb.toml:1: hash_key: is empty: a secret text, or no hash_key"),
    ("[limits]\nflows = 12", "lb.toml:2: limits.flows: 12 is not allowed: 64 to 268435456"),
    ("[limits]\nbackends = 70000", "lb.toml:2: limits.backends: 70000 is not allowed: 1 to 65535"),
    (
        "[limits]\nflow = 1",
        "lb.toml:2: limits: unknown field `flow`, expected one of `flows`, `services`, `backends`, `maglev_slots`",
    ),
    (
        "[tunnel]\nsource4 = \"::1\"",
        "lb.toml:2: tunnel.source4: \"::1\" is not an IPv4 address of this host",
    ),
    (
        "[daemon]\nsocket = \"lb.sock\"",
        "lb.toml:2: daemon.socket: \"lb.sock\" is not an absolute path",
    ),
    (
        "[limits]\nbackends = 1\nSERVICE\n[[service.backend]]\naddress = \"192.0.2.1\"\n[[service.backend]]\naddress = \"192.0.2.2\"",
        "lb.toml:2: limits.backends: 1 is too few: there are 2 backends",
    ),
    (
        "[limits]\nmaglev_slots = 65536\nSERVICE\n",
        "lb.toml:2: limits.maglev_slots: 65536 is too few: the services need 131072, with 65536 to replace the largest table",
    ),
    (
        "SERVICE\ntabel_size = 1",
        "lb.toml:4: service: unknown field `tabel_size`, expected one of `name`, `address`, `scheduler`, `forward`, `table_size`, `check`, `backend`",
    ),
    (
        "SERVICE\ntable_size = 1000",
        "lb.toml:4: service \"web\": table_size: 1000 is not a table size: a power of two from 32 to 1048576",
    ),
    (
        "SERVICE\nscheduler = \"rr\"",
        "lb.toml:4: service \"web\": scheduler: \"rr\" is not one of: maglev",
    ),
    (
        "SERVICE\nforward = \"nat\"",
        "lb.toml:4: service \"web\": forward: \"nat\" is not one of: ipip",
    ),
    (
        "SERVICE\n[[service.backend]]\naddress = \"192.0.2.300\"",
        "lb.toml:5: service \"web\": backend \"192.0.2.300\": address: \"192.0.2.300\" is not a backend address, such as 192.0.2.21, 192.0.2.21:443, 2001:db8::21 or [2001:db8::21]:443",
    ),
    (
        "SERVICE\n[[service.backend]]\naddress = \"192.0.2.21:80\"",
        "lb.toml:5: service \"web\": backend \"192.0.2.21:80\": address: port 80 is not the service's port 443, and ipip cannot translate ports",
    ),
    (
        "SERVICE\n[[service.backend]]\naddress = \"203.0.113.10\"",
        "lb.toml:5: service \"web\": backend \"203.0.113.10\": address: 203.0.113.10 is the service's own VIP",
    ),
    (
        "SERVICE\n[[service.backend]]\naddress = \"192.0.2.21\"\n[[service.backend]]\naddress = \"192.0.2.21:443\"",
        "lb.toml:7: service \"web\": backend \"192.0.2.21:443\": address: is listed in line 5 already",
    ),
    (
        "SERVICE\n[[service.backend]]\naddress = \"192.0.2.21\"\nweight = 65536",
        "lb.toml:6: service \"web\": backend \"192.0.2.21\": weight: 65536 is not allowed: 0 to 65535",
    ),
    (
        "SERVICE\n[[service.backend]]\naddress = \"192.0.2.21\"\nweight = \"1\"",
        "lb.toml:6: service.backend.weight: invalid type: string \"1\", expected a whole number",
    ),
    (
        "SERVICE\n[[service.backend]]\nweight = 1",
        "lb.toml:4: service.backend: missing field `address`",
    ),
    (
        "SERVICE\n[[service.backend]]\naddress = \"192.0.2.21\"\nwieght = 1",
        "lb.toml:6: service.backend: unknown field `wieght`, expected `address` or `weight`",
    ),
    ("[[service]]\nname = \"web\"", "lb.toml:1: service: missing field `address`"),
    (
        "[[service]]\nname = \"a b\"\naddress = \"tcp:203.0.113.10:443\"",
        "lb.toml:2: service.name: \"a b\" is not a service name: 1 to 63 letters, digits, '-', '_' or '.', starting with a letter or digit",
    ),
    (
        "[[service]]\nname = \"web\"\naddress = \"203.0.113.10:443\"",
        "lb.toml:3: service \"web\": address: \"203.0.113.10:443\" is not a service address, such as tcp:203.0.113.10:443, udp:[2001:db8::10]:53, or tcp:203.0.113.10:* for every port",
    ),
    (
        "SERVICE\nSERVICE\n",
        "lb.toml:5: service \"web\": name: is the name of a service in line 2 already",
    ),
    (
        "SERVICE\n[[service]]\nname = \"other\"\naddress = \"tcp:203.0.113.10:443\"",
        "lb.toml:6: service \"other\": address: tcp:203.0.113.10:443 is the address of service \"web\" already",
    ),
    (
        "[[service]]\nname = \"all\"\naddress = \"udp:203.0.113.10:*\"\n[[service.backend]]\naddress = \"192.0.2.21:80\"",
        "lb.toml:5: service \"all\": backend \"192.0.2.21:80\": address: port 80 is not allowed: the service takes every port, and ipip keeps it",
    ),
    (
        "[[service]]\nname = \"all\"\naddress = \"udp:203.0.113.10:*\"\ncheck = { type = \"tcp\" }",
        "lb.toml:4: service \"all\": check: port: is missing: a service for every port must say which one its check asks",
    ),
    (
        "SERVICE\ncheck = { type = \"icmp\" }",
        "lb.toml:4: service \"web\": check: type: \"icmp\" is not one of: tcp, http",
    ),
    ("SERVICE\ncheck = { port = 80 }", "lb.toml:4: service.check: missing field `type`"),
    (
        "SERVICE\ncheck = { type = \"tcp\", prot = 80 }",
        "lb.toml:4: service.check: unknown field `prot`, expected one of `type`, `port`, `path`, `host`, `expect`, `interval`, `timeout`, `rise`, `fall`",
    ),
    (
        "SERVICE\ncheck = { type = \"tcp\", path = \"/\" }",
        "lb.toml:4: service \"web\": check: path: is not for type = \"tcp\": it belongs to type = \"http\"",
    ),
    (
        "SERVICE\ncheck = { type = \"http\", path = \"healthz\" }",
        "lb.toml:4: service \"web\": check: path: \"healthz\" is not a path: printable ASCII without spaces that starts with '/'",
    ),
    (
        "SERVICE\ncheck = { type = \"http\", expect = [200, 99] }",
        "lb.toml:4: service \"web\": check: expect: 99 is not allowed: 100 to 599",
    ),
    (
        "SERVICE\ncheck = { type = \"http\", expect = [] }",
        "lb.toml:4: service \"web\": check: expect: is empty: the good statuses, such as [200, 204]",
    ),
    (
        "SERVICE\ncheck = { type = \"http\", host = \"a b\" }",
        "lb.toml:4: service \"web\": check: host: \"a b\" is not printable ASCII without spaces",
    ),
    (
        "SERVICE\ncheck = { type = \"tcp\", port = 0 }",
        "lb.toml:4: service \"web\": check: port: 0 is not allowed: 1 to 65535",
    ),
    (
        "SERVICE\ncheck = { type = \"tcp\", interval = \"1s\", timeout = \"2s\" }",
        "lb.toml:4: service \"web\": check: timeout: 2s is not allowed: above 0s, at most the interval 1s",
    ),
    (
        "SERVICE\ncheck = { type = \"tcp\", interval = \"soon\" }",
        "lb.toml:4: service \"web\": check: interval: \"soon\" is not a duration, such as 250ms, 2s or 1m",
    ),
    (
        "SERVICE\ncheck = { type = \"tcp\", interval = \"0s\" }",
        "lb.toml:4: service \"web\": check: interval: 0s is not allowed: 10ms to 1day",
    ),
    (
        "SERVICE\ncheck = { type = \"tcp\", timeout = \"0s\" }",
        "lb.toml:4: service \"web\": check: timeout: 0s is not allowed: above 0s, at most the interval 2s",
    ),
    (
        "SERVICE\ncheck = { type = \"tcp\", rise = 0 }",
        "lb.toml:4: service \"web\": check: rise: 0 is not allowed: 1 to 65535",
    ),
    (
        "SERVICE\ncheck = { type = \"tcp\", fall = 70000 }",
        "lb.toml:4: service \"web\": check: fall: 70000 is not allowed: 1 to 65535",
    ),
    (
        "SERVICE\n[service.check]\ntype = \"tcp\"\ninterval = \"1s\"\ntimeout = \"2s\"",
        "lb.toml:7: service \"web\": check: timeout: 2s is not allowed: above 0s, at most the interval 1s",
    ),
    ("SERVICE\nname = \"again\"", "lb.toml:4: name: duplicate key"),
];

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

prop_compose! {
    fn check()(
        port in 1..=u16::MAX,
        http in any::<bool>(),
        path in select(vec!["/", "/healthz", "/a?b=\"c\"&d='\\e'"]),
        host in select(vec![None, Some("www.example.com".to_owned())]),
        expect in prop::collection::vec(100..=599u16, 0..3),
        interval in 10..100_000u64,
        timeout in 1..=100u64,
        rise in 1..5u16,
        fall in 1..5u16,
    ) -> Check {
        let probe = HttpCheck { path: path.to_owned(), host, expect };
        let interval = Duration::from_millis(interval);
        let timeout = interval * timeout as u32 / 100;
        Check {
            probe: if http { Probe::Http(probe) } else { Probe::Tcp },
            port: NonZeroU16::new(port),
            timing: Timing { interval, timeout, rise, fall },
        }
    }
}

prop_compose! {
    fn service()(
        udp in any::<bool>(),
        port in 0..3u16,
        vip in 1..200u8,
        log2 in 5..=17u32,
        check in prop::option::of(check()),
        backends in prop::collection::btree_map((any::<bool>(), 1..250u8), 0..30u16, 0..6),
    ) -> Service {
        let protocol = if udp { Protocol::Udp } else { Protocol::Tcp };
        let port = NonZeroU16::new(port);
        let ip = |(v6, last): (bool, u8)| -> IpAddr {
            if v6 { [0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()].into() } else { [192, 0, 2, last].into() }
        };
        Service {
            address: ServiceAddress { protocol, vip: [203, 0, 113, vip].into(), port },
            scheduler: Scheduler::Maglev,
            forward: Forward::Ipip,
            table_size: TableSize::try_from(1 << log2).unwrap(),
            check,
            backends: backends
                .into_iter()
                .map(|(host, weight)| {
                    let backend = Backend { weight: Weight(weight), admin: Admin::Enabled };
                    (BackendAddress { ip: ip(host), port }, backend)
                })
                .collect(),
        }
    }
}

fn desired() -> impl Strategy<Value = Desired> {
    prop::collection::btree_map("[a-z][a-z0-9._-]{0,8}", service(), 0..6).prop_map(|services| {
        let mut seen = std::collections::BTreeSet::new();
        let services: BTreeMap<ServiceName, Service> = services
            .into_iter()
            .filter(|(_, service)| seen.insert(service.address))
            .map(|(name, service)| (name.parse().unwrap(), service))
            .collect();
        Desired { services }
    })
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
