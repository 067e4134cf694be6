//! Waiting for the packets under way.
//!
//! A program runs inside an RCU read-side section, so that after an RCU grace period none is left
//! that saw what was there before.

use std::{
    io,
    os::fd::{FromRawFd as _, OwnedFd},
    sync::atomic::{Ordering, fence},
};

/// Waits until every packet that was under way has ended (some milliseconds).
pub(super) fn wait() -> io::Result<()> {
    // SAFETY: the call takes two integers and touches no memory.
    let answer = unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_GLOBAL, 0) };
    if answer == 0 { Ok(()) } else { wait_by_packet_socket() }
}

/// Kernels with full dynticks (`nohz_full`) and some sandboxes refuse the membarrier. Closing a
/// packet socket waits for a grace period as well (`packet_release` calls `synchronize_net`).
fn wait_by_packet_socket() -> io::Result<()> {
    // SAFETY: the call takes three integers.
    let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is open and nobody else's.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(())
}

/// Whoever sees a store after this sees all stores before it.
///
/// On x86-64 loads are not reordered with loads. Elsewhere a program, which has no load barrier,
/// may have loaded early what it looks at after a flag; only a grace period is safe there.
pub(super) fn publish() -> io::Result<()> {
    fence(Ordering::Release);
    if cfg!(target_arch = "x86_64") { Ok(()) } else { wait() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_wait_for_packets_work_here() {
        wait().unwrap();
        wait_by_packet_socket().unwrap();
    }
}
