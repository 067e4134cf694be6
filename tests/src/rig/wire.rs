//! A second interface, for packets that leave by another than they came in by.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use nix::{
    net::if_::if_nametoindex,
    sched::{CloneFlags, unshare},
};

use crate::namespaces::on_own_thread;

const NAME: &str = "out0";

/// An interface with nothing behind it.
pub struct Wire {
    /// Its index.
    pub index: u32,
}

impl Wire {
    /// Runs `work` in a network of its own, which has loopback and this interface.
    ///
    /// # Panics
    /// When there is no such network.
    pub fn lay<T: Send>(work: impl FnOnce(Self) -> T + Send) -> T {
        let worked = on_own_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET).context("a network of one's own needs root")?;
            ip(&["link", "add", NAME, "type", "veth", "peer", "name", "far0"])?;
            let index = if_nametoindex(NAME).context("the index of a new interface")?;
            Ok(work(Self { index }))
        });
        worked.unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Takes the interface away.
    ///
    /// # Panics
    /// When it was gone.
    pub fn cut(self) {
        ip(&["link", "delete", NAME]).unwrap_or_else(|error| panic!("{error:#}"));
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(arguments).output().context("start ip")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {}: {}", arguments.join(" "), complaint.trim());
    Ok(())
}
