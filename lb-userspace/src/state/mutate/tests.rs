use proptest::{prelude::*, sample::select};

use super::*;
use crate::{
    config::Config,
    model::{Check, Probe, Scheduler, TableSize, Timing},
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
    Change::SetBackend { backend: key(service, address), weight: Weight(weight) }
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
            Change::AddBackend { backend: key("web", "192.0.2.21"), weight: Weight(9) },
            "service \"web\": backend 192.0.2.21:443 exists with weight 1, not 9",
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
    let change = Change::SetService { name: name("web"), settings };
    assert_eq!(made(&desired(FILE), change), ["web table_size 65536 -> 1024"]);
}

#[test]
fn a_service_that_is_removed_takes_its_backends_along() {
    let change = Change::RemoveService { name: name("web") };
    let expected = ["web removed", "web 192.0.2.21:443 removed", "web 192.0.2.22:443 removed"];
    assert_eq!(made(&desired(FILE), change), expected);
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
    let empty = Service {
        address: "tcp:203.0.113.9:80".parse().unwrap(),
        scheduler: Scheduler::Maglev,
        forward: crate::model::Forward::Ipip,
        table_size: TableSize::default(),
        check: None,
        backends: BTreeMap::new(),
    };
    prop_oneof![
        Just(Change::Apply(desired(FILE))),
        names().prop_map(move |name| Change::AddService { name, service: empty.clone() }),
        names().prop_map(|name| Change::RemoveService { name }),
        names().prop_map(|name| {
            let settings = ServiceSettings { check: Some(None), ..ServiceSettings::default() };
            Change::SetService { name, settings }
        }),
        (backend(), weight()).prop_map(|(backend, weight)| Change::AddBackend { backend, weight }),
        (backend(), weight()).prop_map(|(backend, weight)| Change::SetBackend { backend, weight }),
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
