use super::*;

#[test]
fn the_table_of_given_addresses_never_changes_between_versions() {
    let table = table(5, &members(&[1, 2, 3]));
    let expected = [
        3, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 3, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 3, 3, 3, 3, 3, 3,
        1, 1,
    ];
    assert_eq!(table[..], expected);
}

#[test]
fn one_of_equal_backends_more_or_less_moves_its_share_and_one_and_a_half_percent_at_most() {
    println!("backends  needless moves, of all slots");
    for count in [2, 3, 5, 10, 20, 50, 100] {
        let all = members(&vec![1; count]);
        let with = table(16, &all);
        let mut most: f64 = 0.0;
        for gone in 0..count.min(5) {
            let mut rest = all.clone();
            rest.remove(gone);
            let without = table(16, &rest);
            most = most.max(needless_moves(&with, &without));
        }
        println!("{count:8}  {:.2}%", most * 100.0);
        assert!(most <= 0.015, "{count} backends: {most}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn the_order_of_the_backends_does_not_matter(
        (ordered, shuffled) in anybody()
            .prop_flat_map(|members| (Just(members.clone()), Just(members).prop_shuffle())),
    ) {
        prop_assert_eq!(home(6, &ordered).table(&ordered), home(6, &shuffled).table(&shuffled));
        prop_assert!(home(6, &ordered).is_of(size(6), &shuffled));
    }

    #[test]
    fn balancers_that_number_backends_differently_agree_on_every_address(
        here in anybody(),
        offset in 1..1000u16,
    ) {
        let there: Vec<Member> =
            here.iter().rev().map(|member| Member { id: 1040 - member.id + offset, ..*member }).collect();
        let renumbered = home(10, &here).table(&here).map(|table| {
            table.iter().map(|id| 1040 - id + offset).collect()
        });
        prop_assert_eq!(home(10, &there).table(&there), renumbered);
    }

    #[test]
    fn one_weight_changed_moves_little_beyond_the_difference(
        weights in prop::collection::vec(1..=20u16, 2..60),
        changed in any::<prop::sample::Index>(),
        weight in 0..=20u16,
    ) {
        let before = members(&weights);
        let mut after = before.clone();
        after[changed.index(before.len())].weight = Weight(weight);
        let needless = needless_moves(&table(16, &before), &table(16, &after));
        prop_assert!(needless <= 0.015, "{needless}");
    }
}
