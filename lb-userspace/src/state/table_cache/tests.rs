use super::*;
use crate::maglev::Ramp;

fn members(weights: &[(&str, u16)]) -> Vec<Member> {
    let member = |((address, weight), id): (&(&str, u16), BackendId)| {
        let (address, weight) = (address.parse().unwrap(), crate::model::Weight(*weight));
        Member { id, address, weight, ramp: Ramp::FULL, is_primary: true }
    };
    weights.iter().zip(1..).map(member).collect()
}

fn only_table(cache: &mut TableCache, slots: u32, members: &[Member]) -> Arc<[BackendId]> {
    let service = "web".parse().unwrap();
    let size = TableSize::try_from(slots).unwrap();
    let wish = TableWish { service: &service, size, members: members.to_vec(), order: None };
    cache.tables(vec![wish]).remove(0).0.unwrap()
}

#[test]
fn a_backend_that_returns_finds_its_very_table_again() {
    let all = members(&[("192.0.2.21", 1), ("192.0.2.22", 2), ("192.0.2.23", 1)]);
    let mut cache = TableCache::default();
    let before = only_table(&mut cache, 256, &all);
    let mut out = all.clone();
    out[1].ramp = Ramp::NONE;
    assert!(!only_table(&mut cache, 256, &out).contains(&all[1].id));
    let after = only_table(&mut cache, 256, &all);
    assert!(Arc::ptr_eq(&before, &after), "it is not even built again");
}

#[test]
fn a_new_size_weight_or_number_shows_at_once() {
    let mut all = members(&[("192.0.2.21", 1), ("192.0.2.22", 1)]);
    let mut cache = TableCache::default();
    let share = |table: &[BackendId]| table.iter().filter(|id| **id == 2).count();
    assert_eq!(share(&only_table(&mut cache, 256, &all)), 128);
    assert_eq!(share(&only_table(&mut cache, 512, &all)), 256);
    all[0].weight.0 = 3;
    assert_eq!(share(&only_table(&mut cache, 512, &all)), 128);
    (all[0].id, all[1].id) = (2, 1);
    assert_eq!(share(&only_table(&mut cache, 512, &all)), 384);
}

#[test]
fn a_rotation_is_made_anew_when_its_order_changes() {
    let all = members(&[("192.0.2.21", 2), ("192.0.2.22", 1)]);
    let service = "web".parse().unwrap();
    let size = TableSize::try_from(256).unwrap();
    let mut cache = TableCache::default();
    let mut turns = |order| {
        let wish = TableWish { service: &service, size, members: all.clone(), order };
        cache.tables(vec![wish]).remove(0).1.map(|turns| turns.len())
    };
    assert_eq!(turns(None), None);
    assert_eq!(turns(Some(Order::WeightedTurns)), Some(3));
    assert_eq!(turns(Some(Order::Turns)), Some(2));
    assert_eq!(turns(Some(Order::Roster)), Some(2));
}
