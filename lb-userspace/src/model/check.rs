//! How a backend's health is judged.

use std::{num::NonZeroU16, time::Duration};

use serde::{Deserialize, Serialize};

/// A health check of a service's backends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Check {
    /// What is asked of a backend.
    pub probe: Probe,
    /// The port to ask; the backend's own where none is given.
    pub port: Option<NonZeroU16>,
    /// When, and how often before it counts.
    pub timing: Timing,
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

impl Default for Timing {
    fn default() -> Self {
        Self { interval: Duration::from_secs(2), timeout: Duration::from_secs(1), rise: 2, fall: 3 }
    }
}

/// Shortest interval of a check: checks shall not be the load.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);
/// Longest interval of a check: a day.
const LONGEST_INTERVAL: Duration = Duration::from_hours(24);

impl Check {
    /// The first field that cannot be as it is for a service with this port, and why.
    pub fn fault(&self, service_port: Option<NonZeroU16>) -> Option<(&'static str, String)> {
        if self.port.is_none() && service_port.is_none() {
            let why = "is missing: a service for every port must say which one its check asks";
            return Some(("port", why.to_owned()));
        }
        let http = match &self.probe {
            Probe::Tcp => None,
            Probe::Http(http) => http.fault(),
        };
        http.or_else(|| self.timing.fault())
    }
}

impl HttpCheck {
    fn fault(&self) -> Option<(&'static str, String)> {
        // Both go into the request as they are: a space or a line's end would make it another one.
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if !self.path.starts_with('/') || !is_plain(&self.path) {
            let allowed = "a path: printable ASCII without spaces that starts with '/'";
            return Some(("path", format!("{:?} is not {allowed}", self.path)));
        }
        if let Some(host) = self.host.as_ref().filter(|host| host.is_empty() || !is_plain(host)) {
            return Some(("host", format!("{host:?} is not printable ASCII without spaces")));
        }
        let status = self.expect.iter().find(|status| !(100..=599).contains(*status))?;
        Some(("expect", format!("{status} is not an HTTP status: 100 to 599")))
    }
}

impl Timing {
    fn fault(&self) -> Option<(&'static str, String)> {
        let Self { interval, timeout, rise, fall } = *self;
        let show = humantime::format_duration;
        if !(SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(&interval) {
            let (least, most) = (show(SHORTEST_INTERVAL), show(LONGEST_INTERVAL));
            let why = format!("{} is not allowed: {least} to {most}", show(interval));
            Some(("interval", why))
        } else if timeout.is_zero() || timeout > interval {
            let (timeout, interval) = (show(timeout), show(interval));
            let why =
                format!("{timeout} is not allowed: above 0s, at most the interval {interval}");
            Some(("timeout", why))
        } else if rise == 0 {
            Some(("rise", "0 is not allowed: 1 to 65535".to_owned()))
        } else if fall == 0 {
            Some(("fall", "0 is not allowed: 1 to 65535".to_owned()))
        } else {
            None
        }
    }
}
