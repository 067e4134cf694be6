mod backups;
mod config;
mod filling;
mod ramps;
mod shares;

use std::{collections::BTreeMap, net::Ipv4Addr, num::NonZeroU16, sync::Arc};

use lb_common::backend::BackendId;
use proptest::prelude::*;

use super::{Home, Member, Ramp};
use crate::model::{BackendAddress, TableSize, Weight};

fn member(number: u16, weight: u16) -> Member {
    let ip = Ipv4Addr::from(0xc000_0200 + u32::from(number)).into();
    let address = BackendAddress { ip, port: NonZeroU16::new(443) };
    let (id, weight) = (number + 1, Weight(weight));
    Member { id, address, weight, ramp: Ramp::FULL, is_primary: true }
}

fn members(weights: &[u16]) -> Vec<Member> {
    weights.iter().zip(0..).map(|(weight, number)| member(number, *weight)).collect()
}

/// The members with one of them at another ramp.
fn with_ramp(members: &[Member], which: usize, steps: u8) -> Vec<Member> {
    let mut members = members.to_vec();
    members[which].ramp = Ramp::of(steps);
    members
}

fn size(log2: u32) -> TableSize {
    TableSize::try_from(1 << log2).unwrap()
}

fn home(log2: u32, members: &[Member]) -> Home {
    Home::new(size(log2), members)
}

fn table(log2: u32, members: &[Member]) -> Arc<[BackendId]> {
    home(log2, members).table(members).unwrap()
}

fn shares(table: &[BackendId]) -> BTreeMap<BackendId, usize> {
    let mut shares = BTreeMap::new();
    for id in table {
        *shares.entry(*id).or_default() += 1;
    }
    shares
}

fn share_of(member: &Member, table: &[BackendId]) -> usize {
    table.iter().filter(|id| **id == member.id).count()
}

/// The owners, before and after, of the slots that changed them.
fn moves(before: &[BackendId], after: &[BackendId]) -> Vec<(BackendId, BackendId)> {
    before.iter().copied().zip(after.iter().copied()).filter(|(old, new)| old != new).collect()
}

fn ratio(part: usize, whole: usize) -> f64 {
    f64::from(u32::try_from(part).unwrap()) / f64::from(u32::try_from(whole).unwrap())
}

/// Slots that moved although the shares did not ask for it, as a fraction of all.
fn needless_moves(before: &[BackendId], after: &[BackendId]) -> f64 {
    let (old, new) = (shares(before), shares(after));
    let needed: usize =
        new.iter().map(|(id, count)| count.saturating_sub(old.get(id).copied().unwrap_or(0))).sum();
    ratio(moves(before, after).len() - needed, before.len())
}

/// Members of any kind: weights from 0, many of them wholly in or out, some of them backups.
fn anybody() -> impl Strategy<Value = Vec<Member>> {
    let steps = prop_oneof![Just(0), Just(Ramp::STEPS), 0..=Ramp::STEPS];
    let one = (0..20u16, steps, prop::bool::weighted(0.8));
    prop::collection::vec(one, 1..40).prop_map(|drawn| {
        let numbered = drawn.into_iter().zip(0..);
        numbered
            .map(|((weight, steps, is_primary), number)| Member {
                ramp: Ramp::of(steps),
                is_primary,
                ..member(number, weight)
            })
            .collect()
    })
}
