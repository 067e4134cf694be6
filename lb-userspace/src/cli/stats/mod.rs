//! `lb stats`.

mod rates;

use std::time::Duration;

use clap::Args;

use super::{
    console::{Console, print},
    failure::Failure,
    table::{Column, table},
    values::{duration, number},
};
use crate::api::{Stats, Traffic, VerdictStats};
use rates::Rates;

const EXAMPLES: &str = "\
Examples:
  lb stats
  lb stats --rate
  lb stats --rate --interval 5s --count 12
  lb stats -o json";

/// Show packets, bytes and flows by service, backend and verdict.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StatsCommand {
    /// Show figures per second, measured between two samples.
    #[arg(long)]
    rate: bool,
    /// Time between two samples.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = pause, requires = "rate")]
    interval: Duration,
    /// How many times to measure.
    #[arg(long, value_name = "N", default_value = "1", requires = "rate")]
    #[arg(value_parser = number(1..=u32::MAX))]
    count: u32,
}

fn pause(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|pause| {
        let allowed = Duration::from_millis(100)..=Duration::from_hours(1);
        if allowed.contains(&pause) { Ok(pause) } else { Err("allowed is 100ms to 1h".to_owned()) }
    })
}

impl StatsCommand {
    pub(crate) async fn run(self, console: &Console) -> Result<(), Failure> {
        let mut earlier = console.daemon.stats().await?;
        if !self.rate {
            return console.show(&earlier, totals);
        }
        for round in 0..self.count {
            if round > 0 && console.for_people() {
                print("")?;
            }
            tokio::time::sleep(self.interval).await;
            let later = console.daemon.stats().await?;
            console.show(&Rates::between(&earlier, &later), rates::text)?;
            earlier = later;
        }
        Ok(())
    }
}

const SERVICE_COLUMNS: [Column; 7] = [
    Column::Left("SERVICE"),
    Column::Left("BACKEND"),
    Column::Right("PACKETS"),
    Column::Right("BYTES"),
    Column::Right("NEW FLOWS"),
    Column::Right("UNTRACKED"),
    Column::Right("EVICTED"),
];

const VERDICT_COLUMNS: [Column; 5] = [
    Column::Left("VERDICT"),
    Column::Left("ACTION"),
    Column::Right("PACKETS"),
    Column::Right("BYTES"),
    Column::Left("REASON"),
];

fn totals(stats: &Stats) -> String {
    let mut rows = Vec::new();
    for service in &stats.services {
        rows.push(traffic(service.name.as_str(), "", service.traffic));
        for backend in &service.backends {
            rows.push(traffic(
                service.name.as_str(),
                &backend.address.to_string(),
                backend.traffic,
            ));
        }
    }
    let verdicts = stats.verdicts.iter().map(verdict);
    format!("{}\n\n{}", table(&SERVICE_COLUMNS, rows), table(&VERDICT_COLUMNS, verdicts))
}

/// A row of exact figures; a service's own row names no backend.
fn traffic(service: &str, backend: &str, traffic: Traffic) -> Vec<String> {
    let backend = if backend.is_empty() { "all" } else { backend };
    let Traffic { packets, bytes, new_flows, untracked, evicted } = traffic;
    let figures = [packets, bytes, new_flows, untracked, evicted].map(|figure| figure.to_string());
    [service.to_owned(), backend.to_owned()].into_iter().chain(figures).collect()
}

fn verdict(stats: &VerdictStats) -> Vec<String> {
    vec![
        stats.verdict.clone(),
        stats.action.clone(),
        stats.packets.to_string(),
        stats.bytes.to_string(),
        stats.reason.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::{rates::sample, *};

    #[test]
    fn totals_are_exact_and_lean_right() {
        let expected = "\
SERVICE  BACKEND         PACKETS      BYTES  NEW FLOWS  UNTRACKED  EVICTED
web      all             1234567  987654321        300          1       17
web      192.0.2.21:443  1000000  900000000        200          1        0
web      192.0.2.22:443   234567   87654321        100          0       17

VERDICT      ACTION    PACKETS      BYTES  REASON
transmitted  transmit  1234567  987654321  Sent to a backend, out of the interface it came in by.
no_backend   drop            0          0  No backend of the service can serve.";
        assert_eq!(totals(&sample(1_000_000, 200)), expected);
    }
}
