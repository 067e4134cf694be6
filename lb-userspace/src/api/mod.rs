//! What the daemon answers over its Unix socket, and how it is asked.
//!
//! A request goes [`client`] → [`server`] → [`Command`] → the one task that owns the state, and its
//! reply goes back the same way. The server knows no state and decides nothing.

pub mod client;
mod flows;
pub mod server;
pub mod socket;
mod stats;
mod status;
mod types;

pub use flows::{BackendFlows, FlowAges, FlowStates, Flows, FlowsQuery};
pub use stats::{BackendStats, ServiceStats, Stats, Traffic, VerdictStats, clock_ns};
pub use status::{BackendView, HealthView, InterfaceStatus, Mode, ServiceView, StateView, Status};
pub use types::{ChangeRequest, ChangeResponse, ErrorBody, ErrorKind};

use tokio::sync::oneshot;

use crate::state::Desired;

/// Where the daemon listens and commands ask, unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/run/lb/lb.sock";

/// Where the answer to a [`Command`] goes. Whoever asked may have left: then sending fails, and
/// that is of no consequence.
pub type Reply<T> = oneshot::Sender<Result<T, ErrorBody>>;

/// One question to the task that owns the state.
#[derive(Debug)]
pub enum Command {
    /// Change what is desired, or say what would change.
    Change {
        /// What to change.
        request: Box<ChangeRequest>,
        /// What became of it.
        reply: Reply<ChangeResponse>,
    },
    /// How things stand.
    Status {
        /// The answer.
        reply: Reply<Status>,
    },
    /// What has been counted.
    Stats {
        /// The answer.
        reply: Reply<Stats>,
    },
    /// The live flows of every backend.
    Flows {
        /// The answer.
        reply: Reply<Flows>,
    },
    /// What is desired, for an export.
    Desired {
        /// The answer.
        reply: Reply<Desired>,
    },
}

#[cfg(test)]
pub(crate) mod tests;
