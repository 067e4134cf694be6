//! The data path in the kernel: loaded, attached, filled and read. The only module that uses BPF.
//!
//! Maps and links are pinned, so that packets keep their way when the daemon goes. A start adopts
//! what is pinned: it reads the tables back, replaces the program through its links, and writes
//! only what differs from what is wanted.

mod attach;
mod census;
mod claim;
mod counters;
pub mod decap;
mod detach;
mod egress;
mod epoch;
mod error;
mod grace;
#[cfg(test)]
mod histories;
mod interface;
mod kept;
mod layout;
mod limits;
mod link;
mod load;
mod loads;
mod mapped;
mod memory;
mod open;
mod pin;
mod recall;
mod run;
mod sweep;
mod tables;
#[cfg(test)]
mod tests;
mod trace;
mod turns;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};

use aya::{
    Ebpf,
    maps::{DevMapHash, MapData},
};
use lb_common::{
    backend::{BackendEntry, BackendId},
    counters::{BackendCounters, VerdictCounters},
    flow::Epoch,
    service::ServiceSlot,
    settings::Settings,
    verdict::Verdict,
};

pub use census::Census;
pub use claim::Claim;
pub use detach::{Detached, detach};
pub use error::DataplaneError;
pub use interface::XdpMode;
pub use layout::Full;
pub use open::{Adopted, DataplaneConfig};
pub use recall::{Recalled, recall};
pub use run::{Ingress, Outcome};
pub use trace::Trace;

use crate::state::Tables;

/// The loaded data path.
pub struct Dataplane {
    loaded: Ebpf,
    /// The name of the program that runs.
    program: &'static str,
    mapped: mapped::Mapped,
    turns: turns::Turns,
    counters: counters::Counters,
    egress: DevMapHash<MapData>,
    interfaces: Vec<(String, u32)>,
}

/// An interface that the program is attached to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedInterface {
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// The mode in force; none when something else took the program off.
    pub mode: Option<XdpMode>,
}

impl Dataplane {
    /// Makes the maps hold what is wanted, whole or not at all; true when something was written.
    ///
    /// Blocks for some milliseconds while packets under way end.
    pub fn apply(&mut self, wanted: &Tables) -> Result<bool, DataplaneError> {
        let (steps, after) = self.mapped.plan(wanted)?;
        let egress: BTreeSet<u32> = wanted.backends.values().filter_map(egress_of).collect();
        egress::add(&mut self.egress, &egress)?;
        let held = &self.mapped.held;
        for id in wanted.backends.keys().filter(|id| !held.backends.contains_key(id)) {
            self.counters.clear(*id)?;
        }
        let known: BTreeSet<u16> = self.services().map(|slot| slot.id).collect();
        for table in wanted.services.values().filter(|table| !known.contains(&table.id)) {
            self.turns.begin(table.id)?;
            self.counters.forget_departed(table.id)?;
        }
        self.mapped
            .perform(&steps, after)
            .map_err(DataplaneError::io("waiting for packets under way"))?;
        egress::remove_others(&mut self.egress, &egress)?;
        Ok(!steps.is_empty())
    }

    /// The interfaces that the program is attached to, with the mode in force.
    pub fn interfaces(&self) -> Result<Vec<AttachedInterface>, DataplaneError> {
        let look = |(name, index): &(String, u32)| {
            let attached = interface::attached(*index)
                .map_err(DataplaneError::io(format!("looking at {name}")))?;
            let mode = attached.map(|attached| attached.mode);
            Ok(AttachedInterface { name: name.clone(), index: *index, mode })
        };
        self.interfaces.iter().map(look).collect()
    }

    /// How packets ended, by every verdict.
    pub fn verdicts(&self) -> Result<Vec<(Verdict, VerdictCounters)>, DataplaneError> {
        self.counters.verdicts()
    }

    /// What was sent to these backends since they were added.
    pub fn backends(
        &self,
        ids: impl IntoIterator<Item = BackendId>,
    ) -> Result<BTreeMap<BackendId, BackendCounters>, DataplaneError> {
        self.counters.backends(ids)
    }

    /// What backends of a service had counted when they left it, since the service was added.
    pub fn departed(&self, service: u16) -> Result<BackendCounters, DataplaneError> {
        self.counters.departed(service)
    }

    /// Adds what a backend had counted that leaves a service.
    pub fn depart(&mut self, service: u16, gone: BackendCounters) -> Result<(), DataplaneError> {
        self.counters.depart(service, gone)
    }

    /// The backends whose entry has this flag, such as [`BackendEntry::USABLE`].
    pub fn backends_with(&self, flag: u8) -> BTreeSet<BackendId> {
        let entries = self.mapped.held.backends.iter();
        entries.filter(|(_, entry)| entry.flags & flag != 0).map(|(id, _)| *id).collect()
    }

    /// Forgets the flows of backends that were removed, and who was their client, so that their
    /// ids can be given to others; how many entries there were.
    pub fn forget(&self, retired: &BTreeSet<BackendId>) -> usize {
        self.mapped.forget(retired)
    }

    /// Frees what is idle in the next part of the flow table and of the affinity table. Called ten
    /// times a second, it is round both in four seconds, if they are not larger than 80 MB.
    pub fn sweep(&mut self) -> usize {
        self.mapped.sweep(epoch::now())
    }

    /// How many live flows each of these backends has.
    pub fn live_flows(&self, ids: impl IntoIterator<Item = BackendId>) -> BTreeMap<BackendId, u64> {
        let count = |id| Some((id, self.mapped.arrays.loads.flows(id)?.load(Relaxed)));
        ids.into_iter().filter_map(count).collect()
    }

    /// Every flow of each backend that has an entry in the flow table, by state and age.
    pub fn census(&self) -> BTreeMap<BackendId, Census> {
        census::of(&self.mapped.flow_table, epoch::now(), epoch::length())
    }

    fn services(&self) -> impl Iterator<Item = &ServiceSlot> {
        self.mapped.held.slots.values().filter(|slot| slot.selector.is_service())
    }

    /// The read-only data of the program.
    pub fn settings(&self) -> &Settings {
        &self.mapped.settings
    }

    /// The present epoch, right to one.
    pub fn now(&self) -> Epoch {
        epoch::now()
    }

    /// How long an epoch lasts: the unit of idle time-outs in the tables.
    pub fn epoch_length() -> Duration {
        epoch::length()
    }
}

fn egress_of(entry: &BackendEntry) -> Option<u32> {
    (entry.flags & BackendEntry::RESOLVED != 0).then_some(entry.egress).filter(|index| *index != 0)
}
