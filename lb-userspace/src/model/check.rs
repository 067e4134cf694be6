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
