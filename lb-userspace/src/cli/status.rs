//! `lb status`.

use std::time::Duration;

use clap::Args;
use humantime::format_duration;

use super::{
    backend::backends,
    console::Console,
    failure::Failure,
    service::services,
    table::{Column, table},
};
use crate::api;

/// Show the daemon, its interfaces, services, backends and problems.
#[derive(Debug, Args)]
pub(crate) struct Status {}

impl Status {
    pub(crate) async fn run(self, console: &Console) -> Result<(), Failure> {
        console.show(&console.daemon.status().await?, text)
    }
}

fn text(status: &api::Status) -> String {
    let uptime = format_duration(Duration::from_secs(status.uptime));
    let mut parts = vec![
        format!(
            "lb {}, pid {}, up {uptime}, config {}",
            status.version,
            status.pid,
            status.config.display()
        ),
        interfaces(&status.interfaces),
        services(&status.services),
        backends(&status.services),
    ];
    if !status.problems.is_empty() {
        let problems: Vec<_> = status.problems.iter().map(|one| format!("  {one}")).collect();
        parts.push(format!("Problems:\n{}", problems.join("\n")));
    }
    parts.join("\n\n")
}

fn interfaces(interfaces: &[api::InterfaceStatus]) -> String {
    let columns = [Column::Left("INTERFACE"), Column::Left("MODE"), Column::Left("WARNING")];
    let rows = interfaces.iter().map(|interface| {
        vec![
            interface.name.clone(),
            interface.mode.map_or_else(|| "-".to_owned(), |mode| mode.to_string()),
            interface.warning.clone().unwrap_or_default(),
        ]
    });
    table(&columns, rows)
}

#[cfg(test)]
pub(crate) mod tests {
    use api::{BackendView, HealthView, InterfaceStatus, Mode, ServiceView, StateView};

    use super::*;
    use crate::model::{Admin, Check, Forward, Policy, Probe, TableSize, Timing, Weight};

    fn backend(address: &str, weight: u16, state: StateView, slots: u32) -> BackendView {
        let (health, reason) = match state {
            StateView::Down => (HealthView::Down, Some("tcp refused (3/3) for 12s".to_owned())),
            _ => (HealthView::Up, None),
        };
        BackendView {
            address: address.parse().unwrap(),
            weight: Weight(weight),
            backup: false,
            max_flows: None,
            admin: Admin::Enabled,
            health,
            state,
            reason,
            slots,
            flows: (slots > 0).then_some(1234),
        }
    }

    /// A service with a backend that is up, one that drains, and one that is down.
    pub(crate) fn web() -> ServiceView {
        ServiceView {
            name: "web".parse().unwrap(),
            address: "tcp:203.0.113.10:443".parse().unwrap(),
            forward: Forward::Ipip,
            table_size: TableSize::try_from(1024).unwrap(),
            check: Some(Check::new(Probe::Tcp, None, Timing::default()).unwrap()),
            policy: Policy::default(),
            healthy: 2,
            total: 3,
            backends: vec![
                backend("192.0.2.21:443", 10, StateView::Up, 768),
                backend("192.0.2.22:443", 3, StateView::Draining, 256),
                backend("[2001:db8::23]:443", 1, StateView::Down, 0),
            ],
        }
    }

    #[test]
    fn status_shows_the_whole_balancer_on_one_screen() {
        let status = api::Status {
            version: "0.1.0".to_owned(),
            pid: 812,
            started: 1_700_000_000,
            uptime: 3 * 3600 + 60,
            config: "/etc/lb/lb.toml".into(),
            interfaces: vec![
                InterfaceStatus { name: "eth0".into(), mode: Some(Mode::Native), warning: None },
                InterfaceStatus {
                    name: "eth1".into(),
                    mode: Some(Mode::Generic),
                    warning: Some("its driver has no native XDP".into()),
                },
            ],
            services: vec![web()],
            problems: vec!["web: 192.0.2.22 has no next hop".into()],
        };
        let expected = "\
lb 0.1.0, pid 812, up 3h 1m, config /etc/lb/lb.toml

INTERFACE  MODE     WARNING
eth0       native
eth1       generic  its driver has no native XDP

NAME  ADDRESS               SCHEDULER  FORWARD  HEALTHY  CHECK
web   tcp:203.0.113.10:443  maglev     ipip         2/3  tcp every 2s timeout 1s rise 2 fall 3

SERVICE  BACKEND             WEIGHT  STATE     SHARE  FLOWS  REASON
web      192.0.2.21:443          10  up        75.0%   1234
web      192.0.2.22:443           3  draining  25.0%   1234
web      [2001:db8::23]:443       1  down       0.0%      -  tcp refused (3/3) for 12s

Problems:
  web: 192.0.2.22 has no next hop";
        assert_eq!(text(&status), expected);
    }
}
