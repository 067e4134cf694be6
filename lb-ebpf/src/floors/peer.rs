//! A balancer as others build it: services in a hash map, flows in an LRU hash map by their whole
//! five-tuple. Packets are read and sent by the same code as `balance` does, so that the difference
//! is the tables.

use aya_ebpf::{
    btf_maps::{Array, HashMap, LruHashMap, PerCpuArray},
    macros::btf_map,
};
use lb_common::{
    backend::BackendEntry,
    counters::BackendCounters,
    forward::ipip,
    packet::{Packet, Tags, Transport},
};
use lb_ebpf::frame::XdpFrame;

/// VIP, then port and protocol: the backend of a new flow.
#[btf_map]
static PEER_SERVICES: HashMap<[u32; 5], u32, 1024> = HashMap::new();

/// Source, destination, ports and protocol: the flow's backend.
#[btf_map]
static PEER_FLOWS: LruHashMap<[u32; 10], u32, 1> = LruHashMap::new();

#[btf_map]
static PEER_BACKENDS: Array<BackendEntry, 2> = Array::new();

#[btf_map]
static PEER_COUNTERS: PerCpuArray<BackendCounters, 2> = PerCpuArray::new();

#[inline(always)]
pub(crate) fn balance(frame: &mut XdpFrame) -> Option<()> {
    let packet = Packet::parse(frame)?;
    let Ok(Transport::Ports { protocol, ports, .. }) = packet.transport(frame) else { return None };
    let ([s0, s1, s2, s3], [d0, d1, d2, d3]) = (packet.source.words(), packet.destination.words());
    let (ports, protocol) = (u32::from_ne_bytes(ports), u32::from(protocol));
    let service = [d0, d1, d2, d3, ports >> 16 | protocol << 16];
    // SAFETY: nobody writes services while packets run.
    let first = *unsafe { PEER_SERVICES.get(service) }?;
    let flow = [s0, s1, s2, s3, d0, d1, d2, d3, ports, protocol];
    // SAFETY: a flow's backend is written once.
    let backend = if let Some(backend) = unsafe { PEER_FLOWS.get(flow) } {
        *backend
    } else {
        PEER_FLOWS.insert(flow, first, 0).ok()?;
        first
    };
    let counters = PEER_COUNTERS.get_ptr_mut(backend)?;
    // SAFETY: this CPU's own value, and XDP programs on one CPU do not interrupt each other.
    let counters = unsafe { &mut *counters };
    counters.packets += 1;
    counters.bytes += u64::from(packet.length);
    ipip::encapsulate(frame, &packet, PEER_BACKENDS.get(backend)?, Tags::default()).ok()
}
