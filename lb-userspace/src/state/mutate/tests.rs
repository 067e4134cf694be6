use std::{num::NonZeroU16, time::Duration};

use clap::ValueEnum as _;
use proptest::{option::of, prelude::*, sample::select};

use super::*;
use crate::{
    config::Config,
    model::{
        Affinity, Check, HashFields, Idle, IdleTime, MaxFlows, OnDrain, OnFailure, Percent, Period,
        Probe, Scheduler, TableSize, Timing, Weight,
    },
};

const FILE: &str = r#"
[[service]]
name = "web"
address = "tcp:203.0.113.10:443"
[[service.backend]]
address = "192.0.2.21"
[[service.backend]]
address = "192.0.2.22"

[[service]]
name = "dns"
address = "udp:203.0.113.10:*"
"#;

fn desired(text: &str) -> Desired {
    Config::parse("lb.toml", text).unwrap().desired
}

fn name(text: &str) -> ServiceName {
    text.parse().unwrap()
}

fn key(service: &str, address: &str) -> BackendKey {
    BackendKey { service: name(service), address: address.parse().unwrap() }
}

fn weigh(service: &str, address: &str, weight: u16) -> Change {
    let settings = BackendSettings { weight: Some(Weight(weight)), ..BackendSettings::default() };
    Change::SetBackend { backend: key(service, address), settings }
}

fn add_backend(address: &str, weight: u16, backup: bool) -> Change {
    let backend = key("web", address);
    Change::AddBackend { backend, weight: Weight(weight), backup, max_flows: None }
}

fn admin(address: &str, admin: Admin) -> Change {
    Change::SetAdmin { backend: key("web", address), admin }
}

/// The differences as `service backend what`.
fn made(desired: &Desired, change: Change) -> Vec<String> {
    shown(&desired.apply(change).unwrap().1)
}

fn shown(differences: &[Difference]) -> Vec<String> {
    differences
        .iter()
        .map(|Difference { service, backend, what }| match backend {
            Some(backend) => format!("{service} {backend} {what}"),
            None => format!("{service} {what}"),
        })
        .collect()
}

fn refused(desired: &Desired, change: Change) -> Refusal {
    desired.apply(change).unwrap_err()
}

#[test]
fn a_backend_may_be_named_without_its_port() {
    let desired = desired(FILE);
    for address in ["192.0.2.21", "192.0.2.21:443"] {
        let made = made(&desired, weigh("web", address, 5));
        assert_eq!(made, ["web 192.0.2.21:443 weight 1 -> 5"]);
    }
}

#[test]
fn what_does_not_exist_is_answered_with_what_does() {
    let desired = desired(FILE);
    for (change, expected) in [
        (weigh("wbe", "192.0.2.21", 1), "service \"wbe\" does not exist; there are: dns, web"),
        (
            weigh("web", "192.0.2.9", 1),
            "service \"web\" has no backend 192.0.2.9:443; \
             there are: 192.0.2.21:443, 192.0.2.22:443",
        ),
        (weigh("dns", "192.0.2.9", 1), "service \"dns\" has no backend 192.0.2.9; there are none"),
        (
            Change::RemoveBackend { backend: key("wbe", "192.0.2.9") },
            "service \"wbe\" does not exist; there are: dns, web",
        ),
    ] {
        assert_eq!(refused(&desired, change), Refusal::NotFound(expected.to_owned()));
    }
}

#[test]
fn a_long_list_of_names_is_cut_short() {
    let service =
        |at| format!("[[service]]\nname = \"s{at}\"\naddress = \"tcp:203.0.113.{at}:80\"\n");
    let services = (10..32).map(service).collect::<Vec<_>>().concat();
    let message = refused(&desired(&services), weigh("web", "192.0.2.1", 1)).to_string();
    assert!(
        message
            .ends_with("there are: s10, s11, s12, s13, s14, s15, s16, s17, s18, s19 and 12 more")
    );
}

#[test]
fn a_contradiction_is_refused_whole() {
    let desired = desired(FILE);
    let mut moved = desired.services[&name("web")].clone();
    moved.backends.clear();
    let add = |name: &str, service: &Service| Change::AddService {
        name: name.parse().unwrap(),
        service: service.clone(),
    };
    let mut portless = moved.clone();
    portless.address = "tcp:203.0.113.12:*".parse().unwrap();
    portless.check = Some(Check::new(Probe::Tcp, None, Timing::default()).unwrap());
    for (change, expected) in [
        (
            weigh("web", "192.0.2.21:80", 1),
            "service \"web\": backend 192.0.2.21:80: address: port 80 is not the service's port 443, and ipip cannot translate ports",
        ),
        (
            add_backend("192.0.2.21", 9, true),
            "service \"web\": backend 192.0.2.21:443 exists and is another: weight 1 -> 9, primary -> backup",
        ),
        (
            add("web", &moved),
            "service \"web\" exists and is another: backend 192.0.2.21:443 removed",
        ),
        (
            add("other", &moved),
            "service \"web\": address: tcp:203.0.113.10:443 is the address of service \"other\"",
        ),
        (
            add("other", &portless),
            "service \"other\": check: port: is missing: a service for every port must say which one its check asks",
        ),
    ] {
        assert_eq!(refused(&desired, change), Refusal::Invalid(expected.to_owned()));
    }
}

