use super::*;

/// Members of which the first is at its full ramp, and the second is to be changed.
fn one_full_and_others() -> impl Strategy<Value = Vec<Member>> {
    let one = (1..20u16, 0..=Ramp::STEPS);
    prop::collection::vec(one, 2..30).prop_map(|drawn| {
        let (weights, steps): (Vec<u16>, Vec<u8>) = drawn.into_iter().unzip();
        let mut members = members(&weights);
        for (member, steps) in members.iter_mut().zip(steps).skip(1) {
            member.ramp = Ramp::of(steps);
        }
        members
    })
}

#[test]
fn a_failure_moves_no_slot_but_those_of_the_failed() {
    let all = members(&[3, 1, 2, 2, 1, 5]);
    let home = home(16, &all);
    let before = home.table(&all).unwrap();
    for (which, failed) in all.iter().enumerate() {
        let after = home.table(&with_ramp(&all, which, 0)).unwrap();
        let moves = moves(&before, &after);
        assert_eq!(moves.len(), share_of(failed, &before));
        assert!(moves.iter().all(|(old, _)| *old == failed.id));
    }
}

#[test]
fn another_failure_moves_less_than_half_a_percent_needlessly() {
    let all = members(&[1; 20]);
    let home = home(16, &all);
    let first = with_ramp(&all, 4, 0);
    for second in [0, 3, 5, 19] {
        let moved = needless_moves(
            &home.table(&first).unwrap(),
            &home.table(&with_ramp(&first, second, 0)).unwrap(),
        );
        assert!(moved <= 0.005, "{moved}");
    }
}

#[test]
fn a_backend_warms_up_by_a_sixteenth_of_its_slots_at_a_time_until_all_are_home() {
    let all = members(&[4, 2, 7, 3]);
    let home = home(16, &all);
    let whole = home.table(&all).unwrap();
    let warming = &all[1];
    let step = share_of(warming, &whole) / 16;
    let mut before = home.table(&with_ramp(&all, 1, 0)).unwrap();
    for steps in 1..=Ramp::STEPS {
        let after = home.table(&with_ramp(&all, 1, steps)).unwrap();
        let moves = moves(&before, &after);
        assert!((step..=step + 1).contains(&moves.len()), "{} at step {steps}", moves.len());
        assert!(moves.iter().all(|(_, new)| *new == warming.id), "step {steps}");
        before = after;
    }
    assert_eq!(before, whole);
}

#[test]
fn a_backend_warms_up_evenly_while_others_are_down() {
    let mut all = members(&[1; 8]);
    (all[2].ramp, all[5].ramp, all[6].ramp) = (Ramp::NONE, Ramp::NONE, Ramp::NONE);
    let home = home(16, &all);
    let share = |steps| share_of(&all[1], &home.table(&with_ramp(&all, 1, steps)).unwrap());
    let whole = share(Ramp::STEPS);
    assert_eq!(whole, 65_536 / 5);
    for steps in 1..Ramp::STEPS {
        assert_eq!(share(steps), whole * usize::from(steps) / 16);
    }
}

#[test]
fn a_backend_that_begins_to_warm_up_has_a_slot_at_least() {
    let all = with_ramp(&members(&[1000, 1]), 1, 1);
    assert_eq!(share_of(&all[1], &table(8, &all)), 1);
}

#[test]
fn a_service_that_starts_as_a_whole_has_the_table_that_it_will_have() {
    let mut all = members(&[1, 2, 3]);
    let whole = table(10, &all);
    for member in &mut all {
        member.ramp = Ramp::of(3);
    }
    assert_eq!(table(10, &all), whole);
}

#[test]
fn when_nobody_is_warm_the_warmest_take_what_the_others_leave() {
    let mut all = members(&[1, 1]);
    (all[0].ramp, all[1].ramp) = (Ramp::of(8), Ramp::of(4));
    assert_eq!(shares(&table(10, &all)), BTreeMap::from([(1, 768), (2, 256)]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_slot_of_a_backend_at_full_ramp_stays_whatever_becomes_of_the_others(
        members in anybody(),
        log2 in 5..=12u32,
    ) {
        let home = home(log2, &members);
        let full: Vec<Member> =
            members.iter().map(|member| Member { ramp: Ramp::FULL, ..*member }).collect();
        let Some((whole, table)) = home.table(&full).zip(home.table(&members)) else {
            return Ok(());
        };
        let is_home = |id: BackendId| {
            let member = members[usize::from(id) - 1];
            member.is_primary && member.ramp == Ramp::FULL
        };
        for (old, new) in moves(&whole, &table) {
            prop_assert!(!is_home(old), "a slot moved from {old} to {new}");
        }
    }

    #[test]
    fn a_step_of_a_ramp_moves_slots_to_the_one_that_warms_up_alone(
        members in one_full_and_others(),
        steps in 1..Ramp::STEPS - 1,
    ) {
        let home = home(16, &members);
        let before = home.table(&with_ramp(&members, 1, steps)).unwrap();
        let after = home.table(&with_ramp(&members, 1, steps + 1)).unwrap();
        let moves = moves(&before, &after);
        prop_assert!(moves.iter().all(|(_, new)| *new == members[1].id));
        let each = ratio(share_of(&members[1], &before), usize::from(steps));
        prop_assert!((ratio(moves.len(), 1) - each).abs() <= 1.0, "{} for {each}", moves.len());
    }

    #[test]
    fn who_warms_up_leaves_the_others_between_the_shares_they_have_without_it_and_with_it(
        members in one_full_and_others(),
    ) {
        let as_if = |ramp: Ramp| -> Vec<Member> {
            let is_warming = |member: &Member| (Ramp::of(1)..Ramp::FULL).contains(&member.ramp);
            let at = |member: &Member| if is_warming(member) { ramp } else { member.ramp };
            members.iter().map(|member| Member { ramp: at(member), ..*member }).collect()
        };
        let home = home(16, &members);
        let [cold, now, warm] = [&as_if(Ramp::NONE), &members, &as_if(Ramp::FULL)]
            .map(|members| home.table(members).unwrap());
        let [cold, now, warm] = [cold, now, warm].map(|table| shares(&table));
        for member in members.iter().filter(|member| member.ramp == Ramp::FULL) {
            let [most, share, least] = [&cold, &now, &warm].map(|shares| shares[&member.id]);
            prop_assert!((least..=most + 1).contains(&share), "{least} <= {share} <= {most}");
        }
    }
}
