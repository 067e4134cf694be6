//! Shares in whole slots.

use std::cmp::Reverse;

/// How many slots each weight gets; all of them together get every slot. `None` when no weight is
/// above 0.
///
/// Each gets the whole part of its exact share, and the slots left over go to the largest
/// remainders; but no weight above 0 gets less than one slot: the others pay for that in
/// proportion. With more weights than slots the heaviest get one each, of equal ones the first.
pub(crate) fn quotas(slots: usize, weights: &[u32]) -> Option<Vec<u32>> {
    let wanting = weights.iter().filter(|weight| **weight > 0).count();
    match wanting {
        0 => None,
        _ if wanting > slots => Some(one_each(slots, weights)),
        _ => Some(in_proportion(slots as u64, weights)),
    }
}

fn one_each(slots: usize, weights: &[u32]) -> Vec<u32> {
    let mut by_weight: Vec<usize> = (0..weights.len()).collect();
    by_weight.sort_by_key(|at| Reverse(weights[*at]));
    let mut quotas = vec![0; weights.len()];
    for at in by_weight.into_iter().take(slots) {
        quotas[at] = 1;
    }
    quotas
}

/// There are no more weights above 0 than slots, and one at least.
fn in_proportion(slots: u64, weights: &[u32]) -> Vec<u32> {
    let mut one_slot = vec![false; weights.len()];
    let (slots, total) = loop {
        let rest = slots - one_slot.iter().filter(|one| **one).count() as u64;
        let sharing = weights.iter().zip(&one_slot).filter(|(_, one)| !**one);
        let total: u64 = sharing.map(|(weight, _)| u64::from(*weight)).sum();
        let mut is_settled = true;
        for (weight, one) in weights.iter().zip(&mut one_slot) {
            if !*one && *weight > 0 && u64::from(*weight) * rest < total {
                *one = true;
                is_settled = false;
            }
        }
        if is_settled {
            break (rest, total);
        }
    };
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
    quotas
}
