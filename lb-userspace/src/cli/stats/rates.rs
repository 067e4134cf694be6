//! Figures per second, from two samples of figures that only grow.

use serde::Serialize;

use crate::{
    api::{Stats, Traffic, VerdictStats},
    cli::table::{Column, table},
    model::{BackendAddress, ServiceName},
};

/// What happened between two samples, per second.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Rates {
    /// How far the samples are apart, in seconds.
    seconds: f64,
    services: Vec<ServiceRate>,
    verdicts: Vec<VerdictRate>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct ServiceRate {
    name: ServiceName,
    per_second: TrafficRate,
    backends: Vec<BackendRate>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct BackendRate {
    address: BackendAddress,
    per_second: TrafficRate,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct TrafficRate {
    packets: f64,
    bytes: f64,
    new_flows: f64,
    untracked: f64,
    evicted: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct VerdictRate {
    verdict: String,
    per_second: EndRate,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct EndRate {
    packets: f64,
    bytes: f64,
}

/// The time between two samples.
#[derive(Debug, Clone, Copy)]
struct Span {
    seconds: f64,
}

#[expect(clippy::cast_precision_loss, reason = "a rate is read to three digits")]
fn approximate(figure: u64) -> f64 {
    figure as f64
}

impl Span {
    /// A counter that was reset in between (its backend left and came back) counts from zero.
    fn rate(self, earlier: u64, later: u64) -> f64 {
        let grown = later.checked_sub(earlier).unwrap_or(later);
        if self.seconds > 0.0 { approximate(grown) / self.seconds } else { 0.0 }
    }

    fn traffic(self, earlier: Option<Traffic>, later: Traffic) -> TrafficRate {
        // What was not there before has had all its traffic since.
        let earlier = earlier.unwrap_or_default();
        TrafficRate {
            packets: self.rate(earlier.packets, later.packets),
            bytes: self.rate(earlier.bytes, later.bytes),
            new_flows: self.rate(earlier.new_flows, later.new_flows),
            untracked: self.rate(earlier.untracked, later.untracked),
            evicted: self.rate(earlier.evicted, later.evicted),
        }
    }

    fn verdict(self, earlier: Option<&VerdictStats>, later: &VerdictStats) -> VerdictRate {
        let (packets, bytes) = earlier.map_or((0, 0), |one| (one.packets, one.bytes));
        VerdictRate {
            verdict: later.verdict.clone(),
            per_second: EndRate {
                packets: self.rate(packets, later.packets),
                bytes: self.rate(bytes, later.bytes),
            },
        }
    }
}

impl Rates {
    /// The rates of all that the later sample has.
    pub(crate) fn between(earlier: &Stats, later: &Stats) -> Self {
        let span =
            Span { seconds: approximate(later.taken_ns.saturating_sub(earlier.taken_ns)) / 1e9 };
        let services = later.services.iter().map(|service| {
            let before = earlier.services.iter().find(|one| one.name == service.name);
            let backends = service.backends.iter().map(|backend| {
                let before = before.and_then(|service| {
                    service.backends.iter().find(|one| one.address == backend.address)
                });
                let per_second = span.traffic(before.map(|one| one.traffic), backend.traffic);
                BackendRate { address: backend.address, per_second }
            });
            ServiceRate {
                name: service.name.clone(),
                per_second: span.traffic(before.map(|one| one.traffic), service.traffic),
                backends: backends.collect(),
            }
        });
        let verdicts = later.verdicts.iter().map(|verdict| {
            let before = earlier.verdicts.iter().find(|one| one.verdict == verdict.verdict);
            span.verdict(before, verdict)
        });
        Self { seconds: span.seconds, services: services.collect(), verdicts: verdicts.collect() }
    }
}

const SERVICE_COLUMNS: [Column; 7] = [
    Column::Left("SERVICE"),
    Column::Left("BACKEND"),
    Column::Right("PACKETS/S"),
    Column::Right("BYTES/S"),
    Column::Right("NEW FLOWS/S"),
    Column::Right("UNTRACKED/S"),
    Column::Right("EVICTED/S"),
];

const VERDICT_COLUMNS: [Column; 3] =
    [Column::Left("VERDICT"), Column::Right("PACKETS/S"), Column::Right("BYTES/S")];

/// Rates for people.
pub(crate) fn text(rates: &Rates) -> String {
    let mut rows = Vec::new();
    for service in &rates.services {
        let name = service.name.as_str();
        rows.push(row(name, "all".to_owned(), service.per_second));
        let backends = service.backends.iter();
        rows.extend(backends.map(|one| row(name, one.address.to_string(), one.per_second)));
    }
    let verdicts = rates.verdicts.iter().map(|one| {
        vec![one.verdict.clone(), short(one.per_second.packets), short(one.per_second.bytes)]
    });
    format!("{}\n\n{}", table(&SERVICE_COLUMNS, rows), table(&VERDICT_COLUMNS, verdicts))
}

fn row(service: &str, backend: String, rate: TrafficRate) -> Vec<String> {
    let figures = [rate.packets, rate.bytes, rate.new_flows, rate.untracked, rate.evicted];
    [service.to_owned(), backend].into_iter().chain(figures.map(short)).collect()
}

/// Three digits or so, and a decimal prefix: `0`, `12.5`, `999`, `1.23k`, `45.6M`.
fn short(figure: f64) -> String {
    let mut scaled = figure;
    let mut prefixes = ["", "k", "M", "G", "T"].into_iter();
    let mut prefix = prefixes.next().unwrap_or_default();
    // What would be rounded up to four digits takes the next prefix.
    while scaled >= 999.5 {
        let Some(next) = prefixes.next() else { break };
        prefix = next;
        scaled /= 1000.0;
    }
    let decimals = match scaled {
        _ if figure == 0.0 || scaled >= 99.95 => 0,
        _ if prefix.is_empty() || scaled >= 9.995 => 1,
        _ => 2,
    };
    format!("{scaled:.decimals$}{prefix}")
}

#[cfg(test)]
pub(crate) use tests::sample;

#[cfg(test)]
mod tests {
    use lb_common::{counters::VerdictCounters, verdict::Verdict};

    use super::*;
    use crate::api::{BackendStats, ServiceStats};

    /// A service with a backend of these figures and another of fixed ones.
    pub(crate) fn sample(packets: u64, new_flows: u64) -> Stats {
        let backend = |address: &str, [packets, bytes, new_flows, untracked, evicted]: [u64; 5]| {
            let traffic = Traffic { packets, bytes, new_flows, untracked, evicted };
            BackendStats { address: address.parse().unwrap(), traffic }
        };
        let backends = vec![
            backend("192.0.2.21:443", [packets, 900 * packets, new_flows, 1, 0]),
            backend("192.0.2.22:443", [234_567, 87_654_321, 100, 0, 17]),
        ];
        let traffic: Traffic = backends.iter().map(|one| one.traffic).sum();
        let counters = VerdictCounters { packets: traffic.packets, bytes: traffic.bytes };
        Stats {
            taken_ns: 0,
            services: vec![ServiceStats {
                name: "web".parse().unwrap(),
                address: "tcp:203.0.113.10:443".parse().unwrap(),
                traffic,
                backends,
            }],
            verdicts: vec![
                VerdictStats::new(Verdict::Transmitted, counters),
                VerdictStats::new(Verdict::NoBackend, VerdictCounters::default()),
            ],
        }
    }

    #[test]
    fn rates_are_what_grew_over_the_time_that_passed() {
        let later = Stats { taken_ns: 2_000_000_000, ..sample(1_005_000, 200) };
        let expected = "\
SERVICE  BACKEND         PACKETS/S  BYTES/S  NEW FLOWS/S  UNTRACKED/S  EVICTED/S
web      all                 2.50k    2.25M            0            0          0
web      192.0.2.21:443      2.50k    2.25M            0            0          0
web      192.0.2.22:443          0        0            0            0          0

VERDICT      PACKETS/S  BYTES/S
transmitted      2.50k    2.25M
no_backend           0        0";
        assert_eq!(text(&Rates::between(&sample(1_000_000, 200), &later)), expected);
    }

    #[test]
    fn a_counter_that_was_reset_gives_no_absurd_rate() {
        let span = Span { seconds: 2.0 };
        assert_eq!(format!("{}", span.rate(1_000_000, 10)), "5");
        assert_eq!(format!("{}", Span { seconds: 0.0 }.rate(0, 10)), "0");
    }

    #[test]
    fn a_backend_that_is_new_has_a_rate_from_its_first_sample_on() {
        let mut earlier = sample(1_000_000, 200);
        earlier.services.clear();
        let later = Stats { taken_ns: 1_000_000_000, ..sample(1000, 3) };
        let rates = Rates::between(&earlier, &later);
        let rate = rates.services[0].backends[0].per_second;
        assert_eq!(short(rate.packets), "1.00k");
    }

    #[test]
    fn large_figures_are_short() {
        let written = [
            (0.0, "0"),
            (0.5, "0.5"),
            (12.5, "12.5"),
            (999.4, "999"),
            (999.6, "1.00k"),
            (1234.0, "1.23k"),
            (45_600_000.0, "45.6M"),
            (123_456_789_000.0, "123G"),
            (5e16, "50000T"),
        ];
        for (figure, expected) in written {
            assert_eq!(short(figure), expected);
        }
    }
}
