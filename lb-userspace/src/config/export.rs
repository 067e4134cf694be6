//! From services back to the file that says them.

use super::service::default_timeout;
use crate::{
    model::{
        Affinity, Backend, BackendAddress, Check, Forward, Policy, Probe, Scheduler, Service,
        ServiceName, TableSize, Timing, Weight,
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
    if service.policy.scheduler != Scheduler::default() {
        lines.push(format!("scheduler = {}", quoted(&named(&service.policy.scheduler))));
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
    lines.extend(policy(&service.policy));
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
    if backend.backup {
        lines.push("backup = true".to_owned());
    }
    lines.extend(backend.max_flows.map(|most| format!("max_flows = {most}")));
    lines
}

/// All but the scheduler, which stands with the other essentials.
fn policy(policy: &Policy) -> Vec<String> {
    let usual = Policy::default();
    let mut lines = Vec::new();
    let word = |field, word: String| format!("{field} = {}", quoted(&word));
    lines.extend(policy.hash.map(|hash| word("hash", named(&hash))));
    lines.extend(policy.affinity.map(|one| format!("affinity = {{ {} }}", affinity(one))));
    let idle = policy.idle.named().into_iter();
    let idle: Vec<String> =
        idle.filter_map(|(name, time)| Some(word(name, time?.to_string()))).collect();
    if !idle.is_empty() {
        lines.push(format!("idle = {{ {} }}", idle.join(", ")));
    }
    if policy.on_failure != usual.on_failure {
        lines.push(word("on_failure", named(&policy.on_failure)));
    }
    lines.extend(policy.on_drain.map(|on_drain| word("on_drain", named(&on_drain))));
    if policy.min_healthy != usual.min_healthy {
        lines.push(format!("min_healthy = {}", policy.min_healthy));
    }
    lines.extend(policy.slow_start.map(|time| word("slow_start", time.to_string())));
    if policy.min_primaries != usual.min_primaries {
        lines.push(format!("min_primaries = {}", policy.min_primaries));
    }
    if policy.panic_threshold != usual.panic_threshold {
        lines.push(format!("panic_threshold = {}", policy.panic_threshold.get()));
    }
    lines
}

fn affinity(affinity: Affinity) -> String {
    let usual = Affinity::default();
    let mut fields = vec!["by = \"address\"".to_owned()];
    if affinity.prefix4 != usual.prefix4 {
        fields.push(format!("prefix4 = {}", affinity.prefix4));
    }
    if affinity.prefix6 != usual.prefix6 {
        fields.push(format!("prefix6 = {}", affinity.prefix6));
    }
    if affinity.timeout != usual.timeout {
        fields.push(format!("timeout = {}", quoted(&affinity.timeout.to_string())));
    }
    fields.join(", ")
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
