//! What the daemon sees of the world.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};

use super::Desired;
use crate::{maglev::Ramp, model::BackendKey};

/// What health checks and netlink have reported.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observed {
    /// The health of each checked backend; absent until the first probe has answered.
    pub health: BTreeMap<BackendKey, Health>,
    /// The way to each backend's address; absent while it is not resolved.
    pub next_hops: BTreeMap<IpAddr, NextHop>,
    /// How much of its share each backend takes that is warming up; all of it where nothing is said.
    pub ramps: BTreeMap<BackendKey, Ramp>,
}

impl Observed {
    /// True of a backend that is healthy, as far as its service has it checked, and can be reached.
    pub fn can_serve(&self, desired: &Desired, key: &BackendKey) -> bool {
        let service = desired.services.get(&key.service);
        let is_checked = service.is_some_and(|service| service.check.is_some());
        let is_healthy = !is_checked || self.health.get(key) == Some(&Health::Up);
        is_healthy && self.next_hops.contains_key(&key.address.ip)
    }
}

/// Whether a backend serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// It answers its check.
    Up,
    /// It does not.
    Down,
}

/// How a packet reaches an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextHop {
    /// Index of the interface that the frame leaves by: of a VLAN device, its parent's.
    pub egress: u32,
    /// MAC address of the next hop.
    pub destination_mac: [u8; 6],
    /// MAC address of the egress interface.
    pub source_mac: [u8; 6],
    /// VLAN IDs to tag the frame with, outermost first; 0 for none.
    pub vlans: [u16; 2],
    /// Largest IP packet that the route takes.
    pub mtu: u16,
    /// The balancer's own address on that route: source of an outer header.
    pub source: IpAddr,
}
