//! A process that runs on a host.

use std::{
    process::{Child, ExitStatus},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::poll;

/// A running process; dropped, it is killed and waited for.
pub struct Process {
    child: Child,
}

impl Process {
    pub(crate) fn new(child: Child) -> Self {
        Self { child }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) -> nix::Result<()> {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal)
    }

    /// Kills it by SIGKILL: it gets no chance to clean up.
    pub fn kill(mut self) {
        self.end();
    }

    /// Asks it to end by SIGTERM; how it ended, or nothing when it had to be killed.
    pub fn terminate(mut self, within: Duration) -> Option<ExitStatus> {
        let _ = self.signal(Signal::SIGTERM);
        poll::until(within, || self.ended())
    }

    fn end(&mut self) {
        // It may have ended already; what matters is that it is gone and reaped afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}
