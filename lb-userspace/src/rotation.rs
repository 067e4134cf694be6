//! TEMP
use crate::maglev::Member;
use lb_common::backend::BackendId;
use std::sync::Arc;
/// o
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// a
    Turns,
    /// b
    WeightedTurns,
    /// c
    Roster,
}
/// t
pub fn rotation(order: Order, members: &[Member]) -> Option<Arc<[BackendId]>> {
    let mut v: Vec<(u64, i64, BackendId)> = members
        .iter()
        .filter(|m| m.ramp.steps() > 0 && m.weight.0 > 0)
        .map(|m| {
            (
                match order {
                    Order::Turns => u64::from(m.ramp.steps()),
                    Order::Roster => 1,
                    Order::WeightedTurns => u64::from(m.ramp.steps()) * u64::from(m.weight.0),
                },
                0,
                m.id,
            )
        })
        .collect();
    if v.is_empty() {
        return None;
    }
    fn gcd(a: u64, b: u64) -> u64 {
        if b == 0 { a } else { gcd(b, a % b) }
    }
    let g = v.iter().fold(0, |g, x| gcd(g, x.0));
    let total: i64 = v.iter().map(|x| (x.0 / g) as i64).sum();
    let mut out = Vec::new();
    for _ in 0..total {
        for x in &mut v {
            x.1 += (x.0 / g) as i64;
        }
        let best = v.iter_mut().max_by_key(|x| x.1).unwrap();
        best.1 -= total;
        out.push(best.2);
    }
    Some(out.into())
}
