use super::*;
use crate::maglev::{
    fill::{FREE, Share, fill},
    quotas::quotas,
    turns::Turns,
    walk::Walk,
};

/// The filling as the paper describes it, one step of a walk at a time; first for two slots at once,
/// then for one.
fn fill_slowly(table: &mut [BackendId], shares: &[Share]) {
    let mut left: Vec<u32> = shares.iter().map(|share| share.slots).collect();
    for width in [2, 1] {
        let places = table.len() / width;
        let turns: Vec<u32> = left.iter().map(|left| left / width as u32).collect();
        for turn in Turns::new(&turns) {
            let Walk { next, step, .. } = Walk::new(shares[turn].member.address);
            let mut way = (0..places as u32)
                .map(|steps| next.wrapping_add(step.wrapping_mul(steps)) as usize % places * width);
            let is_free = |at: &usize| table[*at..*at + width] == [FREE; 2][..width];
            let Some(at) = way.find(is_free) else { break };
            table[at..at + width].fill(shares[turn].member.id);
            left[turn] -= width as u32;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn quick_filling_equals_the_plain_one(
        weights in prop::collection::vec(1..=1000u16, 1..32),
        taken in prop::collection::vec(prop::bool::weighted(0.3), 1 << 10),
        log2 in 5..=10u32,
    ) {
        let taken = taken.into_iter().take(1 << log2);
        let mut quick: Vec<BackendId> = taken.map(|taken| if taken { 999 } else { FREE }).collect();
        let mut slow = quick.clone();
        let free = quick.iter().filter(|id| **id == FREE).count();
        let weights: Vec<u32> = weights.into_iter().map(u32::from).collect();
        let shares: Vec<Share> = quotas(free, &weights)
            .unwrap()
            .into_iter()
            .zip(0..)
            .map(|(slots, number)| Share { member: member(number, 1), slots })
            .collect();
        fill(&mut quick, &shares);
        fill_slowly(&mut slow, &shares);
        prop_assert_eq!(quick, slow);
    }
}
