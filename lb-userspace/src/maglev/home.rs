//! From the table in which all serve to the one in which some do not.

use std::{iter::repeat_n, sync::Arc};

use lb_common::backend::BackendId;

use super::{
    Member, Ramp,
    fill::{FREE, Share, fill},
    quotas::quotas,
};
use crate::model::TableSize;

/// The table of a service when all its primaries serve. It changes with the configuration alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// Of the primaries, by address.
    shares: Vec<Share>,
    table: Arc<[BackendId]>,
}

impl Home {
    /// Gives the slots to the primaries, whatever their ramps.
    ///
    /// Every primary has the slots its weight asks for, to within one slot, and at least one. With
    /// more primaries than slots the heaviest have one each, of equal ones those with the lowest
    /// addresses.
    pub fn new(size: TableSize, members: &[Member]) -> Self {
        let primaries = primaries(members);
        let quotas = quotas(size.slots(), &weights(&primaries)).unwrap_or_default();
        let shares: Vec<Share> = primaries
            .into_iter()
            .zip(quotas)
            .map(|(member, slots)| Share { member, slots })
            .collect();
        let mut table: Arc<[BackendId]> = repeat_n(FREE, size.slots()).collect();
        fill(Arc::make_mut(&mut table), &shares);
        Self { shares, table }
    }

    /// Whether [`Self::new`] would make the same again.
    pub fn is_of(&self, size: TableSize, members: &[Member]) -> bool {
        let residents = self.shares.iter().map(|share| share.member);
        self.table.len() == size.slots() && primaries(members).into_iter().eq(residents)
    }

    /// The backend of each slot, the members' ramps being as they are; `None` when nobody takes new
    /// flows. It is the home table itself when all primaries are at their full ramp.
    ///
    /// `members` are those of [`Self::new`].
    pub fn table(&self, members: &[Member]) -> Option<Arc<[BackendId]>> {
        let mut takers = self.takers(members);
        let top = takers.iter().map(|taker| taker.member.ramp).max()?;
        let mut table = self.table.clone();
        leave_to(&mut takers, &mut table);
        let (mut leading, warming): (Vec<_>, Vec<_>) =
            takers.into_iter().partition(|taker| taker.member.ramp == top);
        let kept = kept(&warming, top, &table);
        leave_to(&mut leading, &mut table);
        for (slot, id) in kept {
            Arc::make_mut(&mut table)[slot] = id;
        }
        Some(table)
    }

    /// Those who take new flows, by address, with the slots they have at home.
    fn takers(&self, members: &[Member]) -> Vec<Share> {
        let mut takers: Vec<Share> = members
            .iter()
            .filter(|member| member.weight.0 > 0 && member.ramp > Ramp::NONE)
            .map(|member| Share { member: *member, slots: 0 })
            .collect();
        takers.sort_by_key(|taker| taker.member.address);
        let mut shares = self.shares.iter().peekable();
        for Share { member, slots } in &mut takers {
            while shares.next_if(|share| share.member.address < member.address).is_some() {}
            let own = shares.next_if(|share| share.member.address == member.address);
            *slots = own.map_or(0, |share| share.slots);
        }
        takers
    }
}

/// Those who have a home, by address, as if they were at their full ramp.
fn primaries(members: &[Member]) -> Vec<Member> {
    let mut primaries: Vec<Member> = members
        .iter()
        .filter(|member| member.is_primary && member.weight.0 > 0)
        .map(|member| Member { ramp: Ramp::FULL, ..*member })
        .collect();
    primaries.sort_by_key(|member| member.address);
    primaries
}

fn weights<'a>(members: impl IntoIterator<Item = &'a Member>) -> Vec<u32> {
    members.into_iter().map(|member| u32::from(member.weight.0)).collect()
}

/// Leaves a table to its takers: each keeps the slots it has, and all others are shared out so that
/// everybody comes as near to its weight as that allows.
fn leave_to(takers: &mut [Share], table: &mut Arc<[BackendId]>) {
    let free = table.len() - takers.iter().map(|taker| taker.slots as usize).sum::<usize>();
    if free == 0 {
        return;
    }
    let weights = weights(takers.iter().map(|taker| &taker.member));
    let targets = quotas(table.len(), &weights).unwrap_or_default();
    let lacks: Vec<u32> = targets
        .into_iter()
        .zip(&*takers)
        .map(|(target, taker)| target.saturating_sub(taker.slots))
        .collect();
    let gains = quotas(free, &lacks).unwrap_or_default();
    let table = Arc::make_mut(table);
    clear_all_but(takers, table);
    let gaining: Vec<Share> = takers
        .iter()
        .zip(&gains)
        .map(|(taker, gain)| Share { member: taker.member, slots: *gain })
        .collect();
    fill(table, &gaining);
    for (taker, gain) in takers.iter_mut().zip(gains) {
        taker.slots += gain;
    }
}

fn clear_all_but(takers: &[Share], table: &mut [BackendId]) {
    let mut stays = vec![false; usize::from(BackendId::MAX) + 1];
    for taker in takers {
        stays[usize::from(taker.member.id)] = true;
    }
    for slot in table {
        *slot = if stays[usize::from(*slot)] { *slot } else { FREE };
    }
}

/// The slots, and whose they are, that members have already while they are warming up, of those
/// that `table` gives them once they are warm.
///
/// Each has the first in the order of their numbers read backwards: that is spread over the table,
/// and the same whatever else changes, so that with each step it gains some and loses none.
fn kept(warming: &[Share], top: Ramp, table: &[BackendId]) -> Vec<(usize, BackendId)> {
    if warming.is_empty() {
        return Vec::new();
    }
    let mut left = vec![0; usize::from(BackendId::MAX) + 1];
    for Share { member, slots } in warming {
        let part = slots * u32::from(member.ramp.steps()) / u32::from(top.steps());
        left[usize::from(member.id)] = part.max(1);
    }
    let unused_bits = table.len().leading_zeros() + 1;
    let mut kept = Vec::new();
    for slot in (0..table.len()).map(|number| number.reverse_bits() >> unused_bits) {
        let left = &mut left[usize::from(table[slot])];
        if *left > 0 {
            *left -= 1;
            kept.push((slot, table[slot]));
        }
    }
    kept
}
