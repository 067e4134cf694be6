//! How things stand.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::{
    Admin, BackendAddress, Check, Forward, MaxFlows, Policy, ServiceAddress, ServiceName,
    TableSize, Weight,
};

/// The body of `GET /v1/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the daemon.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// When it started, in seconds since 1970-01-01 00:00 UTC.
    pub started: u64,
    /// How long it has been running, in seconds.
    pub uptime: u64,
    /// The config file it was started with.
    pub config: PathBuf,
    /// Where packets come in.
    pub interfaces: Vec<InterfaceStatus>,
    /// Every service, by name.
    pub services: Vec<ServiceView>,
    /// What is wrong, one sentence each; empty when nothing is.
    pub problems: Vec<String>,
}

/// An interface that the data path is attached to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceStatus {
    /// Its name.
    pub name: String,
    /// How it runs the data path; none while it does not.
    pub mode: Option<Mode>,
    /// What an operator should know of it, such as why it is generic.
    pub warning: Option<String>,
}

/// How an interface runs the data path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// In the driver, before the kernel has built a packet of its own.
    Native,
    /// In the kernel's stack: any driver can, at a fraction of the speed.
    Generic,
}

/// A service: an item of `GET /v1/services`, the body of `GET /v1/services/{name}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceView {
    /// Its name.
    pub name: ServiceName,
    /// What clients dial.
    pub address: ServiceAddress,
    /// How packets reach the backends.
    pub forward: Forward,
    /// Slots of the Maglev table.
    pub table_size: TableSize,
    /// How health is judged.
    pub check: Option<Check>,
    /// How flows are spread over the backends, and what moves them; every default is stated.
    #[serde(flatten)]
    pub policy: Policy,
    /// Backends that new flows may be given to.
    pub healthy: usize,
    /// All backends.
    pub total: usize,
    /// Each of them, by address.
    pub backends: Vec<BackendView>,
}

/// A backend of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendView {
    /// Its address.
    pub address: BackendAddress,
    /// Its share of new flows, relative to the others.
    pub weight: Weight,
    /// Whether it serves only while too few others can.
    #[serde(default)]
    pub backup: bool,
    /// The most flows that it shall have at a time.
    #[serde(default)]
    pub max_flows: Option<MaxFlows>,
    /// The operator's word.
    pub admin: Admin,
    /// What its check says.
    pub health: HealthView,
    /// What comes of both.
    pub state: StateView,
    /// Why it is in this state, such as `http 503 (3/3) for 12s`.
    pub reason: Option<String>,
    /// Slots of the service's Maglev table that are its own.
    pub slots: u32,
    /// Flows that the flow table holds for it; none where nobody has counted them.
    pub flows: Option<u64>,
}

/// What a health check says of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthView {
    /// It answers.
    Up,
    /// It does not.
    Down,
    /// No probe has decided yet.
    Unknown,
    /// The service has no check.
    Unchecked,
}

/// What becomes of packets for a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateView {
    /// It gets new flows.
    Up,
    /// It came up a while ago and gets a part of its share.
    Warming,
    /// A backup that is not needed: it could get new flows.
    Standby,
    /// Its check fails; it gets nothing.
    Down,
    /// It keeps its flows and gets no new ones.
    Draining,
    /// An operator took it out; it gets nothing.
    Disabled,
    /// Its first probes are under way.
    Checking,
    /// The way to it is not known.
    NoRoute,
}

impl StateView {
    /// True of a backend that new flows are given to.
    pub fn serves(self) -> bool {
        matches!(self, Self::Up | Self::Warming)
    }
}

impl fmt::Display for StateView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Up => "up",
            Self::Warming => "warming",
            Self::Standby => "standby",
            Self::Down => "down",
            Self::Draining => "draining",
            Self::Disabled => "disabled",
            Self::Checking => "checking",
            Self::NoRoute => "no route",
        })
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Native => "native",
            Self::Generic => "generic",
        })
    }
}
