//! The single changes that a plan is made of.

use std::sync::Arc;

use lb_common::{
    backend::{BackendEntry, BackendId},
    service::{Selector, ServiceSlot},
};

/// One change of the arrays.
///
/// What packets decide by ([`Step::SetFlags`], [`Step::SetSelector`], [`Step::PointSlot`] and
/// [`Step::TuneSlot`]) is one aligned store each; everything else goes where no packet looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::dataplane) enum Step {
    /// Write an entry of `BACKENDS`, all but its flags.
    WriteBackend { id: BackendId, entry: BackendEntry },
    /// Write an entry of `SHADOWS`.
    WriteShadow { id: BackendId, entry: BackendEntry },
    /// Replace the flags of an entry of `BACKENDS`.
    SetFlags { id: BackendId, flags: u8 },
    /// Write a Maglev table.
    WriteTable { first_chunk: u32, slots: Arc<[BackendId]> },
    /// Let packets to addresses with this bit in.
    SetGuard { bit: u32 },
    /// Let packets to addresses with this bit pass by.
    ClearGuard { bit: u32 },
    /// Write a slot of `SERVICES`, all but its selector.
    WriteSlot { index: u32, slot: ServiceSlot },
    /// Make a slot match, or no longer.
    SetSelector { index: u32, selector: Selector },
    /// Replace a service's Maglev table.
    PointSlot { index: u32, maglev: u64 },
    /// Replace a service's time-outs and scheduler.
    TuneSlot { index: u32, scheduler: u8, idle: [u16; 4] },
    /// Whoever sees a step after this one sees all those before it.
    Publish,
    /// Wait until no packet is under way that saw what was before.
    Grace,
}
