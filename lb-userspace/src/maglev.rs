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

use std::{cmp::Reverse, iter::repeat_n, sync::Arc};

use lb_common::{address::Address, backend::BackendId};
use sha2::{Digest, Sha256};

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
    let mut members: Vec<Member> =
        members.iter().filter(|member| member.weight.0 > 0).copied().collect();
    if members.len() > size.slots() {
        members.sort_by_key(|member| (Reverse(member.weight), member.address));
        members.truncate(size.slots());
    }
    members.sort_by_key(|member| member.address);
    let weights: Vec<u16> = members.iter().map(|member| member.weight.0).collect();
    let quotas = quotas(size.slots(), &weights)?;
    let mut walks: Vec<Walk> = members.iter().map(Walk::new).collect();
    Some(fill(size, &mut walks, &quotas))
}

/// How many slots each weight gets; all of them together get every slot. `None` without weights.
///
/// Each gets the whole part of its exact share, and the slots left over go to the largest
/// remainders; but none gets less than one slot: the others pay for that in proportion.
fn quotas(slots: usize, weights: &[u16]) -> Option<Vec<u32>> {
    let mut one_slot = vec![false; weights.len()];
    let (slots, total) = loop {
        let rest = slots as u64 - one_slot.iter().filter(|one| **one).count() as u64;
        let sharing = || weights.iter().zip(&one_slot).filter(|(_, one)| !**one);
        let total: u64 = sharing().map(|(weight, _)| u64::from(*weight)).sum();
        if sharing().all(|(weight, _)| u64::from(*weight) * rest >= total) {
            break (rest, total);
        }
        for (weight, one) in weights.iter().zip(&mut one_slot) {
            *one |= u64::from(*weight) * rest < total;
        }
    };
    if total == 0 {
        return None;
    }
    let share = |at: usize| u64::from(weights[at]) * slots;
    let mut quotas: Vec<u32> = (0..weights.len())
        .map(|at| if one_slot[at] { 1 } else { (share(at) / total) as u32 })
        .collect();
    let mut by_remainder: Vec<usize> = (0..weights.len()).filter(|at| !one_slot[*at]).collect();
    by_remainder.sort_by_key(|at| (Reverse(share(*at) % total), *at));
    let given: u64 = by_remainder.iter().map(|at| u64::from(quotas[*at])).sum();
    for at in by_remainder.into_iter().take((slots - given) as usize) {
        quotas[at] += 1;
    }
    Some(quotas)
}

/// One member's way through the slots: every slot once, by steps of one odd length.
struct Walk {
    id: BackendId,
    /// The slot to look at next; only its low bits count.
    next: u32,
    step: u32,
    /// The number that undoes a multiplication by `step`.
    inverse: u32,
}

impl Walk {
    fn new(member: &Member) -> Self {
        let digest = Sha256::digest(name(member.address));
        let word = |at: usize| {
            u32::from_le_bytes([digest[at], digest[at + 1], digest[at + 2], digest[at + 3]])
        };
        let step = word(4) | 1;
        Self { id: member.id, next: word(0), step, inverse: inverse(step) }
    }

    /// The next free slot on the way, which is passed.
    ///
    /// It looks at four slots at a time: whether the very next one is free is a coin toss that a
    /// CPU cannot predict, whether one of four is, it mostly can.
    fn stride(&mut self, table: &[BackendId]) -> usize {
        let mask = table.len() - 1;
        loop {
            let mut free = 0;
            for ahead in 0..4 {
                let slot = self.next.wrapping_add(self.step.wrapping_mul(ahead));
                free |= u32::from(table[slot as usize & mask] == FREE) << ahead;
            }
            if free != 0 {
                let passed = self.step.wrapping_mul(free.trailing_zeros());
                let slot = self.next.wrapping_add(passed);
                self.next = slot.wrapping_add(self.step);
                return slot as usize & mask;
            }
            self.next = self.next.wrapping_add(self.step.wrapping_mul(4));
        }
    }

