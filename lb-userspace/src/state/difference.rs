//! What separates two states, as a person reads it.

use std::{collections::BTreeSet, fmt::Display};

use clap::ValueEnum;

use super::{Desired, Difference};
use crate::model::{
    Admin, Affinity, Backend, BackendAddress, Check, HttpCheck, Policy, Probe, Service,
    ServiceName, Timing,
};

/// All that is different in `after`, ordered by service, then its settings, then its backends.
pub fn differences(before: &Desired, after: &Desired) -> Vec<Difference> {
    let names: BTreeSet<&ServiceName> =
        before.services.keys().chain(after.services.keys()).collect();
    let mut list = Vec::new();
    for name in names {
        let mut report = Report { service: name, list: &mut list };
        match (before.services.get(name), after.services.get(name)) {
            (Some(old), Some(new)) => report.changed(old, new),
            (None, Some(new)) => report.whole(new, "added"),
            (Some(old), None) => report.whole(old, "removed"),
            (None, None) => {}
        }
    }
    list
}

struct Report<'a> {
    service: &'a ServiceName,
    list: &'a mut Vec<Difference>,
}

impl Report<'_> {
    fn add(&mut self, backend: Option<BackendAddress>, what: impl Into<String>) {
        let what = what.into();
        self.list.push(Difference { service: self.service.clone(), backend, what });
    }

    fn setting(&mut self, name: &str, old: &impl Display, new: &impl Display) {
        let (old, new) = (old.to_string(), new.to_string());
        if old != new {
            self.add(None, format!("{name} {old} -> {new}"));
        }
    }

    fn whole(&mut self, service: &Service, what: &str) {
        self.add(None, what);
        for address in service.backends.keys() {
            self.add(Some(*address), what);
        }
    }

    fn changed(&mut self, old: &Service, new: &Service) {
        self.setting("address", &old.address, &new.address);
        self.setting("scheduler", &named(&old.policy.scheduler), &named(&new.policy.scheduler));
        self.setting("forward", &named(&old.forward), &named(&new.forward));
        self.setting("table_size", &old.table_size.slots(), &new.table_size.slots());
        self.setting("check", &described(old.check.as_ref()), &described(new.check.as_ref()));
        self.policy(&old.policy, &new.policy);
        let addresses: BTreeSet<&BackendAddress> =
            old.backends.keys().chain(new.backends.keys()).collect();
        for address in addresses {
            match (old.backends.get(address), new.backends.get(address)) {
                (Some(old), Some(new)) => {
                    for what in backend_differences(*old, *new) {
                        self.add(Some(*address), what);
                    }
                }
                (None, Some(_)) => self.add(Some(*address), "added"),
                (Some(_), None) => self.add(Some(*address), "removed"),
                (None, None) => {}
            }
        }
    }

    /// All of it but the scheduler, which stands with the other essentials.
    fn policy(&mut self, old: &Policy, new: &Policy) {
        self.setting("hash", &stated(old.hash.as_ref()), &stated(new.hash.as_ref()));
        self.setting("affinity", &affinity(old.affinity), &affinity(new.affinity));
        for ((name, old), (_, new)) in old.idle.named().into_iter().zip(new.idle.named()) {
            self.setting(&format!("idle.{name}"), &or(old, DEFAULT), &or(new, DEFAULT));
        }
        self.setting("on_failure", &named(&old.on_failure), &named(&new.on_failure));
        self.setting("on_drain", &stated(old.on_drain.as_ref()), &stated(new.on_drain.as_ref()));
        self.setting("min_healthy", &old.min_healthy, &new.min_healthy);
        self.setting("slow_start", &or(old.slow_start, NONE), &or(new.slow_start, NONE));
        self.setting("min_primaries", &old.min_primaries, &new.min_primaries);
        let [old, new] = [old, new].map(|policy| format!("{}%", policy.panic_threshold.get()));
        self.setting("panic_threshold", &old, &new);
    }
}

/// All that is different in a backend.
pub(super) fn backend_differences(old: Backend, new: Backend) -> Vec<String> {
    let mut list = Vec::new();
    if old.weight != new.weight {
        list.push(format!("weight {} -> {}", old.weight, new.weight));
    }
    if old.backup != new.backup {
        list.push(if new.backup { "primary -> backup" } else { "backup -> primary" }.to_owned());
    }
    if old.max_flows != new.max_flows {
        let [old, new] = [old, new].map(|one| or(one.max_flows, NONE));
        list.push(format!("max_flows {old} -> {new}"));
    }
    if old.admin != new.admin {
        list.push(format!("{} -> {}", admin_word(old.admin), admin_word(new.admin)));
    }
    list
}

/// Stands for what is not stated, and follows from something else.
const DEFAULT: &str = "default";
/// Stands for what there is not.
const NONE: &str = "none";

fn or(value: Option<impl Display>, word: &str) -> String {
    value.map_or_else(|| word.to_owned(), |value| value.to_string())
}

fn stated(choice: Option<&impl ValueEnum>) -> String {
    or(choice.map(named), DEFAULT)
}

fn affinity(affinity: Option<Affinity>) -> String {
    let described = |Affinity { prefix4, prefix6, timeout }| {
        format!("address prefix4 {prefix4} prefix6 {prefix6} timeout {timeout}")
    };
    or(affinity.map(described), NONE)
}

fn admin_word(admin: Admin) -> &'static str {
    match admin {
        Admin::Enabled => "enabled",
        Admin::Draining => "draining",
        Admin::Disabled => "disabled",
    }
}

/// The word of a choice, as config files and the command line write it.
pub(crate) fn named(choice: &impl ValueEnum) -> String {
    choice.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn described(check: Option<&Check>) -> String {
    let Some(Check { probe, port, timing }) = check else {
        return NONE.to_owned();
    };
    let asked = match probe {
        Probe::Tcp => "tcp".to_owned(),
        Probe::Http(HttpCheck { path, host, expect }) => {
            let host = host.as_ref().map(|host| format!(" host {host}")).unwrap_or_default();
            let statuses: Vec<String> = expect.iter().map(u16::to_string).collect();
            let expect = if expect.is_empty() { "" } else { " expect " };
            format!("http {path}{host}{expect}{}", statuses.join(","))
        }
    };
    let port = port.map(|port| format!(" port {port}")).unwrap_or_default();
    let Timing { interval, timeout, rise, fall } = *timing;
    let [interval, timeout] = [interval, timeout].map(humantime::format_duration);
    format!("{asked}{port} interval {interval} timeout {timeout} rise {rise} fall {fall}")
}
