//! Builds Maglev tables.
//!
//! The tables follow Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer"
//! (NSDI 2016): every member walks the slots in an order of its own and takes the free ones it
//! meets, turn by turn. Three things differ:
//!
//! - The size is a power of two, and every step is odd, so that a walk still meets every slot.
//! - The shares are exact: a member takes a quota of slots, and its turns are spread over the whole
//!   build in proportion.
//! - A walk is derived from the member's *address* alone. Its number in the maps plays no part, so
//!   balancers with the same members agree on the address behind every slot.

mod fill;
mod quotas;
mod turns;
mod walk;

use std::{iter::repeat_n, sync::Arc};

use lb_common::backend::BackendId;

use self::fill::{FREE, fill};
use self::quotas::quotas;
use crate::model::{BackendAddress, TableSize, Weight};

/// A backend that new flows may go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// What its slots hold; never 0.
    pub id: BackendId,
    /// Where its walk comes from; no two members of a table share one.
    pub address: BackendAddress,
    /// Its share of the slots.
    pub weight: Weight,
}

/// The backend of each slot; `None` when no member has a weight above 0.
///
/// Every member has the slots its weight asks for, to within one slot, and at least one. With more
/// members than slots the heaviest have one each, of equal ones those with the lowest addresses.
/// The order of `members` does not matter.
pub fn build(size: TableSize, members: &[Member]) -> Option<Arc<[BackendId]>> {
    let mut members = members.to_vec();
    members.sort_by_key(|member| member.address);
    let weights: Vec<u32> = members.iter().map(|member| u32::from(member.weight.0)).collect();
    let quotas = quotas(size.slots(), &weights)?;
    let takers: Vec<(Member, u32)> = members.into_iter().zip(quotas).collect();
    let mut table: Arc<[BackendId]> = repeat_n(FREE, size.slots()).collect();
    fill(Arc::make_mut(&mut table), &takers);
    Some(table)
}

#[cfg(test)]
mod tests;