    /// Which of the free slots [`Self::stride`] would meet: it comes to slot `s` after
    /// `(s - next) / step` steps, modulo the size.
    fn leap(&mut self, free: &[u32], slots: usize) -> usize {
        let mask = slots as u32 - 1;
        let mut nearest = (u32::MAX, 0);
        for (at, slot) in free.iter().enumerate() {
            let steps = slot.wrapping_sub(self.next).wrapping_mul(self.inverse) & mask;
            if steps < nearest.0 {
                nearest = (steps, at);
            }
        }
        let (_, at) = nearest;
        self.next = free[at].wrapping_add(self.step);
        at
    }
}

/// What a walk is derived from: 16 bytes of address, two of port. Every balancer of a group must
/// derive the same walk, so this must never change.
fn name(address: BackendAddress) -> [u8; 18] {
    let mut name = [0; 18];
    let (ip, port) = name.split_at_mut(16);
    ip.copy_from_slice(&Address::from(address.ip).octets());
    port.copy_from_slice(&address.port.map_or(0, u16::from).to_be_bytes());
    name
}

/// The inverse of an odd number modulo 2³², by Newton's method: each round doubles the right bits,
/// and an odd number is its own inverse in the last three.
fn inverse(odd: u32) -> u32 {
    (0..4).fold(odd, |x, _| x.wrapping_mul(2u32.wrapping_sub(odd.wrapping_mul(x))))
}

/// What a slot holds that no walk took yet: no backend's number.
const FREE: BackendId = 0;

/// With so few free slots, searching them all is quicker than a walk that meets mostly taken ones.
fn few(slots: usize) -> usize {
    slots.isqrt()
}

/// Gives every slot to a walk.
fn fill(size: TableSize, walks: &mut [Walk], quotas: &[u32]) -> Arc<[BackendId]> {
    let slots = size.slots();
    let mut turns = Turns::new(slots, quotas);
    let mut table: Arc<[BackendId]> = repeat_n(FREE, slots).collect();
    let filled = Arc::make_mut(&mut table);
    let few = few(slots);
    for _ in few..slots {
        let walk = &mut walks[turns.next()];
        let slot = walk.stride(filled);
        filled[slot] = walk.id;
    }
    let is_free = |slot: &u32| filled[*slot as usize] == FREE;
    let mut free: Vec<u32> = (0..slots as u32).filter(is_free).collect();
    for _ in 0..few {
        let walk = &mut walks[turns.next()];
        let at = walk.leap(&free, slots);
        filled[free.swap_remove(at) as usize] = walk.id;
    }
    table
}

/// Whose turn it is.
///
/// Turns come in rounds: in each, every member's share of as many turns as there are members comes
/// together, and what does not make a whole turn is kept for the next round.
struct Turns {
    slots: u64,
    members: Vec<Turn>,
    at: usize,
}

struct Turn {
    /// What comes together in a round, in parts of which as many as there are slots make a turn.
    share: u64,
    /// What has come together.
    credit: u64,
    /// Turns still to come.
    left: u32,
}

impl Turns {
    /// The quotas add up to the slots.
    fn new(slots: usize, quotas: &[u32]) -> Self {
        let count = quotas.len() as u64;
        let turn = |quota: &u32| {
            let share = u64::from(*quota) * count;
            Turn { share, credit: share, left: *quota }
        };
        Self { slots: slots as u64, members: quotas.iter().map(turn).collect(), at: 0 }
    }

    /// The member whose turn it is; to be asked once for every slot.
    fn next(&mut self) -> usize {
        loop {
            let turn = &mut self.members[self.at];
            if turn.credit >= self.slots && turn.left > 0 {
                turn.credit -= self.slots;
                turn.left -= 1;
                return self.at;
            }
            turn.credit += turn.share;
            self.at += 1;
            if self.at == self.members.len() {
                self.at = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests;
