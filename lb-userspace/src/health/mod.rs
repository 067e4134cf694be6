//! Health: which backends serve, asked of each in its check's rhythm.
//!
//! [`monitor`] decides, [`schedule`] keeps time, [`probe`] owns sockets, and one task joins them.

mod checker;
pub mod monitor;
pub mod probe;
pub mod schedule;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    num::NonZeroU16,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use crate::{
    model::{BackendKey, Check},
    state,
};

/// A backend to be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its address.
    pub address: IpAddr,
    /// The port to ask: the check's own, else the backend's. Who has neither cannot be checked.
    pub port: NonZeroU16,
    /// What is asked, and when.
    pub check: Check,
    /// What is known of its health before the first probe, if anything is.
    pub initial: Option<state::Health>,
}

impl Target {
    fn socket(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port.get())
    }

    /// True when both ask the same question in the same rhythm.
    fn asks_as(&self, other: &Self) -> bool {
        self.socket() == other.socket() && self.check == other.check
    }
}

/// A backend came up or went down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthReport {
    /// The backend.
    pub backend: BackendKey,
    /// Its health from now on.
    pub health: state::Health,
    /// What the last probe failed with, of a backend that went down.
    pub reason: Option<String>,
}

/// What is known of one backend's health, as people read it in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendHealth {
    /// None until the first probe has answered.
    pub health: Option<state::Health>,
    /// Since when it is so.
    pub since: SystemTime,
    /// What the last probe failed with; none when it was good.
    pub last_error: Option<String>,
    /// How many probes in a row have ended as the last one did.
    pub consecutive: u16,
    /// How long the last good probe took.
    pub last_latency: Option<Duration>,
}

enum Command {
    Watch(BTreeMap<BackendKey, Target>),
    Snapshot(oneshot::Sender<BTreeMap<BackendKey, BackendHealth>>),
}

/// Checks the health of a set of backends. The checks end when this handle is dropped.
#[derive(Debug)]
pub struct Health {
    commands: mpsc::UnboundedSender<Command>,
}

impl Health {
    /// Starts checking, no backend yet. Must be called within a tokio runtime.
    pub fn spawn(reports: mpsc::Sender<HealthReport>) -> Self {
        let (commands, received) = mpsc::unbounded_channel();
        tokio::spawn(checker::Checker::new().run(received, reports));
        Self { commands }
    }

    /// Replaces the set of checked backends. An unchanged one goes on as it was, whatever its
    /// `initial`; of a changed one the health stays and the count begins anew.
    pub fn watch(&self, targets: BTreeMap<BackendKey, Target>) {
        if self.commands.send(Command::Watch(targets)).is_err() {
            log::error!("health is no longer checked: nobody receives its reports");
        }
    }

    /// What is known of each checked backend. Reports that nobody takes do not delay it.
    pub async fn snapshot(&self) -> BTreeMap<BackendKey, BackendHealth> {
        let (reply, answer) = oneshot::channel();
        if self.commands.send(Command::Snapshot(reply)).is_err() {
            return BTreeMap::new();
        }
        answer.await.unwrap_or_default()
    }
}
