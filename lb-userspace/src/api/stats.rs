//! What has been counted: figures that only grow, so that whoever takes two samples has a rate.

use std::time::Duration;

use lb_common::{
    counters::{BackendCounters, VerdictCounters},
    verdict::{Action, Verdict},
};
use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::model::{BackendAddress, ServiceAddress, ServiceName};

/// The body of `GET /v1/stats`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// When the counters were read: nanoseconds on the machine's monotonic clock ([`clock_ns`]).
    pub taken_ns: u64,
    /// Every service, by name.
    pub services: Vec<ServiceStats>,
    /// Every way a packet can end.
    pub verdicts: Vec<VerdictStats>,
}

/// A service's traffic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceStats {
    /// Its name.
    pub name: ServiceName,
    /// What clients dial.
    pub address: ServiceAddress,
    /// The sum of its backends, those included that have left.
    #[serde(flatten)]
    pub traffic: Traffic,
    /// Each backend, by address.
    pub backends: Vec<BackendStats>,
}

/// A backend's traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendStats {
    /// Its address.
    pub address: BackendAddress,
    /// What it was sent.
    #[serde(flatten)]
    pub traffic: Traffic,
}

/// What was sent to a backend, or to all of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// Packets.
    pub packets: u64,
    /// Bytes of those packets from their IP header on, as the client sent them.
    pub bytes: u64,
    /// Flows.
    pub new_flows: u64,
    /// Packets of flows that found no place in the flow table and follow the hash alone; but SYNs.
    pub untracked: u64,
    /// Live flows that gave way to new ones where the flow table was full.
    #[serde(default)]
    pub evicted: u64,
}

/// The packets that ended in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictStats {
    /// Name of the verdict.
    pub verdict: String,
    /// What was done with them: `pass`, `drop`, `transmit` or `redirect`.
    pub action: String,
    /// One sentence on why.
    pub reason: String,
    /// Packets.
    pub packets: u64,
    /// Bytes of their frames as they came in.
    pub bytes: u64,
}

impl VerdictStats {
    /// A verdict and its counters, summed over the CPUs.
    pub fn new(verdict: Verdict, counters: VerdictCounters) -> Self {
        let action = match verdict.action() {
            Action::Pass => "pass",
            Action::Drop => "drop",
            Action::Transmit => "transmit",
            Action::Redirect => "redirect",
        };
        Self {
            verdict: verdict.name().to_owned(),
            action: action.to_owned(),
            reason: verdict.reason().to_owned(),
            packets: counters.packets,
            bytes: counters.bytes,
        }
    }
}

impl From<BackendCounters> for Traffic {
    fn from(counters: BackendCounters) -> Self {
        let BackendCounters { packets, bytes, new_flows, untracked, evicted } = counters;
        Self { packets, bytes, new_flows, untracked, evicted }
    }
}

impl std::iter::Sum for Traffic {
    fn sum<I: Iterator<Item = Self>>(each: I) -> Self {
        each.fold(Self::default(), |sum, one| Self {
            packets: sum.packets + one.packets,
            bytes: sum.bytes + one.bytes,
            new_flows: sum.new_flows + one.new_flows,
            untracked: sum.untracked + one.untracked,
            evicted: sum.evicted + one.evicted,
        })
    }
}

/// Now on the machine's monotonic clock, in nanoseconds: it never steps, and outlives the daemon.
pub fn clock_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map(Duration::from)
        .map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}
