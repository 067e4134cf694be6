use super::*;

#[test]
fn weights_of_1_10_and_100_get_their_exact_shares() {
    let shares = shares(&table(16, &members(&[1, 10, 100])));
    assert_eq!(shares, BTreeMap::from([(1, 590), (2, 5904), (3, 59042)]));
}

#[test]
fn when_nobody_takes_new_flows_there_is_no_table() {
    let none = |members: &[Member]| home(16, members).table(members);
    assert_eq!(none(&[]), None);
    assert_eq!(none(&members(&[0, 0])), None);
    let out = with_ramp(&members(&[1, 0]), 0, 0);
    assert_eq!(none(&out), None);
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
fn with_more_backends_than_slots_those_without_one_step_in_for_those_who_fail() {
    let all = members(&[1; 40]);
    let shares = shares(&table(5, &with_ramp(&all, 3, 0)));
    let expected = (1..=33).filter(|id| *id != 4).map(|id| (id, 1)).collect();
    assert_eq!(shares, expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_slot_has_an_owner_that_takes_new_flows(members in anybody(), log2 in 5..=12u32) {
        let takes = |member: &Member| member.weight.0 > 0 && member.ramp > Ramp::NONE;
        let takers: Vec<BackendId> =
            members.iter().filter(|member| takes(member)).map(|member| member.id).collect();
        match home(log2, &members).table(&members) {
            Some(table) => prop_assert!(table.iter().all(|id| takers.contains(id))),
            None => prop_assert!(takers.is_empty()),
        }
    }

    #[test]
    fn when_all_serve_shares_are_exact_to_one_slot(
        weights in prop::collection::vec(1..=100u16, 1..60),
    ) {
        let shares = shares(&table(16, &members(&weights)));
        let total: u16 = weights.iter().sum();
        for member in members(&weights) {
            let exact = 65_536.0 * f64::from(member.weight.0) / f64::from(total);
            let share = ratio(shares[&member.id], 1);
            prop_assert!((share - exact).abs() < 1.0, "{share} for {exact}");
        }
    }

    #[test]
    fn whoever_fails_the_others_have_shares_exact_to_two_slots(
        drawn in prop::collection::vec((1..=100u16, any::<bool>()), 1..60),
    ) {
        let (weights, fail): (Vec<u16>, Vec<bool>) = drawn.into_iter().unzip();
        let mut members = members(&weights);
        for (member, fails) in members.iter_mut().zip(fail) {
            member.ramp = if fails { Ramp::NONE } else { Ramp::FULL };
        }
        let serving: Vec<&Member> =
            members.iter().filter(|member| member.ramp == Ramp::FULL).collect();
        prop_assume!(!serving.is_empty());
        let shares = shares(&table(16, &members));
        let total: u16 = serving.iter().map(|member| member.weight.0).sum();
        for member in serving {
            let exact = 65_536.0 * f64::from(member.weight.0) / f64::from(total);
            let share = ratio(shares[&member.id], 1);
            prop_assert!((share - exact).abs() < 2.0, "{share} for {exact}");
        }
    }
}
