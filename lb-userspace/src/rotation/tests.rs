use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

/// Candidates numbered from 1, in the order of their addresses.
fn candidates(weights: &[u32]) -> Vec<Candidate> {
    let candidate = |(weight, number): (&u32, u16)| {
        let ip = Ipv4Addr::from(0xc000_0200 + u32::from(number)).into();
        let address = BackendAddress { ip, port: None };
        Candidate { id: number + 1, address, weight: *weight }
    };
    weights.iter().zip(0..).map(candidate).collect()
}

fn turns(weights: &[u32]) -> Vec<BackendId> {
    rotation(&candidates(weights)).unwrap().to_vec()
}

fn count(turns: &[BackendId], id: BackendId) -> usize {
    turns.iter().filter(|turn| **turn == id).count()
}

/// The longest run of turns of one backend, over the end too.
fn longest_run(turns: &[BackendId]) -> usize {
    let twice = turns.repeat(2);
    let runs = twice.chunk_by(|one, next| one == next).map(<[_]>::len);
    runs.max().unwrap_or(0).min(turns.len())
}

/// How far the turns that a backend had are from its share of them, at most, wherever one begins
/// to count and stops; in parts of which as many as the rotation is long make a turn.
fn furthest(turns: &[BackendId], id: BackendId) -> u64 {
    let [length, own] = [turns.len(), count(turns, id)].map(|count| i64::try_from(count).unwrap());
    let ahead = turns.iter().scan(0, |ahead, turn| {
        *ahead += if *turn == id { length - own } else { -own };
        Some(*ahead)
    });
    let (least, most) =
        ahead.fold((0, 0), |(least, most), ahead| (ahead.min(least), ahead.max(most)));
    most.abs_diff(least)
}

#[test]
fn a_heavy_backend_takes_its_turns_between_those_of_the_light() {
    assert_eq!(turns(&[5, 1, 1]), [1, 2, 1, 1, 1, 3, 1]);
    assert_eq!(turns(&[1, 2, 3]), [3, 2, 3, 1, 3, 2]);
    assert_eq!(turns(&[4, 4, 1]), [1, 2, 1, 2, 3, 1, 2, 1, 2]);
}

#[test]
fn equal_weights_take_one_turn_each_in_the_order_of_addresses() {
    let mut shuffled = candidates(&[7; 5]);
    shuffled.swap(0, 3);
    shuffled.swap(1, 4);
    assert_eq!(rotation(&shuffled).unwrap()[..], [1, 2, 3, 4, 5]);
}

#[test]
fn one_backend_more_or_less_leaves_equal_others_in_their_order() {
    let mut turns = turns(&[3, 3, 2, 3, 3]);
    turns.retain(|id| *id != 3);
    assert!(turns.chunks(4).all(|round| round == [1, 2, 4, 5]), "{turns:?}");
}

#[test]
fn a_weight_of_zero_has_no_turn() {
    assert_eq!(turns(&[0, 2, 0, 2]), [2, 4]);
}

#[test]
fn without_a_weight_there_is_neither_rotation_nor_roster() {
    for none in [&[][..], &[0], &[0, 0]] {
        assert_eq!(rotation(&candidates(none)), None);
        assert_eq!(roster(&candidates(none)), None);
    }
}

#[test]
fn a_rotation_that_would_be_too_long_is_rounded_to_one_turn_at_least() {
    let turns = turns(&[1_048_560, 1_048_559, 65_537, 1]);
    assert_eq!(turns.len(), LONGEST);
    let exact = |weight: f64| 65_535.0 * weight / (1_048_560.0 + 1_048_559.0 + 65_537.0);
    for (id, exact) in
        [exact(1_048_560.0), exact(1_048_559.0), exact(65_537.0), 1.0].iter().enumerate()
    {
        let had = f64::from(count(&turns, id as BackendId + 1) as u32);
        assert!((had - exact).abs() < 1.0, "{had} for {exact}");
    }
}

#[test]
fn the_roster_has_everybody_who_takes_new_flows_once_in_the_order_of_addresses() {
    let mut shuffled = candidates(&[1, 9, 0, 4]);
    shuffled.reverse();
    assert_eq!(roster(&shuffled).unwrap()[..], [1, 2, 4]);
}

/// How many different weights there are beside one, but one at least.
fn other_weights(weights: &[u32]) -> u64 {
    let different: BTreeSet<u32> = weights.iter().copied().collect();
    different.len().max(2) as u64 - 1
}

/// A few weights, often equal, now and then heavy.
fn weights() -> impl Strategy<Value = Vec<u32>> {
    let one = prop_oneof![1..4u32, 1..40u32, Just(16), 200..400u32];
    prop::collection::vec(one, 1..30)
}

proptest! {
    #[test]
    fn each_has_as_many_turns_as_its_weight_says(weights in weights(), factor in 1..100u32) {
        let multiplied: Vec<u32> = weights.iter().map(|weight| weight * factor).collect();
        let turns = turns(&multiplied);
        let divisor = weights.iter().copied().reduce(common_divisor).unwrap();
        for (weight, id) in weights.iter().zip(1..) {
            prop_assert_eq!(count(&turns, id), (weight / divisor) as usize);
        }
        prop_assert_eq!(turns.len(), (weights.iter().sum::<u32>() / divisor) as usize);
    }

    #[test]
    fn wherever_one_begins_to_count_each_has_its_share_to_within_two_turns(weights in weights()) {
        let turns = turns(&weights);
        let others = other_weights(&weights);
        for (_, id) in weights.iter().zip(1..) {
            let bound = turns.len() as u64 * (2 * others - 1);
            prop_assert!(furthest(&turns, id) * others <= bound);
        }
    }

    #[test]
    fn nobody_has_more_turns_in_a_row_than_its_share_explains(weights in weights()) {
        let heaviest = u64::from(*weights.iter().max().unwrap());
        let all: u64 = weights.iter().copied().map(u64::from).sum();
        prop_assume!(heaviest < all);
        let run = longest_run(&turns(&weights)) as u64;
        let others = other_weights(&weights);
        prop_assert!(run * (all - heaviest) * others <= all * (2 * others - 1), "{run}");
    }

    #[test]
    fn a_heavy_backend_among_equal_ones_has_no_run_that_could_be_shorter(
        heavy in 2..1000u32,
        light in 1..10u32,
        count in 1..20usize,
    ) {
        prop_assume!(heavy > light);
        let weights = [vec![heavy], vec![light; count]].concat();
        let others = light * count as u32;
        prop_assert_eq!(longest_run(&turns(&weights)), heavy.div_ceil(others) as usize);
    }

    #[test]
    fn the_order_in_which_backends_are_listed_does_not_matter(
        (ordered, shuffled) in weights()
            .prop_map(|weights| candidates(&weights))
            .prop_flat_map(|listed| (Just(listed.clone()), Just(listed).prop_shuffle())),
    ) {
        prop_assert_eq!(rotation(&ordered), rotation(&shuffled));
        prop_assert_eq!(roster(&ordered), roster(&shuffled));
    }
}
