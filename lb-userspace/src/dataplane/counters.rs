//! What the data path has counted, summed over the CPUs.

use std::{collections::BTreeMap, path::Path};

use aya::{
    Ebpf,
    maps::{Array, Map, MapData, MapError, PerCpuArray, PerCpuValues},
    util::nr_cpus,
};
use lb_common::{
    backend::BackendId,
    counters::{BackendCounters, VerdictCounters},
    verdict::Verdict,
};

use super::{DataplaneError, kept, load::Plain};
use crate::config::Limits;

/// The two counter maps, and what becomes of the counters of backends that leave.
pub(super) struct Counters {
    verdicts: PerCpuArray<MapData, Plain<VerdictCounters>>,
    pub(super) backends: PerCpuArray<MapData, Plain<BackendCounters>>,
    /// By service: a backend's own counters begin anew with the next one that gets its number.
    departed: Array<MapData, Plain<BackendCounters>>,
}

impl Counters {
    pub(super) fn take(
        ebpf: &mut Ebpf,
        limits: Limits,
        maps: Option<&Path>,
    ) -> Result<Self, DataplaneError> {
        Ok(Self {
            verdicts: take(ebpf, "VERDICT_COUNTERS")?,
            backends: take(ebpf, "BACKEND_COUNTERS")?,
            // As long as `SERVICES`, so that a limit which suits that suits this.
            departed: kept::array(maps, "DEPARTED_COUNTERS", limits.service_slots())?,
        })
    }

    pub(super) fn verdicts(&self) -> Result<Vec<(Verdict, VerdictCounters)>, DataplaneError> {
        let sum = |verdict: &Verdict| {
            let values = self.verdicts.get(&(*verdict as u32), 0)?;
            let sum = values.iter().fold(VerdictCounters::default(), |sum, Plain(value)| {
                VerdictCounters {
                    packets: sum.packets.wrapping_add(value.packets),
                    bytes: sum.bytes.wrapping_add(value.bytes),
                }
            });
            Ok((*verdict, sum))
        };
        let sums: Result<_, MapError> = Verdict::ALL.iter().map(sum).collect();
        sums.map_err(DataplaneError::bpf("reading VERDICT_COUNTERS"))
    }

    pub(super) fn backends(
        &self,
        ids: impl IntoIterator<Item = BackendId>,
    ) -> Result<BTreeMap<BackendId, BackendCounters>, DataplaneError> {
        let sum = |id: BackendId| {
            let values = self.backends.get(&id.into(), 0)?;
            let each = values.iter().map(|Plain(value)| *value);
            Ok((id, each.fold(BackendCounters::default(), plus)))
        };
        let sums: Result<_, MapError> = ids.into_iter().map(sum).collect();
        sums.map_err(DataplaneError::bpf("reading BACKEND_COUNTERS"))
    }

    /// What backends of a service had counted when they left.
    pub(super) fn departed(&self, service: u16) -> Result<BackendCounters, DataplaneError> {
        let Plain(sum) = self
            .departed
            .get(&service.into(), 0)
            .map_err(DataplaneError::bpf("reading DEPARTED_COUNTERS"))?;
        Ok(sum)
    }

    /// Adds what a backend had counted that leaves.
    pub(super) fn depart(
        &mut self,
        service: u16,
        gone: BackendCounters,
    ) -> Result<(), DataplaneError> {
        let sum = plus(self.departed(service)?, gone);
        self.set_departed(service, sum)
    }

    /// Begins at zero again for a service that takes over an id.
    pub(super) fn forget_departed(&mut self, service: u16) -> Result<(), DataplaneError> {
        self.set_departed(service, BackendCounters::default())
    }

    fn set_departed(&mut self, service: u16, sum: BackendCounters) -> Result<(), DataplaneError> {
        self.departed
            .set(service.into(), Plain(sum), 0)
            .map_err(DataplaneError::bpf("writing DEPARTED_COUNTERS"))
    }

    /// Begins at zero again for a backend that takes over an id.
    pub(super) fn clear(&mut self, id: BackendId) -> Result<(), DataplaneError> {
        let clearing = || format!("clearing the counters of backend {id}");
        let cpus = nr_cpus().map_err(|(_, error)| DataplaneError::io(clearing())(error))?;
        let zeros = PerCpuValues::try_from(vec![Plain(BackendCounters::default()); cpus])
            .map_err(DataplaneError::io(clearing()))?;
        self.backends.set(id.into(), zeros, 0).map_err(DataplaneError::bpf(clearing()))
    }
}

fn plus(one: BackendCounters, other: BackendCounters) -> BackendCounters {
    BackendCounters {
        packets: one.packets.wrapping_add(other.packets),
        bytes: one.bytes.wrapping_add(other.bytes),
        new_flows: one.new_flows.wrapping_add(other.new_flows),
        untracked: one.untracked.wrapping_add(other.untracked),
        evicted: one.evicted.wrapping_add(other.evicted),
    }
}

/// Takes a map out of a loaded object.
pub(super) fn take<M>(ebpf: &mut Ebpf, name: &str) -> Result<M, DataplaneError>
where
    M: TryFrom<Map, Error = MapError>,
{
    let map = ebpf.take_map(name).ok_or(MapError::ElementNotFound);
    map.and_then(M::try_from).map_err(DataplaneError::bpf(format!("map {name}")))
}
