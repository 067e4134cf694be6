//! Every map of the balancer. The sizes here are the smallest; userspace sets the real ones when
//! it creates them.

use aya_ebpf::{
    Global,
    bindings::BPF_F_MMAPABLE,
    btf_maps::{Array, DevMapHash, PerCpuArray},
    macros::btf_map,
};
use lb_common::{
    backend::{BackendEntry, Load},
    counters::{BackendCounters, VerdictCounters},
    flow::{bucket::LANES, hash::HashKey},
    maglev::Chunk,
    service::ServiceSlot,
    settings::{Guard, Settings},
    verdict,
};

/// Userspace maps the tables into its memory: it writes a table in one go, and changes a word of it
/// in one store.
const MAPPED: usize = BPF_F_MMAPABLE as usize;

/// What is fixed while the program is loaded. Read-only data costs a load and no look-up.
#[unsafe(no_mangle)]
pub(crate) static SETTINGS: Global<Settings> = Global::new(Settings {
    hash_key: HashKey::new([0; 12]),
    bucket_mask: 0,
    service_mask: 0,
    epoch_shift: 0,
    affinity_mask: 0,
});

/// One bit for each VIP: traffic that is not ours is let go after one look here.
#[btf_map]
pub(crate) static GUARD: Array<Guard, 1, MAPPED> = Array::new();

/// Services by VIP, protocol and port: an open-addressed table, as an array's look-up is inlined
/// where a hash map's is a call.
#[btf_map]
pub(crate) static SERVICES: Array<ServiceSlot, 1, MAPPED> = Array::new();

/// Backends by their number.
#[btf_map]
pub(crate) static BACKENDS: Array<BackendEntry, 1, MAPPED> = Array::new();

/// Entries that stand in while the ones in `BACKENDS` are rewritten.
#[btf_map]
pub(crate) static SHADOWS: Array<BackendEntry, 1, MAPPED> = Array::new();

/// How busy each backend is.
#[btf_map]
pub(crate) static LOADS: Array<Load, 1, MAPPED> = Array::new();

/// The arena of all Maglev tables and rotations.
#[btf_map]
pub(crate) static ARENA: Array<Chunk, 1, MAPPED> = Array::new();

/// How many turns of each service's rotation a CPU has given. Each CPU counts for itself: a shared
/// count would bounce its line with every new flow.
#[btf_map]
pub(crate) static TURNS: PerCpuArray<u32, 1> = PerCpuArray::new();

/// The flow table: a bucket is a cache line. One table for all CPUs, so that a flow whose packets
/// change CPUs keeps its backend.
#[btf_map]
pub(crate) static FLOWS: Array<[u64; LANES], 1, MAPPED> = Array::new();

/// Which backend a client of a service with affinity had last: buckets as in `FLOWS`.
#[btf_map]
pub(crate) static AFFINITY: Array<[u64; LANES], 1, MAPPED> = Array::new();

/// Packets and bytes by verdict. Each CPU has its own, as shared counters would bounce their line.
#[btf_map]
pub(crate) static VERDICT_COUNTERS: PerCpuArray<VerdictCounters, { verdict::COUNT }> =
    PerCpuArray::new();

/// Packets, bytes and flows by backend.
#[btf_map]
pub(crate) static BACKEND_COUNTERS: PerCpuArray<BackendCounters, 1> = PerCpuArray::new();

/// Interfaces that packets may be redirected to, by their index.
#[btf_map]
pub(crate) static EGRESS: DevMapHash<256> = DevMapHash::new();
