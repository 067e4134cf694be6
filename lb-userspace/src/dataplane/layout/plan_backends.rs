//! The backends' part of a plan: what comes before the services change, and what after.

use std::collections::BTreeMap;

use lb_common::backend::{BackendEntry, BackendId};

use super::{Step, plan::Plan};
use crate::state::Tables;

/// Brings in what is new and changes what stays; returns the backends that leave once no service
/// leads to them any more, and what is to be in their place.
pub(super) fn arriving(plan: &mut Plan<'_>, wanted: &Tables) -> BTreeMap<BackendId, BackendEntry> {
    let mut sorted = Sorted::default();
    let ids = plan.held.backends.keys().chain(wanted.backends.keys());
    for id in ids.copied() {
        let held = plan.held.backends.get(&id).copied().unwrap_or_default();
        let wanted = wanted.backends.get(&id).copied().unwrap_or_default();
        let wanted = BackendEntry { flags: wanted.flags & !BackendEntry::SHADOWED, ..wanted };
        sorted.put(id, held, wanted);
    }
    write_idle(plan, &sorted.idle);
    write_live(plan, &sorted.live);
    for (id, entry) in sorted.reflagged {
        plan.step(Step::SetFlags { id, flags: entry.flags });
    }
    sorted.leaving
}

/// Takes backends out of use, then writes what is to be in their place.
pub(super) fn leave(plan: &mut Plan<'_>, leaving: &BTreeMap<BackendId, BackendEntry>) {
    for (id, entry) in leaving {
        plan.step(Step::SetFlags { id: *id, flags: entry.flags });
        plan.owe_grace();
    }
    plan.settle();
    for (id, entry) in leaving {
        if plan.held.backends.get(id).copied().unwrap_or_default() != *entry {
            plan.step(Step::WriteBackend { id: *id, entry: *entry });
        }
    }
}

#[derive(Default)]
struct Sorted {
    /// Not in use: may be written in place.
    idle: BTreeMap<BackendId, BackendEntry>,
    /// In use, and stay so with other contents.
    live: BTreeMap<BackendId, BackendEntry>,
    /// In use, and stay so with other flags.
    reflagged: BTreeMap<BackendId, BackendEntry>,
    /// In use, and no longer to be; or gone altogether.
    leaving: BTreeMap<BackendId, BackendEntry>,
}

impl Sorted {
    fn put(&mut self, id: BackendId, held: BackendEntry, wanted: BackendEntry) {
        let usable = |entry: BackendEntry| entry.flags & BackendEntry::USABLE != 0;
        if held == wanted {
            return;
        }
        let kind = match (usable(held), usable(wanted)) {
            (true, false) => &mut self.leaving,
            (false, _) if wanted == BackendEntry::default() => &mut self.leaving,
            (false, _) => &mut self.idle,
            (true, true) if (BackendEntry { flags: held.flags, ..wanted }) == held => {
                &mut self.reflagged
            }
            (true, true) => &mut self.live,
        };
        kind.insert(id, wanted);
    }
}

fn write_idle(plan: &mut Plan<'_>, idle: &BTreeMap<BackendId, BackendEntry>) {
    for (id, entry) in idle {
        plan.step(Step::WriteBackend { id: *id, entry: *entry });
    }
    publish_flags(plan, idle.iter().map(|(id, entry)| (*id, entry.flags)).collect());
}

/// A live entry is read from its shadow while it is written.
fn write_live(plan: &mut Plan<'_>, live: &BTreeMap<BackendId, BackendEntry>) {
    if live.is_empty() {
        return;
    }
    for (id, entry) in live {
        plan.step(Step::WriteShadow { id: *id, entry: *entry });
    }
    let shadowed = |id| {
        let flags = plan.held.backends.get(id).map_or(0, |held| held.flags);
        (*id, flags | BackendEntry::SHADOWED)
    };
    let shadowed = live.keys().map(shadowed).collect();
    publish_flags(plan, shadowed);
    plan.owe_grace();
    plan.settle();
    for (id, entry) in live {
        plan.step(Step::WriteBackend { id: *id, entry: *entry });
    }
    publish_flags(plan, live.iter().map(|(id, entry)| (*id, entry.flags)).collect());
    plan.owe_grace();
}

fn publish_flags(plan: &mut Plan<'_>, flags: Vec<(BackendId, u8)>) {
    if flags.is_empty() {
        return;
    }
    plan.step(Step::Publish);
    for (id, flags) in flags {
        plan.step(Step::SetFlags { id, flags });
    }
}
