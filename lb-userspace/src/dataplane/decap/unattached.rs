//! The backends' side without an interface.

use std::{collections::BTreeMap, net::IpAddr};

use aya::{
    Ebpf, EbpfLoader,
    maps::{MapData, PerCpuArray},
};
use lb_common::decap::Outcome;

use super::{COUNTERS, OBJECT, PROGRAM, SOURCES, Sources, list, sums};
use crate::dataplane::{DataplaneError, Ingress, counters, load, run};

/// The program, loaded to run packets through it one by one.
pub struct Unattached {
    program: Ebpf,
    counters: PerCpuArray<MapData, u64>,
}

impl Unattached {
    /// Loads the program with a list of balancers.
    pub fn load(from: &[IpAddr]) -> Result<Self, DataplaneError> {
        let mut program = load::load(&mut EbpfLoader::new(), OBJECT, PROGRAM)?;
        let mut sources: Sources = counters::take(&mut program, SOURCES)?;
        list(&mut sources, from)?;
        Ok(Self { counters: counters::take(&mut program, COUNTERS)?, program })
    }

    /// Runs a frame of at least 14 bytes through the program. Counters change as by a real packet.
    pub fn run_packet(&mut self, frame: &[u8]) -> Result<run::Outcome, DataplaneError> {
        run::run(load::xdp(&mut self.program, PROGRAM)?, Ingress::default(), frame)
    }

    /// Packets, by how they ended.
    pub fn counters(&self) -> Result<BTreeMap<Outcome, u64>, DataplaneError> {
        sums(&self.counters).map_err(DataplaneError::bpf(format!("reading {COUNTERS}")))
    }
}
