//! The ABI of the counters: per-CPU values, written by the data path, read by userspace.

use crate::wire::plain_old_data;

/// One CPU's value of `BACKEND_COUNTERS`, indexed by backend.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct BackendCounters {
    /// Packets sent to the backend.
    pub packets: u64,
    /// Bytes of those packets from their IP header on, as the client sent them.
    pub bytes: u64,
    /// Flows that were given to the backend: a flow counts with its first packet that is not a
    /// TCP SYN, so that a SYN flood is no flow.
    pub new_flows: u64,
    /// Packets of flows that found no place in the flow table and follow the hash alone; but SYNs.
    pub untracked: u64,
    /// Live flows whose place in the flow table went to a newcomer, as they had been silent.
    pub evicted: u64,
}

/// One CPU's value of `VERDICT_COUNTERS`, indexed by [`crate::verdict::Verdict`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct VerdictCounters {
    /// Packets that ended so.
    pub packets: u64,
    /// Bytes of their frames as they came in.
    pub bytes: u64,
}

plain_old_data! { BackendCounters = 40, VerdictCounters = 16 }
