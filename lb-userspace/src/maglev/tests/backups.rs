use super::*;

/// Primaries of weight 1, and after them backups of these weights.
fn with_backups(primaries: usize, weights: &[u16]) -> Vec<Member> {
    let weights: Vec<u16> = [1].repeat(primaries).iter().chain(weights).copied().collect();
    let mut members = members(&weights);
    for member in &mut members[primaries..] {
        member.is_primary = false;
    }
    members
}

#[test]
fn a_backup_gets_nothing_while_every_primary_serves() {
    assert_eq!(table(10, &with_backups(3, &[9])), table(10, &members(&[1; 3])));
}

#[test]
fn a_backup_steps_in_for_the_primaries_that_fail_and_for_no_other() {
    let all = with_backups(4, &[9]);
    let before = table(10, &all);
    let after = table(10, &with_ramp(&all, 2, 0));
    assert!(moves(&before, &after).into_iter().all(|moved| moved == (3, 5)));
    assert_eq!(shares(&after), BTreeMap::from([(1, 256), (2, 256), (4, 256), (5, 256)]));
}

#[test]
fn a_backup_that_does_not_take_part_gets_nothing_when_a_primary_fails() {
    let all = with_ramp(&with_backups(2, &[1]), 2, 0);
    assert_eq!(shares(&table(10, &with_ramp(&all, 0, 0))), BTreeMap::from([(2, 1024)]));
}

#[test]
fn when_no_primary_serves_the_backups_share_all_by_weight() {
    let mut all = with_backups(2, &[1, 3]);
    (all[0].ramp, all[1].ramp) = (Ramp::NONE, Ramp::NONE);
    assert_eq!(shares(&table(10, &all)), BTreeMap::from([(3, 256), (4, 768)]));
    assert_eq!(shares(&table(10, &all[2..])), BTreeMap::from([(3, 256), (4, 768)]));
}

#[test]
fn a_backup_warms_up_as_a_primary_does() {
    let mut all = with_backups(1, &[1, 1]);
    (all[0].ramp, all[2].ramp) = (Ramp::NONE, Ramp::of(4));
    assert_eq!(shares(&table(10, &all)), BTreeMap::from([(2, 896), (3, 128)]));
}
