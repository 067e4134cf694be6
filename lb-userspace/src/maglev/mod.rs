//! Builds Maglev tables that move as little as can be.
//!
//! The tables follow Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer"
//! (NSDI 2016): every member walks the slots in an order of its own and takes the free ones it
//! meets, turn by turn. Four things differ:
//!
//! - The size is a power of two, and every step is odd, so that a walk still meets every slot.
//! - The shares are exact: a member takes a quota of slots, and its turns are spread over the whole
//!   build in proportion.
//! - A walk is derived from the member's *address* alone. Its number in the maps plays no part, so
//!   balancers with the same members agree on the address behind every slot.
//! - A failure is no reason to build anew. The [`Home`] table is that of all primaries, serving or
//!   not, and changes with the configuration alone. From it the slots of those that take no new
//!   flows are given to those that do; then those that are warming up leave most of what they will
//!   have to those that are warm.
//!
//! What users rely on:
//!
//! - A slot whose home owner is at its full ramp stays where it is, whatever becomes of the others:
//!   a failure moves the slots of the failed, and its return brings the very same ones back.
//! - Whoever fails, the others have the shares of their weights, to within two slots.
//! - With each step of its ramp a member gets another sixteenth of its slots, and no slot moves
//!   elsewhere. When others are out or warming up too, some more move with its first step, and with
//!   its last, which brings it its part of what the others leave. A member that is warm has no less
//!   than its own slots meanwhile, and no more than if those that warm up were out.
//! - When nobody is at its full ramp, those furthest along count as warm and the others in
//!   proportion to them: a service that starts as a whole has the table that it will keep.

mod fill;
mod home;
mod quotas;
mod turns;
mod walk;

use lb_common::backend::BackendId;

pub use self::home::Home;
pub(crate) use self::quotas::quotas;
use crate::model::{BackendAddress, Weight};

/// A backend of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// What its slots hold; never 0.
    pub id: BackendId,
    /// Where its walk comes from; no two members of a table share one.
    pub address: BackendAddress,
    /// Its share of the slots; with 0 it is no member.
    pub weight: Weight,
    /// How much of its share it takes at present.
    pub ramp: Ramp,
    /// Whether it has slots of its own. A backup has none: it gets what primaries leave, if its
    /// ramp is above 0.
    pub is_primary: bool,
}

/// How much of its share of new flows a backend takes, in sixteenths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ramp(u8);

impl Ramp {
    /// Steps from nothing to the whole share.
    pub const STEPS: u8 = 16;
    /// No new flows: it is down, draining or disabled, or the way to it is not known.
    pub const NONE: Self = Self(0);
    /// Its whole share.
    pub const FULL: Self = Self(Self::STEPS);

    /// So many sixteenths; all that is more is the whole.
    pub const fn of(steps: u8) -> Self {
        if steps < Self::STEPS { Self(steps) } else { Self::FULL }
    }

    /// How many sixteenths.
    pub const fn steps(self) -> u8 {
        self.0
    }
}

#[cfg(test)]
mod tests;
