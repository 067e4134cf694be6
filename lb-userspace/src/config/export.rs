//! From services back to the file that says them.

use super::service::default_timeout;
use crate::{
    model::{
        Backend, BackendAddress, Check, Forward, Probe, Scheduler, Service, ServiceName, TableSize,
        Timing, Weight,
    },
    state::{Desired, named},
};

/// The `[[service]]` tables that [`super::Config::parse`] reads back as these services. What is a
/// default is left out, and so is what files do not speak of: whether a backend is drained.
pub fn export(desired: &Desired) -> String {
    desired
        .services
        .iter()
        .map(|(name, service)| table(name, service))
        .collect::<Vec<_>>()
        .join("\n")
}

fn table(name: &ServiceName, service: &Service) -> String {
    let mut lines = vec![
        "[[service]]".to_owned(),
        format!("name = {}", quoted(name.as_str())),
        format!("address = {}", quoted(&service.address.to_string())),
    ];
    if service.scheduler != Scheduler::default() {
        lines.push(format!("scheduler = {}", quoted(&named(&service.scheduler))));
    }
    if service.forward != Forward::default() {
        lines.push(format!("forward = {}", quoted(&named(&service.forward))));
    }
    if service.table_size != TableSize::default() {
        lines.push(format!("table_size = {}", service.table_size.slots()));
    }
    if let Some(check) = &service.check {
        lines.push(format!("check = {{ {} }}", fields(check).join(", ")));
    }
    for (address, backend) in &service.backends {
        lines.extend(backend_table(service, *address, *backend));
    }
    lines.join("\n") + "\n"
}

fn backend_table(service: &Service, address: BackendAddress, backend: Backend) -> Vec<String> {
    // The port that the service fills in by itself is not worth a word.
    let bare = BackendAddress { port: None, ..address };
    let shown = if service.complete(bare) == Ok(address) { bare } else { address };
    let mut lines = vec![
        String::new(),
        "[[service.backend]]".to_owned(),
        format!("address = {}", quoted(&shown.to_string())),
    ];
    if backend.weight != Weight::default() {
        lines.push(format!("weight = {}", backend.weight));
    }
    lines
}

fn fields(check: &Check) -> Vec<String> {
    let mut fields = Vec::new();
    match &check.probe {
        Probe::Tcp => fields.push("type = \"tcp\"".to_owned()),
        Probe::Http(http) => {
            fields.push("type = \"http\"".to_owned());
            if http.path != "/" {
                fields.push(format!("path = {}", quoted(&http.path)));
            }
            fields.extend(http.host.as_ref().map(|host| format!("host = {}", quoted(host))));
            if !http.expect.is_empty() {
                fields.push(format!("expect = {:?}", http.expect));
            }
        }
    }
    fields.extend(check.port.map(|port| format!("port = {port}")));
    fields.extend(timing(check.timing));
    fields
}

fn timing(Timing { interval, timeout, rise, fall }: Timing) -> Vec<String> {
    let default = Timing::default();
    let show = |name, duration| format!("{name} = \"{}\"", humantime::format_duration(duration));
    let mut fields = Vec::new();
    if interval != default.interval {
        fields.push(show("interval", interval));
    }
    if timeout != default_timeout(interval) {
        fields.push(show("timeout", timeout));
    }
    if rise != default.rise {
        fields.push(format!("rise = {rise}"));
    }
    if fall != default.fall {
        fields.push(format!("fall = {fall}"));
    }
    fields
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
