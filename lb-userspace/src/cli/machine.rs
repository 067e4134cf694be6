//! What commands do on this machine by themselves, without asking a daemon.

use std::{net::IpAddr, path::Path};

use anyhow::bail;
use serde::Serialize;

use crate::state::Desired;

/// An interface that unwraps tunnels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Decapsulator {
    /// The interface.
    pub interface: String,
    /// The balancers whose tunnels are accepted.
    pub balancers: Vec<IpAddr>,
    /// Packets that were unwrapped.
    pub accepted: u64,
    /// Tunnelled packets from others.
    pub refused: u64,
}

/// Runs the daemon until it is told to stop.
pub(crate) fn run_daemon(_config: &Path, _socket: &Path) -> anyhow::Result<()> {
    bail!("this build has no daemon")
}

/// Reads a config file; its error names file, line and field.
pub(crate) fn read_config(_file: &Path) -> anyhow::Result<Desired> {
    bail!("this build reads no config files")
}

/// Writes a config file.
pub(crate) fn write_config(_desired: &Desired) -> anyhow::Result<String> {
    bail!("this build writes no config files")
}

/// Takes the data path off, and names the interfaces that it was on.
pub(crate) fn detach(_pin_dir: &Path) -> anyhow::Result<Vec<String>> {
    bail!("this build has no data path")
}

/// Unwraps tunnels that come in by an interface from these balancers, and no others.
pub(crate) fn attach_decap(_interface: &str, _balancers: &[IpAddr]) -> anyhow::Result<()> {
    bail!("this build has no data path")
}

/// Unwraps no more; false when it did not.
pub(crate) fn detach_decap(_interface: &str) -> anyhow::Result<bool> {
    bail!("this build has no data path")
}

/// Every interface that unwraps tunnels.
pub(crate) fn decapsulators() -> anyhow::Result<Vec<Decapsulator>> {
    bail!("this build has no data path")
}
