//! The order in which backends take turns at new flows: what the schedulers go through that do not
//! hash, step by step and round and round.
//!
//! A rotation is made by the method of Tijdeman, "The chairman assignment problem" (1980): every
//! turn has an earliest and a latest place, such that nobody gets ahead of its share or falls behind
//! by a whole turn, and of the turns whose time has come that with the earliest end goes first.
//! Members of equal weight count as one there, and share its turns in the order of their addresses.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use lb_common::backend::BackendId;

use crate::{maglev::quotas, model::BackendAddress};

/// The most turns of a rotation.
pub const LONGEST: usize = 1 << 16;

/// A backend that may take new flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// What stands for it; never 0.
    pub id: BackendId,
    /// Where its place comes from; no two candidates share one.
    pub address: BackendAddress,
    /// How many turns it gets, relative to the others; with 0 none.
    pub weight: u32,
}

/// Whose turn it is, one after the other, until all begins again; `None` when nobody has a weight
/// above 0.
///
/// - Each has as many turns as its weight says, once the weights have no common divisor: of equal
///   weights each has one, in the order of addresses. Only where that would take more than
///   [`LONGEST`] turns, weights are rounded to fit, to one turn at least.
/// - Wherever one begins to count, and over the end too, each has its share of the turns to within
///   `2 - 1/(n-1)` turns, n being the number of different weights: one turn for two weights, never
///   two. So who has a share of `p` never has `2/(1-p)` turns in a row, and in 5 : 1 : 1 no more than
///   three.
pub fn rotation(candidates: &[Candidate]) -> Option<Arc<[BackendId]>> {
    let takers = in_order(candidates);
    let weights: Vec<u32> = takers.iter().map(|taker| taker.weight).collect();
    let mut turns = without_divisor(&weights);
    if turns.iter().map(|turns| u64::from(*turns)).sum::<u64>() > LONGEST as u64 {
        turns = without_divisor(&quotas(LONGEST, &turns)?);
    }
    let mut streams: BTreeMap<u32, Stream> = BTreeMap::new();
    for (taker, turns) in takers.iter().zip(turns) {
        let stream = streams.entry(turns).or_default();
        stream.members.push(taker.id);
        stream.turns += u64::from(turns);
    }
    let rotation = interleave(streams.into_values().rev().collect());
    (!takers.is_empty()).then(|| rotation.into())
}

/// All that have a weight above 0, once each, in the order of their addresses; `None` when nobody
/// has.
pub fn roster(candidates: &[Candidate]) -> Option<Arc<[BackendId]>> {
    let takers = in_order(candidates);
    (!takers.is_empty()).then(|| takers.iter().map(|taker| taker.id).collect())
}

fn in_order(candidates: &[Candidate]) -> Vec<Candidate> {
    let mut takers: Vec<Candidate> =
        candidates.iter().filter(|candidate| candidate.weight > 0).copied().collect();
    takers.sort_by_key(|taker| taker.address);
    takers
}

fn without_divisor(weights: &[u32]) -> Vec<u32> {
    let divisor = weights.iter().fold(0, |divisor, weight| common_divisor(*weight, divisor));
    weights.iter().map(|weight| weight / divisor).collect()
}

/// Euclid's.
fn common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// Members of equal weight, who share the turns of all of them.
#[derive(Default)]
struct Stream {
    /// In the order in which they take turns, again and again.
    members: Vec<BackendId>,
    /// Turns in a rotation.
    turns: u64,
    /// Turns that have a place.
    placed: u64,
}

/// Each of the streams' turns in a place between its earliest and its latest. There is such an order,
/// and who goes first whose time ends first finds one: that is Tijdeman's theorem.
fn interleave(mut streams: Vec<Stream>) -> Vec<BackendId> {
    let length: u64 = streams.iter().map(|stream| stream.turns).sum();
    // Nobody gets ahead, or falls behind, by more than a turn less one part in so many.
    let parts = 2 * streams.len().max(2) as u64 - 2;
    let earliest = |Stream { turns, placed, .. }: &Stream| {
        (length * (placed * parts + 1)).div_ceil(turns * parts)
    };
    let latest = |Stream { turns, placed, .. }: &Stream| {
        length * (placed * parts + parts - 1) / (turns * parts)
    };
    let mut early: BTreeSet<(u64, usize)> =
        streams.iter().zip(0..).map(|(stream, at)| (earliest(stream), at)).collect();
    let mut due = BTreeSet::new();
    let mut rotation = Vec::with_capacity(length as usize);
    for place in 1..=length {
        while let Some((from, at)) = early.first().copied()
            && from <= place
        {
            early.pop_first();
            due.insert((latest(&streams[at]), at));
        }
        let Some((_, at)) = due.pop_first() else { continue };
        let stream = &mut streams[at];
        rotation.push(stream.members[stream.placed as usize % stream.members.len()]);
        stream.placed += 1;
        early.insert((earliest(stream), at));
    }
    rotation
}

#[cfg(test)]
mod tests;
