//! How a backend's health is judged.

use std::{num::NonZeroU16, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Invalid, ServiceAddress};

/// A health check of a service's backends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Unproven")]
pub struct Check {
    /// What is asked of a backend.
    pub probe: Probe,
    /// The port to ask; the backend's own where none is given.
    pub port: Option<NonZeroU16>,
    /// When, and how often before it counts.
    pub timing: Timing,
}

/// Shortest interval of a check: checks shall not be the load.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);
/// Longest interval of a check: what is asked less often tells nobody anything.
const LONGEST_INTERVAL: Duration = Duration::from_hours(24);

impl Check {
    /// A check that can be done.
    pub fn new(probe: Probe, port: Option<NonZeroU16>, timing: Timing) -> Result<Self, Invalid> {
        if let Probe::Http(http) = &probe {
            http.prove()?;
        }
        timing.prove()?;
        Ok(Self { probe, port, timing })
    }

    /// Proves that the check can be done on the backends of a service with this address.
    pub fn suits(&self, address: &ServiceAddress) -> Result<(), Invalid> {
        if self.port.or(address.port).is_none() {
            let why = "is missing: a service for every port must say which one its check asks";
            return Err(Invalid::new("port", why));
        }
        Ok(())
    }
}

/// A check as it comes in from outside.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unproven {
    probe: Probe,
    port: Option<NonZeroU16>,
    timing: Timing,
}

impl TryFrom<Unproven> for Check {
    type Error = Invalid;

    fn try_from(check: Unproven) -> Result<Self, Self::Error> {
        Self::new(check.probe, check.port, check.timing)
    }
}

/// One question to a backend.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Probe {
    /// A TCP connection is accepted.
    Tcp,
    /// An HTTP request is answered as expected.
    Http(HttpCheck),
}

/// An HTTP/1.1 `GET` and the answer that is good.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HttpCheck {
    /// Path and query; starts with `/`.
    pub path: String,
    /// The `Host` header; the backend's address where none is given.
    pub host: Option<String>,
    /// Good statuses; any of 200 to 399 where none is given.
    pub expect: Vec<u16>,
}

impl HttpCheck {
    fn prove(&self) -> Result<(), Invalid> {
        // Both go into the request as they are: a space or a line's end would make it another one.
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if !self.path.starts_with('/') || !is_plain(&self.path) {
            let allowed = "a path: printable ASCII without spaces that starts with '/'";
            return Err(Invalid::new("path", format!("{:?} is not {allowed}", self.path)));
        }
        if let Some(host) = self.host.as_ref().filter(|host| host.is_empty() || !is_plain(host)) {
            let why = format!("{host:?} is not printable ASCII without spaces");
            return Err(Invalid::new("host", why));
        }
        match self.expect.iter().find(|status| !(100..=599).contains(*status)) {
            Some(status) => {
                let why = format!("{status} is not an HTTP status: 100 to 599");
                Err(Invalid::new("expect", why))
            }
            None => Ok(()),
        }
    }
}

/// The rhythm of a check. `timeout` is positive and at most `interval`; `rise` and `fall` are at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timing {
    /// From one probe to the next; each is moved by up to a tenth, so that checks spread.
    pub interval: Duration,
    /// A probe that takes longer has failed.
    pub timeout: Duration,
    /// Consecutive good probes that bring a backend back.
    pub rise: u16,
    /// Consecutive bad probes that take it out.
    pub fall: u16,
}

impl Timing {
    fn prove(&self) -> Result<(), Invalid> {
        let Self { interval, timeout, rise, fall } = *self;
        let show = humantime::format_duration;
        if !(SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(&interval) {
            let (least, most) = (show(SHORTEST_INTERVAL), show(LONGEST_INTERVAL));
            let why = format!("{} is not allowed: {least} to {most}", show(interval));
            Err(Invalid::new("interval", why))
        } else if timeout.is_zero() || timeout > interval {
            let (timeout, interval) = (show(timeout), show(interval));
            let why =
                format!("{timeout} is not allowed: above 0s, at most the interval {interval}");
            Err(Invalid::new("timeout", why))
        } else if rise == 0 {
            Err(Invalid::new("rise", "0 is not allowed: 1 to 65535"))
        } else if fall == 0 {
            Err(Invalid::new("fall", "0 is not allowed: 1 to 65535"))
        } else {
            Ok(())
        }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self { interval: Duration::from_secs(2), timeout: Duration::from_secs(1), rise: 2, fall: 3 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(path: &str, host: Option<&str>, expect: &[u16]) -> Probe {
        Probe::Http(HttpCheck {
            path: path.to_owned(),
            host: host.map(str::to_owned),
            expect: expect.to_vec(),
        })
    }

    fn refusal(probe: Probe, timing: Timing) -> String {
        Check::new(probe, None, timing).unwrap_err().to_string()
    }

    #[test]
    fn a_check_that_cannot_be_done_is_refused_with_field_value_and_what_is_allowed() {
        let good = Timing::default();
        let second = Duration::from_secs(1);
        assert_eq!(
            refusal(Probe::Tcp, Timing { timeout: 3 * second, ..good }),
            "timeout 3s is not allowed: above 0s, at most the interval 2s"
        );
        assert!(
            refusal(Probe::Tcp, Timing { interval: Duration::MAX, ..good })
                .ends_with(" is not allowed: 10ms to 1day")
        );
        assert_eq!(
            refusal(Probe::Tcp, Timing { timeout: Duration::ZERO, ..good }),
            "timeout 0s is not allowed: above 0s, at most the interval 2s"
        );
        assert_eq!(
            refusal(Probe::Tcp, Timing { rise: 0, ..good }),
            "rise 0 is not allowed: 1 to 65535"
        );
        assert_eq!(
            refusal(Probe::Tcp, Timing { fall: 0, ..good }),
            "fall 0 is not allowed: 1 to 65535"
        );
        assert!(refusal(http("healthz", None, &[]), good).starts_with("path \"healthz\""));
        assert_eq!(
            refusal(http("/", None, &[200, 600]), good),
            "expect 600 is not an HTTP status: 100 to 599"
        );
    }

    #[test]
    fn nothing_can_be_smuggled_into_a_probe_s_request() {
        for (path, host) in [("/\r\nX: y", None), ("/a b", None), ("/", Some("a\r\nX: y"))] {
            assert!(
                Check::new(http(path, host, &[]), None, Timing::default()).is_err(),
                "{path:?}"
            );
        }
    }

    #[test]
    fn a_service_that_takes_every_port_needs_a_port_to_check() {
        let every: ServiceAddress = "tcp:203.0.113.10:*".parse().unwrap();
        let one: ServiceAddress = "tcp:203.0.113.10:80".parse().unwrap();
        let portless = Check::new(Probe::Tcp, None, Timing::default()).unwrap();
        let ported = Check::new(Probe::Tcp, NonZeroU16::new(80), Timing::default()).unwrap();
        assert_eq!(portless.suits(&one), Ok(()));
        assert_eq!(ported.suits(&every), Ok(()));
        assert_eq!(portless.suits(&every).unwrap_err().field, "port");
    }

    #[test]
    fn a_check_in_json_is_proven_like_any_other() {
        let mut check = Check::new(Probe::Tcp, None, Timing::default()).unwrap();
        check.timing.rise = 0;
        let error = serde_json::from_str::<Check>(&serde_json::to_string(&check).unwrap());
        assert_eq!(error.unwrap_err().to_string(), "rise 0 is not allowed: 1 to 65535");
    }
}
