//! What the data path has counted, summed over the CPUs.

use std::collections::BTreeMap;

use aya::{
    Ebpf,
    maps::{Map, MapData, MapError, PerCpuArray, PerCpuValues},
    util::nr_cpus,
};
use lb_common::{
    backend::BackendId,
    counters::{BackendCounters, VerdictCounters},
    verdict::Verdict,
};

use super::{DataplaneError, load::Plain};

/// The two counter maps.
pub(super) struct Counters {
    verdicts: PerCpuArray<MapData, Plain<VerdictCounters>>,
    pub(super) backends: PerCpuArray<MapData, Plain<BackendCounters>>,
}

impl Counters {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, DataplaneError> {
        Ok(Self {
            verdicts: take(ebpf, "VERDICT_COUNTERS")?,
            backends: take(ebpf, "BACKEND_COUNTERS")?,
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
            let sum = values.iter().fold(BackendCounters::default(), |sum, Plain(value)| {
                BackendCounters {
                    packets: sum.packets.wrapping_add(value.packets),
                    bytes: sum.bytes.wrapping_add(value.bytes),
                    new_flows: sum.new_flows.wrapping_add(value.new_flows),
                    untracked: sum.untracked.wrapping_add(value.untracked),
                    evicted: sum.evicted.wrapping_add(value.evicted),
                }
            });
            Ok((id, sum))
        };
        let sums: Result<_, MapError> = ids.into_iter().map(sum).collect();
        sums.map_err(DataplaneError::bpf("reading BACKEND_COUNTERS"))
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

/// Takes a map out of a loaded object.
pub(super) fn take<M>(ebpf: &mut Ebpf, name: &str) -> Result<M, DataplaneError>
where
    M: TryFrom<Map, Error = MapError>,
{
    let map = ebpf.take_map(name).ok_or(MapError::ElementNotFound);
    map.and_then(M::try_from).map_err(DataplaneError::bpf(format!("map {name}")))
}
