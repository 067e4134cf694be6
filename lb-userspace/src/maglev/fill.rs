//! Members take the free slots, each on its walk, turn by turn.

use lb_common::backend::BackendId;

use super::{Member, turns::Turns, walk::Walk};

/// What a slot holds that no member has: no backend's number.
pub(super) const FREE: BackendId = 0;

/// How many slots a member has, or is to get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) member: Member,
    pub(super) slots: u32,
}

/// One who takes slots.
struct Taker {
    id: BackendId,
    walk: Walk,
    /// Slots still to take.
    left: u32,
}

/// Gives every free slot away. The shares add up to as many.
///
/// Slots are taken two at a time while two are left together: that takes half the time, and a table
/// of half as many places is nearly as steady.
pub(super) fn fill(table: &mut [BackendId], shares: &[Share]) {
    let mut takers: Vec<Taker> = shares
        .iter()
        .filter(|share| share.slots > 0)
        .map(|Share { member, slots }| Taker {
            id: member.id,
            walk: Walk::new(member.address),
            left: *slots,
        })
        .collect();
    hand_out::<2>(table, &mut takers);
    hand_out::<1>(table, &mut takers);
}

/// With so few free cells, searching them all is quicker than a walk that meets mostly taken ones.
fn few(cells: usize) -> usize {
    cells.isqrt()
}

/// Gives free cells of `N` slots to those who still take as many, until either run out.
fn hand_out<const N: usize>(table: &mut [BackendId], takers: &mut [Taker]) {
    let (cells, _) = table.as_chunks_mut::<N>();
    let few = few(cells.len());
    let mut free = cells.iter().filter(|cell| **cell == [FREE; N]).count();
    let quotas: Vec<u32> = takers.iter().map(|taker| taker.left / N as u32).collect();
    let mut turns = Turns::new(&quotas);
    let mut walks: Vec<Walk> = takers.iter().map(|taker| taker.walk).collect();
    while free > few
        && let Some(turn) = turns.next()
    {
        let cell = walks[turn].stride(cells);
        cells[cell] = [takers[turn].id; N];
        takers[turn].left -= N as u32;
        free -= 1;
    }
    let is_free = |cell: &u32| cells[*cell as usize] == [FREE; N];
    let mut free: Vec<u32> = (0..cells.len() as u32).filter(is_free).collect();
    while !free.is_empty()
        && let Some(turn) = turns.next()
    {
        let at = walks[turn].leap(&free, cells.len());
        cells[free.swap_remove(at) as usize] = [takers[turn].id; N];
        takers[turn].left -= N as u32;
    }
}
