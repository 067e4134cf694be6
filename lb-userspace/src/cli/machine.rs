//! What commands do on this machine by themselves, without asking a daemon.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use lb_common::decap::Outcome;
use serde::Serialize;

use super::failure::Failure;
use crate::{
    config::{self, Config, Mode},
    daemon,
    dataplane::{self, DataplaneError, XdpMode, decap},
    state::Desired,
};

/// An interface that unwraps tunnels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Decapsulator {
    /// The interface.
    pub interface: String,
    /// How it runs the program; none when something else took the program off.
    pub mode: Option<XdpMode>,
    /// The balancers whose tunnels are accepted.
    pub balancers: Vec<IpAddr>,
    /// Packets that were unwrapped.
    pub accepted: u64,
    /// Tunnelled packets that were dropped, of others or broken.
    pub refused: u64,
}

/// Runs the daemon until it is told to stop.
pub(crate) fn run_daemon(config: &Path, socket: Option<&Path>, trace: bool) -> anyhow::Result<()> {
    daemon::run(config, socket, trace)
}

/// Reads a config file; its error names file, line and field.
pub(crate) fn read_config(file: &Path) -> anyhow::Result<Desired> {
    Ok(Config::load(file)?.desired)
}

/// Writes a config file.
pub(crate) fn write_config(desired: &Desired) -> String {
    config::export(desired)
}

/// Takes the data path off, and names the interfaces that it was on.
pub(crate) fn detach(pin_dir: &Path) -> anyhow::Result<Vec<String>> {
    Ok(dataplane::detach(pin_dir)?.interfaces)
}

/// Unwraps tunnels that come in by an interface from these balancers, and no others.
pub(crate) fn attach_decap(
    interface: &str,
    balancers: &[IpAddr],
    mode: Mode,
) -> Result<(), Failure> {
    decap::attach(interface, balancers, mode, &pin_dir()).map_err(|error| match error {
        DataplaneError::NoInterface { .. } => Failure::NotFound(error.to_string()),
        other => Failure::Other(other.into()),
    })
}

/// Unwraps no more; false when it did not.
pub(crate) fn detach_decap(interface: &str) -> anyhow::Result<bool> {
    Ok(decap::detach(interface, &pin_dir())?)
}

/// Every interface that unwraps tunnels.
pub(crate) fn decapsulators() -> anyhow::Result<Vec<Decapsulator>> {
    let all = decap::status(&pin_dir())?;
    Ok(all
        .into_iter()
        .map(|one| {
            let sum = |wanted: fn(&Outcome) -> bool| {
                one.counters.iter().filter(|(outcome, _)| wanted(outcome)).map(|(_, n)| n).sum()
            };
            Decapsulator {
                accepted: sum(|outcome| *outcome == Outcome::Decapsulated),
                refused: sum(|outcome| {
                    !matches!(outcome, Outcome::Decapsulated | Outcome::NotTunnel)
                }),
                interface: one.interface,
                mode: one.mode,
                balancers: one.from,
            }
        })
        .collect())
}

fn pin_dir() -> PathBuf {
    config::Paths::default().pins
}
