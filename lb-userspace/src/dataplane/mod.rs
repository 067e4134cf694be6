//! The data path in the kernel: loaded, attached, filled and read. The only module that uses BPF.
//!
//! Maps and links are pinned, so that packets keep their way when the daemon goes. A start adopts
//! what is pinned: it reads the tables back, replaces the program through its links, and writes
//! only what differs from what is wanted.

mod attach;
mod claim;
mod counters;
pub mod decap;
mod detach;
mod egress;
mod epoch;
mod error;
mod flows;
mod grace;
mod interface;
mod kept;
mod layout;
mod limits;
mod link;
mod load;
mod memory;
mod open;
mod pin;
mod recall;
mod run;
mod tables;
#[cfg(test)]
mod tests;
mod trace;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aya::{
    Ebpf,
    maps::{DevMapHash, MapData},
};
use lb_common::{
    backend::{BackendEntry, BackendId},
    counters::{BackendCounters, VerdictCounters},
    flow::{Entry, Epoch},
    service::ServiceSlot,
    settings::Settings,
    verdict::Verdict,
};

pub use claim::Claim;
pub use detach::{Detached, detach};
pub use error::DataplaneError;
pub use interface::XdpMode;
pub use layout::Full;
pub use open::{Adopted, DataplaneConfig};
pub use recall::{Recalled, recall};
pub use run::Outcome;
pub use trace::Trace;

use crate::state::Tables;

/// The loaded data path.
pub struct Dataplane {
    loaded: Ebpf,
    /// The name of the program that runs.
    program: &'static str,
    settings: Settings,
    capacity: layout::Capacity,
    arrays: tables::Arrays,
    flow_table: memory::Words,
    counters: counters::Counters,
    egress: DevMapHash<MapData>,
    /// What the arrays hold.
    held: layout::Held,
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
        let (steps, held) = layout::plan(&self.settings, self.capacity, &self.held, wanted)?;
        let egress: BTreeSet<u32> = wanted.backends.values().filter_map(egress_of).collect();
        egress::add(&mut self.egress, &egress)?;
        for id in wanted.backends.keys().filter(|id| !self.held.backends.contains_key(id)) {
            self.counters.clear(*id)?;
        }
        let known: BTreeSet<u16> = self.services().map(|slot| slot.id).collect();
        for table in wanted.services.values().filter(|table| !known.contains(&table.id)) {
            self.counters.forget_departed(table.id)?;
        }
        if let Err(error) = steps.iter().try_for_each(|step| self.arrays.perform(step)) {
            // Only waiting can fail. What is there now is where the next plan begins.
            self.held = self.arrays.read();
            return Err(DataplaneError::io("waiting for packets under way")(error));
        }
        self.held = held;
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

    /// The backends that take packets.
    pub fn usable_backends(&self) -> BTreeSet<BackendId> {
        let usable = |entry: &BackendEntry| entry.flags & BackendEntry::USABLE != 0;
        let entries = self.held.backends.iter();
        entries.filter(|(_, entry)| usable(entry)).map(|(id, _)| *id).collect()
    }

    /// Forgets the flows of backends that were removed, so that their ids can be given to others;
    /// how many there were.
    pub fn sweep(&self, retired: &BTreeSet<BackendId>) -> u64 {
        flows::sweep(&self.flow_table, retired)
    }

    /// How many flows each backend has that are not idle.
    pub fn live_flows(&self) -> BTreeMap<BackendId, u64> {
        let now = epoch::now();
        let idle: BTreeMap<u16, [u16; 4]> =
            self.services().map(|slot| (slot.id, slot.idle)).collect();
        let is_live = |entry: Entry| {
            let backend = self.held.backends.get(&entry.backend());
            let idle = backend.and_then(|backend| idle.get(&backend.service));
            idle.is_some_and(|idle| !entry.is_idle(now, idle))
        };
        flows::live(&self.flow_table, is_live)
    }

    fn services(&self) -> impl Iterator<Item = &ServiceSlot> {
        self.held.slots.values().filter(|slot| slot.selector.is_service())
    }

    /// The read-only data of the program.
    pub fn settings(&self) -> &Settings {
        &self.settings
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