#[test]
fn applying_a_file_says_all_that_changes_and_keeps_what_was_drained() {
    let (drained, _) = desired(FILE).apply(admin("192.0.2.22", Admin::Draining)).unwrap();
    let file = r#"
        [[service]]
        name = "web"
        address = "tcp:203.0.113.11:443"
        table_size = 1024
        check = { type = "http", path = "/up" }
        [[service.backend]]
        address = "192.0.2.22"
        weight = 3
        [[service.backend]]
        address = "192.0.2.23"
    "#;
    let (next, differences) = drained.apply(Change::Apply(desired(file))).unwrap();
    let web = &next.services[&name("web")];
    assert_eq!(web.backends[&"192.0.2.22:443".parse().unwrap()].admin, Admin::Draining);
    assert_eq!(
        shown(&differences),
        [
            "dns removed",
            "web address tcp:203.0.113.10:443 -> tcp:203.0.113.11:443",
            "web table_size 65536 -> 1024",
            "web check none -> http /up interval 2s timeout 1s rise 2 fall 3",
            "web 192.0.2.21:443 removed",
            "web 192.0.2.22:443 weight 1 -> 3",
            "web 192.0.2.23:443 added",
        ]
    );
}

#[test]
fn a_backend_is_drained_and_enabled_again() {
    let (drained, differences) = desired(FILE).apply(admin("192.0.2.21", Admin::Draining)).unwrap();
    assert_eq!(shown(&differences), ["web 192.0.2.21:443 enabled -> draining"]);
    let back = made(&drained, admin("192.0.2.21", Admin::Enabled));
    assert_eq!(back, ["web 192.0.2.21:443 draining -> enabled"]);
}

#[test]
fn a_setting_that_is_not_named_stays() {
    let settings = ServiceSettings {
        table_size: Some(TableSize::try_from(1024).unwrap()),
        ..ServiceSettings::default()
    };
    assert_eq!(made(&desired(FILE), set("web", settings)), ["web table_size 65536 -> 1024"]);
}

fn set(service: &str, settings: ServiceSettings) -> Change {
    Change::SetService { name: name(service), settings }
}

#[test]
fn every_setting_that_changes_is_told_with_what_it_was() {
    let idle = Idle { syn: Some(seconds(30)), ..Idle::default() };
    let settings = ServiceSettings {
        scheduler: Some(Scheduler::Wlc),
        hash: Some(HashFields::SourcePortFree),
        affinity: Some(Some(Affinity { prefix4: 24, ..Affinity::default() })),
        idle: Some(idle),
        on_failure: Some(OnFailure::Reset),
        on_drain: Some(OnDrain::Move),
        min_healthy: Some(2),
        slow_start: Some(Some(seconds(60))),
        min_primaries: NonZeroU16::new(3),
        panic_threshold: Some(Percent::try_from(50).unwrap()),
        ..ServiceSettings::default()
    };
    let expected = [
        "web scheduler maglev -> wlc",
        "web hash default -> source-port-free",
        "web affinity none -> address prefix4 24 prefix6 128 timeout 10m",
        "web idle.syn default -> 30s",
        "web on_failure move -> reset",
        "web on_drain default -> move",
        "web min_healthy 0 -> 2",
        "web slow_start none -> 1m",
        "web min_primaries 1 -> 3",
        "web panic_threshold 0% -> 50%",
    ];
    assert_eq!(made(&desired(FILE), set("web", settings)), expected);
    let settings =
        BackendSettings { weight: None, backup: Some(true), max_flows: Some(MaxFlows::new(9)) };
    let backend = key("web", "192.0.2.21");
    let expected =
        ["web 192.0.2.21:443 primary -> backup", "web 192.0.2.21:443 max_flows none -> 9"];
    assert_eq!(made(&desired(FILE), Change::SetBackend { backend, settings }), expected);
}

#[test]
fn settings_that_do_not_go_together_are_refused_when_the_second_one_comes() {
    let none = ServiceSettings::default;
    let hash = ServiceSettings { hash: Some(HashFields::FiveTuple), ..none() };
    let (hashed, _) = desired(FILE).apply(set("web", hash)).unwrap();
    let udp = Idle { udp: Some(seconds(30)), ..Idle::default() };
    for (service, settings, expected) in [
        (
            "web",
            ServiceSettings { scheduler: Some(Scheduler::Sh), ..none() },
            "service \"web\": hash: \"5tuple\" is not for scheduler \"sh\", which looks at the source alone: \"source\", or no hash",
        ),
        (
            "dns",
            ServiceSettings { on_failure: Some(OnFailure::Reset), ..none() },
            "service \"dns\": on_failure: \"reset\" is not for a UDP service, as it is a TCP RST: \"move\" or \"keep\"",
        ),
        (
            "web",
            ServiceSettings { idle: Some(udp), ..none() },
            "service \"web\": idle.udp: is not for a TCP service: it has syn, established and closing",
        ),
    ] {
        let refused = refused(&hashed, set(service, settings));
        assert_eq!(refused, Refusal::Invalid(expected.to_owned()));
    }
    let source = HashFields::Source;
    let both = ServiceSettings { scheduler: Some(Scheduler::Sh), hash: Some(source), ..none() };
    assert!(hashed.apply(set("web", both)).is_ok());
}

