use super::*;
use crate::maglev::Ramp;

fn members(weights: &[(&str, u16)]) -> Vec<Member> {
    let member = |((address, weight), id): (&(&str, u16), BackendId)| {
        let (address, weight) = (address.parse().unwrap(), crate::model::Weight(*weight));
        Member { id, address, weight, ramp: Ramp::FULL, is_primary: true }
    };
    weights.iter().zip(1..).map(member).collect()
}

fn only_table(cache: &mut MaglevCache, slots: u32, members: &[Member]) -> Arc<[BackendId]> {
    let service = "web".parse().unwrap();
    let size = TableSize::try_from(slots).unwrap();
    let wish = TableWish { service: &service, size, members: members.to_vec() };
    cache.tables(vec![wish]).remove(0).unwrap()
}

#[test]
fn a_backend_that_returns_finds_its_very_table_again() {
    let all = members(&[("192.0.2.21", 1), ("192.0.2.22", 2), ("192.0.2.23", 1)]);
    let mut cache = MaglevCache::default();
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
    let mut cache = MaglevCache::default();
    let share = |table: &[BackendId]| table.iter().filter(|id| **id == 2).count();
    assert_eq!(share(&only_table(&mut cache, 256, &all)), 128);
    assert_eq!(share(&only_table(&mut cache, 512, &all)), 256);
    all[0].weight.0 = 3;
    assert_eq!(share(&only_table(&mut cache, 512, &all)), 128);
    (all[0].id, all[1].id) = (2, 1);
    assert_eq!(share(&only_table(&mut cache, 512, &all)), 384);
}
