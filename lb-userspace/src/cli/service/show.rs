//! `lb service show`.

use clap::Args;
use humantime::format_duration;

use crate::{
    api::ServiceView,
    cli::{backend::backends, console::Console, failure::Failure},
    model::{Affinity, Check, HttpCheck, Idle, Probe, ServiceName},
    state::named,
};

/// Show one service and its backends.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Its name.
    name: ServiceName,
}

impl Show {
    pub(crate) async fn run(self, console: &Console) -> Result<(), Failure> {
        console.show(&console.daemon.service(&self.name).await?, service)
    }
}

fn service(service: &ServiceView) -> String {
    let policy = &service.policy;
    let lines = [
        ("name", service.name.to_string()),
        ("address", service.address.to_string()),
        ("scheduler", named(&policy.scheduler)),
        ("hash", named(&policy.hash())),
        ("table size", service.table_size.slots().to_string()),
        ("forward", named(&service.forward)),
        ("check", or_none(service.check.as_ref().map(check))),
        ("affinity", or_none(policy.affinity.map(affinity))),
        ("idle", idle(policy.idle)),
        ("on failure", named(&policy.on_failure)),
        ("on drain", named(&policy.on_drain(service.address.protocol))),
        ("slow start", or_none(policy.slow_start.map(|time| time.to_string()))),
        ("min primaries", policy.min_primaries.to_string()),
        ("panic threshold", format!("{}%", policy.panic_threshold.get())),
        ("min healthy", policy.min_healthy.to_string()),
        ("healthy", format!("{} of {}", service.healthy, service.total)),
    ];
    let lines = lines.map(|(field, value)| format!("{field:<17}{value}"));
    format!("{}\n\n{}", lines.join("\n"), backends([service]))
}

fn or_none(described: Option<String>) -> String {
    described.unwrap_or_else(|| "none".to_owned())
}

fn affinity(affinity: Affinity) -> String {
    let Affinity { prefix4, prefix6, timeout } = affinity;
    format!("address/{prefix4} or address/{prefix6}, for {timeout} after the last new flow")
}

fn idle(idle: Idle) -> String {
    let stated = idle.named().into_iter();
    let words: Vec<_> =
        stated.filter_map(|(name, time)| Some(format!("{name} {}", time?))).collect();
    words.join(", ")
}

/// A check in one line.
pub(crate) fn check(check: &Check) -> String {
    let Check { probe, port, timing } = check;
    let mut words = match probe {
        Probe::Tcp => vec!["tcp".to_owned()],
        Probe::Http(check) => http(check),
    };
    words.extend(port.map(|port| format!("port {port}")));
    let (interval, timeout) = (format_duration(timing.interval), format_duration(timing.timeout));
    words.push(format!("every {interval} timeout {timeout}"));
    words.push(format!("rise {} fall {}", timing.rise, timing.fall));
    words.join(" ")
}

fn http(check: &HttpCheck) -> Vec<String> {
    let HttpCheck { path, host, expect } = check;
    let mut words = vec![format!("http {path}")];
    words.extend(host.as_ref().map(|host| format!("of {host}")));
    if !expect.is_empty() {
        let expect: Vec<_> = expect.iter().map(u16::to_string).collect();
        words.push(format!("expects {}", expect.join(",")));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::status::tests::web;

    #[test]
    fn a_service_is_shown_with_every_setting_defaults_included() {
        let mut web = web();
        web.policy.affinity = Some(Affinity { prefix4: 24, ..Affinity::default() });
        web.policy = web.policy.stated(web.address.protocol);
        let shown = service(&web);
        let (settings, backends) = shown.split_once("\n\n").unwrap();
        let expected = "\
name             web
address          tcp:203.0.113.10:443
scheduler        maglev
hash             5tuple
table size       1024
forward          ipip
check            tcp every 2s timeout 1s rise 2 fall 3
affinity         address/24 or address/128, for 10m after the last new flow
idle             syn 1m, established 2h, closing 2m
on failure       move
on drain         keep
slow start       none
min primaries    1
panic threshold  0%
min healthy      0
healthy          2 of 3";
        assert_eq!(settings, expected);
        assert!(backends.starts_with("SERVICE "));
    }
}
