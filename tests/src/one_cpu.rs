//! A story whose packets are handled by one CPU.

use anyhow::Result;
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

use crate::namespaces::on_own_thread;

/// Tells a story on one CPU: the lab that it builds stays there, and so do its packets, as a veth
/// hands them on where they were sent. What the data path counts by CPU is one count then, but for a
/// packet now and then that a timer of the kernel sends from elsewhere.
///
/// # Panics
/// When the story does, or the machine does not let threads choose their CPU.
#[track_caller]
pub fn tell(story: impl FnOnce() + Send) {
    let told = on_own_thread(|| {
        stay_here()?;
        story();
        Ok(())
    });
    told.unwrap_or_else(|error| panic!("a story cannot stay on one CPU: {error:#}"));
}

/// Threads and processes that this thread starts inherit its CPU.
fn stay_here() -> Result<()> {
    let own = Pid::from_raw(0);
    let allowed = sched_getaffinity(own)?;
    let first = (0..CpuSet::count()).find(|cpu| allowed.is_set(*cpu) == Ok(true)).unwrap_or(0);
    let mut only = CpuSet::new();
    only.set(first)?;
    sched_setaffinity(own, &only)?;
    Ok(())
}
