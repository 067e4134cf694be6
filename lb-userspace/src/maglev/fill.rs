//! Members take the free slots, each on its walk, turn by turn.

use lb_common::backend::BackendId;

use super::{Member, turns::Turns, walk::Walk};

/// What a slot holds that no member has: no backend's number.
pub(super) const FREE: BackendId = 0;

/// With so few free slots, searching them all is quicker than a walk that meets mostly taken ones.
fn few(slots: usize) -> usize {
    slots.isqrt()
}

/// Gives every free slot to a taker, as many to each as stand beside it: all of them together.
pub(super) fn fill(table: &mut [BackendId], takers: &[(Member, u32)]) {
    let (mut walks, quotas): (Vec<Walk>, Vec<u32>) = takers
        .iter()
        .filter(|(_, quota)| *quota > 0)
        .map(|(member, quota)| (Walk::new(member), *quota))
        .unzip();
    let free = quotas.iter().sum::<u32>() as usize;
    let mut turns = Turns::new(free, &quotas);
    for _ in few(table.len())..free {
        let walk = &mut walks[turns.next()];
        let slot = walk.stride(table);
        table[slot] = walk.id;
    }
    let is_free = |slot: &u32| table[*slot as usize] == FREE;
    let mut free: Vec<u32> = (0..table.len() as u32).filter(is_free).collect();
    while !free.is_empty() {
        let walk = &mut walks[turns.next()];
        let at = walk.leap(&free, table.len());
        table[free.swap_remove(at) as usize] = walk.id;
    }
}
