use std::{collections::BTreeMap, net::Ipv4Addr, num::NonZeroU16};

use proptest::prelude::*;

use super::{turns::Turns, walk::Walk, *};

fn member(number: u16, weight: u16) -> Member {
    let ip = Ipv4Addr::from(0xc000_0200 + u32::from(number)).into();
    let address = BackendAddress { ip, port: NonZeroU16::new(443) };
    Member { id: number + 1, address, weight: Weight(weight) }
}

fn members(weights: &[u16]) -> Vec<Member> {
    weights.iter().zip(0..).map(|(weight, number)| member(number, *weight)).collect()
}

fn size(log2: u32) -> TableSize {
    TableSize::try_from(1 << log2).unwrap()
}

fn table(log2: u32, members: &[Member]) -> Arc<[BackendId]> {
    build(size(log2), members).unwrap()
}

fn shares(table: &[BackendId]) -> BTreeMap<BackendId, usize> {
    let mut shares = BTreeMap::new();
    for id in table {
        *shares.entry(*id).or_default() += 1;
    }
    shares
}

fn ratio(part: usize, whole: usize) -> f64 {
    f64::from(u32::try_from(part).unwrap()) / f64::from(u32::try_from(whole).unwrap())
}

/// Slots that moved although the shares did not ask for it, as a fraction of all.
fn needless_moves(before: &[BackendId], after: &[BackendId]) -> f64 {
    let moved = before.iter().zip(after).filter(|(old, new)| old != new).count();
    let (old, new) = (shares(before), shares(after));
    let needed: usize =
        new.iter().map(|(id, count)| count.saturating_sub(old.get(id).copied().unwrap_or(0))).sum();
    ratio(moved - needed, before.len())
}

/// The build as the paper describes it, one slot at a time: what the quick one must equal.
fn build_slowly(size: TableSize, members: &[Member]) -> Vec<BackendId> {
    let slots = size.slots();
    let weights: Vec<u32> = members.iter().map(|member| u32::from(member.weight.0)).collect();
    let mut walks: Vec<Walk> = members.iter().map(Walk::new).collect();
    let mut turns = Turns::new(slots, &quotas(slots, &weights).unwrap());
    let mut table = vec![0; slots];
    for _ in 0..slots {
        let walk = &mut walks[turns.next()];
        while table[walk.next as usize % slots] != FREE {
            walk.next = walk.next.wrapping_add(walk.step);
        }
        table[walk.next as usize % slots] = walk.id;
    }
    table
}

#[test]
fn weights_of_1_10_and_100_get_their_exact_shares() {
    let shares = shares(&table(16, &members(&[1, 10, 100])));
    assert_eq!(shares, BTreeMap::from([(1, 590), (2, 5904), (3, 59042)]));
}

#[test]
fn without_a_weight_there_is_no_table() {
    assert_eq!(build(size(16), &[]), None);
    assert_eq!(build(size(16), &members(&[0, 0])), None);
}

#[test]
fn a_weight_of_zero_gets_no_slot() {
    assert_eq!(shares(&table(5, &members(&[0, 3]))), BTreeMap::from([(2, 32)]));
}

#[test]
fn the_lightest_backend_still_gets_a_slot() {
    let mut weights = [u16::MAX; 20];
    weights[7] = 1;
    assert_eq!(shares(&table(5, &members(&weights)))[&8], 1);
}

#[test]
fn with_more_backends_than_slots_the_heaviest_get_one_each() {
    let mut weights = [1; 40];
    weights[39] = 2;
    let expected: BTreeMap<BackendId, usize> = (1..=31).chain([40]).map(|id| (id, 1)).collect();
    assert_eq!(shares(&table(5, &members(&weights))), expected);
}

#[test]
fn the_table_of_given_addresses_never_changes_between_versions() {
    let table = table(5, &members(&[1, 2, 3]));
    let expected = [
        1, 2, 3, 3, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 2, 3, 2, 2, 2, 1, 2, 2, 2,
        2, 2,
    ];
    assert_eq!(table[..], expected);
}

#[test]
fn one_of_equal_backends_less_moves_under_a_percent_needlessly() {
    for count in [2, 3, 10, 50, 100] {
        let all = members(&vec![1; count]);
        let before = table(16, &all);
        for gone in 0..count.min(5) {
            let mut rest = all.clone();
            rest.remove(gone);
            let needless = needless_moves(&before, &table(16, &rest));
            assert!(needless <= 0.01, "{count} backends: {needless}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn every_slot_is_filled_and_every_share_within_a_percent(
        weights in prop::collection::vec(1..=100u16, 1..60),
    ) {
        let table = table(16, &members(&weights));
        let shares = shares(&table);
        let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
        prop_assert_eq!(shares.values().sum::<usize>(), 65_536);
        for (weight, id) in weights.iter().zip(1..) {
            let exact = 65_536.0 * f64::from(*weight) / total;
            let share = ratio(shares[&id], 1);
            prop_assert!((share - exact).abs() <= (exact / 100.0).max(1.0), "{share} for {exact}");
        }
    }

    #[test]
    fn the_order_of_the_backends_does_not_matter(
        (ordered, shuffled) in prop::collection::vec(0..50u16, 1..80)
            .prop_map(|weights| members(&weights))
            .prop_flat_map(|members| (Just(members.clone()), Just(members).prop_shuffle())),
    ) {
        prop_assert_eq!(build(size(6), &ordered), build(size(6), &shuffled));
    }

    #[test]
    fn balancers_that_number_backends_differently_agree_on_every_address(
        weights in prop::collection::vec(1..50u16, 1..40),
        offset in 1..1000u16,
    ) {
        let here = members(&weights);
        let there: Vec<Member> =
            here.iter().map(|member| Member { id: member.id + offset, ..*member }).collect();
        let expected: Vec<BackendId> =
            table(10, &here).iter().map(|id| id + offset).collect();
        prop_assert_eq!(&table(10, &there)[..], &expected[..]);
    }

    #[test]
    fn one_backend_less_moves_little_beyond_its_share(
        weights in prop::collection::vec(1..=20u16, 2..60),
        gone in any::<prop::sample::Index>(),
    ) {
        let all = members(&weights);
        let mut rest = all.clone();
        rest.remove(gone.index(all.len()));
        let needless = needless_moves(&table(16, &all), &table(16, &rest));
        prop_assert!(needless <= 0.015, "{needless}");
    }

    #[test]
    fn one_weight_changed_moves_little_beyond_the_difference(
        weights in prop::collection::vec(1..=20u16, 2..60),
        changed in any::<prop::sample::Index>(),
        weight in 1..=20u16,
    ) {
        let before = members(&weights);
        let mut after = before.clone();
        after[changed.index(before.len())].weight = Weight(weight);
        let needless = needless_moves(&table(16, &before), &table(16, &after));
        prop_assert!(needless <= 0.015, "{needless}");
    }

    #[test]
    fn the_quick_build_equals_the_plain_one(
        weights in prop::collection::vec(1..=1000u16, 1..32),
        log2 in 5..=12u32,
    ) {
        let members = members(&weights);
        prop_assert_eq!(&table(log2, &members)[..], &build_slowly(size(log2), &members)[..]);
    }
}
