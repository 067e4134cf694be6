//! What the daemon shares with packets in memory, and how it keeps that right: no BPF in here.

use std::{collections::BTreeSet, io};

use lb_common::{
    backend::BackendId,
    flow::{Entry, Epoch},
    settings::Settings,
};

use super::{
    grace,
    layout::{self, Full, Held, Step},
    memory::Words,
    sweep::{self, Sweep},
    tables::Arrays,
};
use crate::state::Tables;

/// The arrays that userspace writes, and the tables that packets write.
pub(super) struct Mapped {
    pub(super) settings: Settings,
    capacity: layout::Capacity,
    pub(super) arrays: Arrays,
    pub(super) flow_table: Words,
    pub(super) affinity: Words,
    sweep: Sweep,
    /// What the arrays hold.
    pub(super) held: Held,
}

impl Mapped {
    /// Goes on with what is there, whoever wrote it, and wherever they were stopped.
    pub(super) fn adopt(
        settings: Settings,
        capacity: layout::Capacity,
        arrays: Arrays,
        flow_table: Words,
        affinity: Words,
    ) -> io::Result<Self> {
        arrays.recover()?;
        let held = arrays.read();
        sweep::audit(&flow_table, &affinity, &arrays.loads, &held, grace::wait)?;
        let mut sweep = Sweep::default();
        sweep.follow(&held);
        Ok(Self { settings, capacity, arrays, flow_table, affinity, sweep, held })
    }

    /// The steps from what the arrays hold to what is wanted, and what they hold after them.
    pub(super) fn plan(&self, wanted: &Tables) -> Result<(Vec<Step>, Held), Full> {
        layout::plan(&self.settings, self.capacity, &self.held, wanted)
    }

    /// Takes the steps of a plan. Only waiting for packets under way can fail: what is there then is
    /// where the next plan begins.
    pub(super) fn perform(&mut self, steps: &[Step], after: Held) -> io::Result<()> {
        for id in after.backends.keys().filter(|id| !self.held.backends.contains_key(id)) {
            self.arrays.loads.clear(*id);
        }
        let performed = steps.iter().try_for_each(|step| self.arrays.perform(step));
        self.held = if performed.is_ok() { after } else { self.arrays.read() };
        self.sweep.follow(&self.held);
        performed
    }

    /// Forgets the flows of backends that were removed, and who was their client; how many entries
    /// there were.
    pub(super) fn forget(&self, retired: &BTreeSet<BackendId>) -> usize {
        let is_retired = |entry: Entry| retired.contains(&entry.backend());
        let lanes = [self.flow_table.all(), self.affinity.all()];
        let flows = lanes[0].iter().filter_map(|lane| sweep::free(lane, is_retired));
        let flows = flows.filter(|word| sweep::settle(&self.arrays.loads, *word)).count();
        let clients = lanes[1].iter().filter_map(|lane| sweep::free(lane, is_retired)).count();
        flows + clients
    }

    /// Frees what is idle in the next part of the flow table and of the affinity table.
    pub(super) fn sweep(&mut self, now: Epoch) -> usize {
        self.sweep.go(&self.flow_table, &self.affinity, &self.arrays.loads, now)
    }
}