#[test]
fn a_service_that_is_removed_takes_its_backends_along() {
    let change = Change::RemoveService { name: name("web") };
    let expected = ["web removed", "web 192.0.2.21:443 removed", "web 192.0.2.22:443 removed"];
    assert_eq!(made(&desired(FILE), change), expected);
}

prop_compose! {
    /// Every setting there is, each as often left alone as not; not all of them go together.
    fn settings()(
        scheduler in of(select(Scheduler::value_variants())),
        table_size in of((5..9u32).prop_map(|log2| TableSize::try_from(1 << log2).unwrap())),
        check in of(Just(None)),
        hash in of(select(HashFields::value_variants())),
        affinity in of(of((1..=32u8, 1..=128u8, time()).prop_map(|(prefix4, prefix6, timeout)| {
            Affinity { prefix4, prefix6, timeout }
        }))),
        idle in of([of(time()), of(time()), of(time()), of(time())].prop_map(
            |[syn, established, closing, udp]| Idle { syn, established, closing, udp },
        )),
        on_failure in of(select(OnFailure::value_variants())),
        on_drain in of(select(OnDrain::value_variants())),
        numbers in (of(0..3u16), of(of((1..9u64).prop_map(seconds))), of(1..3u16), of(0..=100u8)),
    ) -> ServiceSettings {
        let (min_healthy, slow_start, min_primaries, panic_threshold) = numbers;
        ServiceSettings {
            scheduler,
            forward: None,
            table_size,
            check,
            hash,
            affinity,
            idle,
            on_failure,
            on_drain,
            min_healthy,
            slow_start,
            min_primaries: min_primaries.and_then(NonZeroU16::new),
            panic_threshold: panic_threshold.map(|percent| Percent::try_from(percent).unwrap()),
        }
    }
}

fn time() -> impl Strategy<Value = IdleTime> {
    (10..20u64).prop_map(seconds)
}

fn seconds<const LEAST: u64, const MOST: u64>(seconds: u64) -> Period<LEAST, MOST> {
    Duration::from_secs(seconds).try_into().unwrap()
}

fn max_flows() -> impl Strategy<Value = Option<MaxFlows>> {
    (0..3u32).prop_map(MaxFlows::new)
}

fn change() -> impl Strategy<Value = Change> {
    let names = || select(vec!["web", "dns", "new"]).prop_map(name);
    let backend = || {
        (names(), select(vec!["192.0.2.21", "192.0.2.22:443", "192.0.2.23", "2001:db8::1"]))
            .prop_map(|(service, address)| BackendKey {
                service,
                address: address.parse().unwrap(),
            })
    };
    let weight = || (0..4u16).prop_map(Weight);
    let empty = Service::new("tcp:203.0.113.9:80".parse().unwrap());
    prop_oneof![
        Just(Change::Apply(desired(FILE))),
        names().prop_map(move |name| Change::AddService { name, service: empty.clone() }),
        names().prop_map(|name| Change::RemoveService { name }),
        (names(), settings()).prop_map(|(name, settings)| Change::SetService { name, settings }),
        (backend(), weight(), any::<bool>(), max_flows()).prop_map(
            |(backend, weight, backup, max_flows)| {
                Change::AddBackend { backend, weight, backup, max_flows }
            }
        ),
        (backend(), of(weight()), of(any::<bool>()), of(max_flows())).prop_map(
            |(backend, weight, backup, max_flows)| {
                let settings = BackendSettings { weight, backup, max_flows };
                Change::SetBackend { backend, settings }
            }
        ),
        backend().prop_map(|backend| Change::RemoveBackend { backend }),
        (backend(), select(vec![Admin::Enabled, Admin::Draining, Admin::Disabled]))
            .prop_map(|(backend, admin)| Change::SetAdmin { backend, admin }),
    ]
}

proptest! {
    #[test]
    fn the_same_change_twice_changes_nothing_the_second_time(
        changes in prop::collection::vec(change(), 1..20),
    ) {
        let mut state = desired(FILE);
        for change in changes {
            if let Ok((next, differences)) = state.apply(change.clone()) {
                prop_assert_eq!(differences.is_empty(), next == state);
                prop_assert_eq!(next.apply(change), Ok((next.clone(), Vec::new())));
                state = next;
            }
        }
    }
}
