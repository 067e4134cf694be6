//! Services and their backends as an operator wants them.

use std::{collections::BTreeMap, fmt, str::FromStr};

use lb_common::maglev::{DEFAULT_SIZE_LOG2, MAX_SIZE_LOG2, MIN_SIZE_LOG2};
use serde::{Deserialize, Serialize};

use super::{BackendAddress, Check, MaxFlows, Policy, ServiceAddress};

/// What people call a service: 1 to 63 letters, digits, `-`, `_` or `.`, the first a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceName(String);

impl ServiceName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ServiceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if starts && text.len() <= 63 && text.chars().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "{text:?} is not a service name: 1 to 63 letters, digits, '-', '_' or '.', \
                 starting with a letter or digit"
            ))
        }
    }
}

impl TryFrom<String> for ServiceName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ServiceName> for String {
    fn from(name: ServiceName) -> Self {
        name.0
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// How many flows a backend gets, relative to the others of its service: 0 (no new flows) to 65,535.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Weight(pub u16);

impl Default for Weight {
    fn default() -> Self {
        Self(1)
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How many slots a service's Maglev table has: a power of two from 32 to 1,048,576.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct TableSize {
    log2: u8,
}

impl TableSize {
    /// The logarithm of the slots.
    pub const fn log2(self) -> u8 {
        self.log2
    }

    /// The slots.
    pub const fn slots(self) -> usize {
        1 << self.log2
    }
}

impl Default for TableSize {
    fn default() -> Self {
        Self { log2: DEFAULT_SIZE_LOG2 }
    }
}

impl TryFrom<u32> for TableSize {
    type Error = String;

    fn try_from(slots: u32) -> Result<Self, Self::Error> {
        let log2 = slots.checked_ilog2().unwrap_or(0) as u8;
        if slots.is_power_of_two() && (MIN_SIZE_LOG2..=MAX_SIZE_LOG2).contains(&log2) {
            Ok(Self { log2 })
        } else {
            let (least, most) = (1u32 << MIN_SIZE_LOG2, 1u32 << MAX_SIZE_LOG2);
            Err(format!("{slots} is not a table size: a power of two from {least} to {most}"))
        }
    }
}

impl From<TableSize> for u32 {
    fn from(size: TableSize) -> Self {
        1 << size.log2
    }
}

/// How packets reach a backend.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Forward {
    /// IP in IP; the backend answers the client directly.
    #[default]
    Ipip,
}

/// What an operator decided about a backend by command; config files do not state it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Admin {
    /// Serves when it is healthy.
    #[default]
    Enabled,
    /// Gets no new flows and keeps the ones it has.
    Draining,
    /// Gets no packets; its flows move.
    Disabled,
}

/// A server of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Backend {
    /// Its share of new flows.
    pub weight: Weight,
    /// The operator's word.
    #[serde(default)]
    pub admin: Admin,
    /// Whether it serves only while too few others can ([`Policy::min_primaries`]).
    #[serde(default)]
    pub backup: bool,
    /// The most flows that it shall have at a time; any number where none is given.
    #[serde(default)]
    pub max_flows: Option<MaxFlows>,
}

/// A VIP, protocol and port, and who serves them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// What clients dial.
    pub address: ServiceAddress,
    /// How packets reach the backends.
    #[serde(default)]
    pub forward: Forward,
    /// Slots of the Maglev table.
    #[serde(default)]
    pub table_size: TableSize,
    /// How health is judged; without it every enabled backend serves.
    #[serde(default)]
    pub check: Option<Check>,
    /// How flows are spread over the backends, and what moves them.
    #[serde(flatten)]
    pub policy: Policy,
    /// The servers. Their ports are filled in: the service's where the method cannot translate.
    #[serde(default)]
    pub backends: BTreeMap<BackendAddress, Backend>,
}

impl Service {
    /// A service at an address: all settings are the default ones, and there is no backend.
    pub fn new(address: ServiceAddress) -> Self {
        Self {
            address,
            forward: Forward::default(),
            table_size: TableSize::default(),
            check: None,
            policy: Policy::default(),
            backends: BTreeMap::new(),
        }
    }

    /// A backend's address as this service holds it: with its port filled in. Refuses a port that
    /// the forwarding method cannot translate to, and the service's own VIP.
    pub fn complete(&self, backend: BackendAddress) -> Result<BackendAddress, String> {
        let Forward::Ipip = self.forward;
        if backend.ip == self.address.vip {
            return Err(format!("{} is the service's own VIP", backend.ip));
        }
        match (backend.port, self.address.port) {
            (Some(port), Some(expected)) if port != expected => Err(format!(
                "port {port} is not the service's port {expected}, and ipip cannot translate ports"
            )),
            (Some(port), None) => Err(format!(
                "port {port} is not allowed: the service takes every port, and ipip keeps it"
            )),
            (_, port) => Ok(BackendAddress { ip: backend.ip, port }),
        }
    }
}

/// Names a backend: one server in two services is two backends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BackendKey {
    /// The service.
    pub service: ServiceName,
    /// The server.
    pub address: BackendAddress,
}

impl fmt::Display for BackendKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.service, self.address)
    }
}
