//! Next hops: how a packet reaches a backend's address, asked of the kernel over netlink and
//! watched, so that the data path needs no look-up of its own.
//!
//! `resolve` decides, purely, from what `view` holds; `decode` turns netlink's messages into it;
//! `kernel` owns the sockets; `watcher` is the task that joins them.

mod decode;
mod kernel;
mod resolve;
mod view;
mod watcher;

use std::{collections::BTreeSet, io, net::IpAddr};

use tokio::sync::mpsc;

pub use resolve::Unresolved;

use crate::state::NextHop;

/// Why next hops cannot be watched at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No netlink socket, or not one that hears of changes.
    #[error("cannot open a netlink socket to watch next hops: {0}")]
    Socket(#[source] io::Error),
    /// The kernel did not tell its links and neighbours.
    #[error("cannot read {what} over netlink: {reason}")]
    Dump {
        /// What was asked for.
        what: &'static str,
        /// What came instead.
        reason: String,
    },
}

/// The way to one watched address, as it is from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextHopReport {
    /// The watched address.
    pub address: IpAddr,
    /// The way to it, or why there is none.
    pub next_hop: Result<NextHop, Unresolved>,
}

/// Watches the next hops of a set of addresses, in the network namespace it was started in.
///
/// The watch ends when this handle is dropped.
#[derive(Debug)]
pub struct Network {
    sets: mpsc::UnboundedSender<BTreeSet<IpAddr>>,
}

impl Network {
    /// Starts the watch, of no addresses yet. Must be called within a tokio runtime.
    ///
    /// A report comes once for each address soon after it is first watched, within about two
    /// seconds when its neighbour does not answer, and then whenever the answer changes.
    pub async fn spawn(reports: mpsc::Sender<NextHopReport>) -> Result<Self, Error> {
        let (sets, changes) = mpsc::unbounded_channel();
        let watcher = watcher::Watcher::start(reports).await?;
        tokio::spawn(watcher.run(changes));
        Ok(Self { sets })
    }

    /// Replaces the set of watched addresses; those that stay are not reported again.
    pub fn watch(&self, addresses: BTreeSet<IpAddr>) {
        if self.sets.send(addresses).is_err() {
            log::error!("next hops are no longer watched: nobody receives their reports");
        }
    }
}
