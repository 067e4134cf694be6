//! How many turns of a service's rotation each CPU has given: `TURNS`.

use aya::{
    Ebpf,
    maps::{MapData, PerCpuArray, PerCpuValues},
    util::nr_cpus,
};

use super::{DataplaneError, counters::take};

/// The map of turns, by service.
pub(super) struct Turns(PerCpuArray<MapData, u32>);

impl Turns {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, DataplaneError> {
        take(ebpf, "TURNS").map(Self)
    }

    /// Begins the rotation of a service that takes over an id: each CPU at a turn of its own, so that
    /// the first flows of many CPUs do not all meet one backend.
    pub(super) fn begin(&mut self, service: u16) -> Result<(), DataplaneError> {
        let beginning = || format!("beginning the rotation of service {service}");
        let cpus = nr_cpus().map_err(|(_, error)| DataplaneError::io(beginning())(error))?;
        let turns = PerCpuValues::try_from((0..cpus as u32).collect::<Vec<_>>())
            .map_err(DataplaneError::io(beginning()))?;
        self.0.set(service.into(), turns, 0).map_err(DataplaneError::bpf(beginning()))
    }
}
