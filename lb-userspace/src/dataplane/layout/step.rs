//! The single changes that a plan is made of.

use std::sync::Arc;

use lb_common::{
    backend::{BackendEntry, BackendId},
    service::{Selector, ServiceSlot},
};

use crate::state::{Share, Tuning};

/// One change of the arrays.
///
/// What packets decide by ([`Step::SetFlags`], [`Step::SetSelector`], [`Step::PointSlot`],
/// [`Step::TurnSlot`], [`Step::SetShare`]) is one aligned store each. [`Step::TuneSlot`] is three: a
/// packet that meets the old and the new scheduler's words mixed is still sent to a backend of the
/// service. Everything else goes where no packet looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::dataplane) enum Step {
    /// Write an entry of `BACKENDS`, all but its flags.
    WriteBackend { id: BackendId, entry: BackendEntry },
    /// Write an entry of `SHADOWS`.
    WriteShadow { id: BackendId, entry: BackendEntry },
    /// Replace the flags of an entry of `BACKENDS`.
    SetFlags { id: BackendId, flags: u8 },
    /// Write a Maglev table or a rotation.
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
    /// Replace a service's rotation.
    TurnSlot { index: u32, rotation: u64 },
    /// Replace how a service's packets are treated.
    TuneSlot { index: u32, tuning: Tuning },
    /// Replace what a backend's live flows are weighed against.
    SetShare { id: BackendId, share: Share },
    /// Whoever sees a step after this one sees all those before it.
    Publish,
    /// Wait until no packet is under way that saw what was before.
    Grace,
}
