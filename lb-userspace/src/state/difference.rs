//! What separates two states, as a person reads it.

use std::{collections::BTreeSet, fmt::Display};

use clap::ValueEnum;

use super::{Desired, Difference};
use crate::model::{
    Admin, Backend, BackendAddress, Check, HttpCheck, Probe, Service, ServiceName, Timing,
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
        self.setting("scheduler", &named(&old.scheduler), &named(&new.scheduler));
        self.setting("forward", &named(&old.forward), &named(&new.forward));
        self.setting("table_size", &old.table_size.slots(), &new.table_size.slots());
        self.setting("check", &described(old.check.as_ref()), &described(new.check.as_ref()));
        let addresses: BTreeSet<&BackendAddress> =
            old.backends.keys().chain(new.backends.keys()).collect();
        for address in addresses {
            match (old.backends.get(address), new.backends.get(address)) {
                (Some(old), Some(new)) => self.backend(*address, *old, *new),
                (None, Some(_)) => self.add(Some(*address), "added"),
                (Some(_), None) => self.add(Some(*address), "removed"),
                (None, None) => {}
            }
        }
    }

    fn backend(&mut self, address: BackendAddress, old: Backend, new: Backend) {
        if old.weight != new.weight {
            self.add(Some(address), format!("weight {} -> {}", old.weight, new.weight));
        }
        if old.admin != new.admin {
            let (old, new) = (admin_word(old.admin), admin_word(new.admin));
            self.add(Some(address), format!("{old} -> {new}"));
        }
    }
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
        return "none".to_owned();
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
