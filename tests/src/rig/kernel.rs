//! The kernel that the tests run on.

use std::fs;

use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};

/// Its version: major and minor.
pub(super) fn release() -> (u32, u32) {
    let text = fs::read_to_string("/proc/sys/kernel/osrelease").expect("the kernel's release");
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map_while(|part| part.parse().ok());
    let mut next = || numbers.next().expect("a release such as 6.18.44");
    (next(), next())
}

/// Keeps this thread on the first CPU: what each CPU counts for itself is then counted there.
pub(super) fn stay_on_one_cpu() {
    let mut cpus = CpuSet::new();
    cpus.set(0).expect("a CPU of that number");
    sched_setaffinity(Pid::from_raw(0), &cpus).expect("a CPU that is there");
}
