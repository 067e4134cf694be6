//! `lb service show`.

use clap::Args;
use humantime::format_duration;

use super::word;
use crate::{
    api::ServiceView,
    cli::{backend::backends, console::Console, failure::Failure},
    model::{Check, HttpCheck, Probe, ServiceName},
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
    let lines = [
        ("name", service.name.to_string()),
        ("address", service.address.to_string()),
        ("scheduler", word(&service.policy.scheduler)),
        ("forward", word(&service.forward)),
        ("table size", service.table_size.slots().to_string()),
        ("check", service.check.as_ref().map_or_else(|| "none".to_owned(), check)),
        ("healthy", format!("{} of {}", service.healthy, service.total)),
    ];
    let lines = lines.map(|(field, value)| format!("{field:<12}{value}"));
    format!("{}\n\n{}", lines.join("\n"), backends([service]))
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
