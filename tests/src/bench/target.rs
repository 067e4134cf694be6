//! The programs that packets run through.

use std::rc::Rc;

use anyhow::{Context as _, Result};
use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, HashMap, MapData, PerCpuArray},
    programs::{ProgramFd, Xdp},
};
use lb_common::{
    address::Address,
    backend::BackendEntry,
    counters::BackendCounters,
    forward::ipip::{self, IPV4},
    packet::transport::TCP,
    verdict::Verdict,
};

use crate::{
    plain::Plain,
    rig::{BALANCER, NEXT_HOP, Rig},
};

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/floors.o"));

/// A program to be measured.
pub(super) trait Target {
    fn program(&self) -> &ProgramFd;

    /// How many packets it did its work on; none when it does not count.
    fn counted(&self) -> Option<u64>;
}

/// The balancer, with the verdict that its packets shall end in.
pub(super) struct Balancer {
    pub(super) rig: Rc<Rig>,
    pub(super) verdict: Verdict,
}

impl Target for Balancer {
    fn program(&self) -> &ProgramFd {
        self.rig.program()
    }

    fn counted(&self) -> Option<u64> {
        Some(self.rig.verdict(self.verdict).packets)
    }
}

/// One of the programs beside it.
pub(super) struct Floor {
    program: ProgramFd,
}

impl Floor {
    /// A program without maps of a size.
    pub(super) fn new(name: &str) -> Result<Self> {
        let mut object = EbpfLoader::new().load(OBJECT).context(name.to_owned())?;
        Self::load(&mut object, name)
    }

    /// Reads lines of an array of so many, a power of two.
    pub(super) fn line(lines: u32) -> Result<Self> {
        let mask = u64::from(lines) - 1;
        let mut loader = EbpfLoader::new();
        loader.map_max_entries("LINES", lines).override_global("LINE_MASK", &mask, true);
        let mut object = loader.load(OBJECT).with_context(|| format!("{lines} lines"))?;
        Self::load(&mut object, "read_line")
    }

    fn load(object: &mut Ebpf, name: &str) -> Result<Self> {
        let program = object.program_mut(name).context("no such program")?;
        let program: &mut Xdp = program.try_into()?;
        program.load().with_context(|| format!("loading the program {name}"))?;
        Ok(Self { program: program.fd()?.try_clone()? })
    }
}

impl Target for Floor {
    fn program(&self) -> &ProgramFd {
        &self.program
    }

    fn counted(&self) -> Option<u64> {
        None
    }
}

/// A balancer as others build it.
pub(super) struct Peer {
    floor: Floor,
    counters: PerCpuArray<MapData, Plain<BackendCounters>>,
}

/// The peer's only backend.
const BACKEND: u32 = 1;

impl Peer {
    /// With one TCP service, and room for so many flows.
    pub(super) fn new(vip: [u8; 4], port: u16, flows: u64) -> Result<Self> {
        // An LRU hash map evicts before the last of its entries is taken: each CPU hoards some.
        let entries = flows + flows / 8 + 4096;
        let mut loader = EbpfLoader::new();
        loader.map_max_entries("PEER_FLOWS", entries as u32);
        let mut object =
            loader.load(OBJECT).with_context(|| format!("an LRU hash map of {entries} flows"))?;

        let [d0, d1, d2, d3] = Address::v4(vip).words();
        let [high, low] = port.to_be_bytes();
        let key = [d0, d1, d2, d3, u32::from_ne_bytes([high, low, TCP, 0])];
        let mut services: HashMap<_, [u32; 5], u32> =
            object.map_mut("PEER_SERVICES").context("PEER_SERVICES")?.try_into()?;
        services.insert(key, BACKEND, 0)?;

        let mut backends: Array<_, Plain<BackendEntry>> =
            object.map_mut("PEER_BACKENDS").context("PEER_BACKENDS")?.try_into()?;
        backends.set(BACKEND, Plain(backend()), 0)?;

        let counters = object.take_map("PEER_COUNTERS").context("PEER_COUNTERS")?;
        Ok(Self { floor: Floor::load(&mut object, "peer")?, counters: counters.try_into()? })
    }
}

fn backend() -> BackendEntry {
    let (source, destination) = ([192, 0, 2, 11], [192, 0, 2, 21]);
    let mut macs = [0; 12];
    macs[..6].copy_from_slice(&NEXT_HOP);
    macs[6..].copy_from_slice(&BALANCER);
    BackendEntry {
        outer_source: Address::v4(source),
        outer_destination: Address::v4(destination),
        macs,
        mtu: 1500,
        checksum: ipip::header_sum(source, destination, IPV4),
        payload: IPV4,
        ..BackendEntry::default()
    }
}

impl Target for Peer {
    fn program(&self) -> &ProgramFd {
        self.floor.program()
    }

    fn counted(&self) -> Option<u64> {
        let counters = self.counters.get(&BACKEND, 0).ok()?;
        Some(counters.iter().map(|Plain(counters)| counters.packets).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig::{
        packet::{frame, sent, tcp, tunnelled},
        traffic::Traffic,
    };

    #[test]
    fn what_the_balancer_is_held_against_sends_what_the_balancer_sends() {
        let segment = tcp("198.51.100.7:40000", "203.0.113.10:80", "A");
        let targets: [Box<dyn Target>; 2] = [
            Box::new(Floor::new("encapsulate").unwrap()),
            Box::new(Peer::new([203, 0, 113, 10], 80, 10).unwrap()),
        ];
        for target in targets {
            let mut traffic = Traffic::like(&frame(&[], &segment), target.program());
            for flow in [3, 4, 3] {
                let came = &traffic.packet(flow)[14..];
                let left = traffic.of_flows(flow..flow + 1).send().frame;
                assert_eq!(left, sent(&[], &tunnelled("192.0.2.11", "192.0.2.21", came)));
            }
        }
    }

    #[test]
    fn the_peer_counts_the_packets_that_it_sends_and_no_others() {
        let peer = Peer::new([203, 0, 113, 10], 80, 100).unwrap();
        let to = |to| {
            let segment = tcp("198.51.100.7:40000", to, "A");
            Traffic::like(&frame(&[], &segment), peer.program())
        };
        to("203.0.113.10:80").of_flows(0..100).run(1000);
        assert_eq!(to("203.0.113.10:81").of_flows(0..1).send().action, 0, "aborted");
        assert_eq!(peer.counted(), Some(1000));
    }
}
