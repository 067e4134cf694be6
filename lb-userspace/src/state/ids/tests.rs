use std::fmt::Write as _;

use proptest::{prelude::*, sample::subsequence};

use super::*;
use crate::config::Config;

const LIMITS: IdLimits = IdLimits { services: 3, backends: 4 };

fn desired(backends: &[u8]) -> Desired {
    services(&[("web", backends)])
}

fn services(services: &[(&str, &[u8])]) -> Desired {
    let mut text = String::new();
    for (at, (name, backends)) in services.iter().enumerate() {
        write!(text, "[[service]]\nname = \"{name}\"\naddress = \"tcp:203.0.113.{at}:80\"\n")
            .unwrap();
        for last in *backends {
            write!(text, "[[service.backend]]\naddress = \"192.0.2.{last}\"\n").unwrap();
        }
    }
    Config::parse("lb.toml", &text).unwrap().desired
}

fn numbers(ids: &Ids) -> Vec<(String, BackendId)> {
    ids.backends().map(|(key, id)| (format!("{} {}", key.service, key.address.ip), id)).collect()
}

fn owned(pairs: &[(&str, BackendId)]) -> Vec<(String, BackendId)> {
    pairs.iter().map(|(key, id)| ((*key).to_owned(), *id)).collect()
}

#[test]
fn a_cold_start_numbers_by_name_and_address() {
    let ids = Ids::default().assign(&services(&[("b", &[2, 1]), ("a", &[3])]), LIMITS).unwrap();
    assert_eq!(numbers(&ids), owned(&[("a 192.0.2.3", 1), ("b 192.0.2.1", 2), ("b 192.0.2.2", 3)]));
    let services: Vec<_> = ids.services().map(|(name, id)| (name.to_string(), id)).collect();
    assert_eq!(services, [("a".to_owned(), 1), ("b".to_owned(), 2)]);
}

#[test]
fn a_number_stays_while_others_come_and_go() {
    let ids = Ids::default().assign(&desired(&[1, 2]), LIMITS).unwrap();
    let ids = ids.assign(&desired(&[2, 3]), LIMITS).unwrap();
    assert_eq!(numbers(&ids), owned(&[("web 192.0.2.2", 2), ("web 192.0.2.3", 3)]));
}

#[test]
fn a_freed_number_is_given_out_again_only_after_its_flows_were_swept() {
    let ids = Ids::default().assign(&desired(&[1, 2, 3, 4]), LIMITS).unwrap();
    let mut ids = ids.assign(&desired(&[2, 3, 4]), LIMITS).unwrap();
    let error = ids.assign(&desired(&[2, 3, 4, 5]), LIMITS).unwrap_err();
    assert_eq!(
        error.to_string(),
        "service \"web\": backend 192.0.2.5:80: no number is free: limits.backends is 4, \
         and 1 of them wait for their flows to be swept; raise limits.backends"
    );
    let swept = ids.quarantine().clone();
    ids.release(&swept);
    let ids = ids.assign(&desired(&[2, 3, 4, 5]), LIMITS).unwrap();
    assert_eq!(ids.backend(&"web".parse().unwrap(), &"192.0.2.5:80".parse().unwrap()), Some(1));
}

#[test]
fn a_swept_number_comes_back_as_late_as_can_be() {
    let ids = Ids::default().assign(&desired(&[1, 2]), LIMITS).unwrap();
    let mut ids = ids.assign(&desired(&[2]), LIMITS).unwrap();
    let swept = ids.quarantine().clone();
    ids.release(&swept);
    let ids = ids.assign(&desired(&[2, 3]), LIMITS).unwrap();
    assert_eq!(numbers(&ids), owned(&[("web 192.0.2.2", 2), ("web 192.0.2.3", 3)]));
}

#[test]
fn too_many_services_are_refused_by_the_name_of_the_limit() {
    let four: [(&str, &[u8]); 4] = [("a", &[]), ("b", &[]), ("c", &[]), ("d", &[])];
    let error = Ids::default().assign(&services(&four), LIMITS).unwrap_err().to_string();
    assert!(error.starts_with("service \"d\": no number is free: limits.services is 3"), "{error}");
}

#[test]
fn a_lower_limit_renumbers_what_lies_beyond_it() {
    let ids = Ids::default().assign(&desired(&[1, 2, 3, 4]), LIMITS).unwrap();
    let fewer = IdLimits { backends: 2, ..LIMITS };
    let mut ids = ids.assign(&desired(&[4]), LIMITS).unwrap();
    let swept = ids.quarantine().clone();
    ids.release(&swept);
    let ids = ids.assign(&desired(&[4]), fewer).unwrap();
    assert_eq!(numbers(&ids), owned(&[("web 192.0.2.4", 1)]));
}

#[test]
fn a_file_in_which_two_share_a_number_is_not_sound() {
    let ids = Ids::default().assign(&desired(&[1, 2]), LIMITS).unwrap();
    assert!(ids.is_sound());
    let text =
        serde_json::to_string(&ids).unwrap().replace("\"192.0.2.2:80\":2", "\"192.0.2.2:80\":1");
    assert!(!serde_json::from_str::<Ids>(&text).unwrap().is_sound());
}

proptest! {
    #[test]
    fn no_number_has_two_owners_and_none_is_lost(
        steps in prop::collection::vec((subsequence((1..=30u8).collect::<Vec<_>>(), 0..=30), any::<bool>()), 1..12),
    ) {
        let limits = IdLimits { services: 1, backends: 40 };
        let mut ids = Ids::default();
        for (backends, sweep) in steps {
            let desired = desired(&backends);
            if let Ok(next) = ids.assign(&desired, limits) {
                for (key, id) in ids.backends() {
                    let now = next.backend(&key.service, &key.address);
                    prop_assert!(now == Some(id) || (now.is_none() && next.quarantine().backends.contains(&id)));
                }
                prop_assert!(next.is_sound());
                prop_assert_eq!(next.backends().count(), backends.len());
                prop_assert_eq!(next.assign(&desired, limits), Ok(next.clone()));
                ids = next;
            }
            if sweep {
                let swept = ids.quarantine().clone();
                ids.release(&swept);
            }
        }
    }
}
