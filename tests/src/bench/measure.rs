//! Rounds and loads, and what is left of them.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{
    Effort,
    subject::{self, Kind, Scale, Subject},
    target::{Floor, Target as _},
};
use crate::rig::traffic::Run;

/// What a packet costs.
#[derive(Debug, Clone)]
pub(super) struct Figure {
    /// Nanoseconds, all of it.
    pub(super) ns: f64,
    /// Nanoseconds beyond a program that does nothing, called by the same generator.
    pub(super) net: f64,
    /// The same of each load.
    pub(super) loads: Vec<Load>,
}

/// The best round of a load.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) ns: f64,
    pub(super) net: f64,
}

/// Every figure, by what it is of.
pub(super) type Figures = BTreeMap<(Kind, Scale), Figure>;

/// Measures everything.
pub(super) fn measure(effort: Effort) -> Result<Figures> {
    let mut loads: BTreeMap<(Kind, Scale), Vec<Load>> = BTreeMap::new();
    for load in 1..=effort.loads {
        eprintln!("load {load} of {}", effort.loads);
        for (key, best) in best_rounds(effort)? {
            loads.entry(key).or_default().push(best);
        }
    }
    let figure = |loads: Vec<Load>| Figure {
        ns: median(loads.iter().map(|load| load.ns)),
        net: median(loads.iter().map(|load| load.net)),
        loads,
    };
    Ok(loads.into_iter().map(|(key, loads)| (key, figure(loads))).collect())
}

/// One load: rounds that take turns, and the best of each subject.
fn best_rounds(effort: Effort) -> Result<Vec<((Kind, Scale), Load)>> {
    let idle = Floor::new("transmit")?;
    let mut subjects = subject::load(effort.scales)?;
    let mut best = vec![(f64::INFINITY, f64::INFINITY); subjects.len()];
    for _ in 0..effort.rounds {
        for (subject, (idle_ns, ns)) in subjects.iter_mut().zip(&mut best) {
            *idle_ns = idle_ns.min(nanoseconds(subject.run_idle(idle.program(), effort.packets)));
            *ns = ns.min(nanoseconds(subject.run(effort.packets)));
        }
    }
    let key = |subject: &Subject| (subject.kind, subject.scale);
    let load = |(idle_ns, ns)| Load { ns, net: ns - idle_ns };
    Ok(subjects.iter().map(key).zip(best.into_iter().map(load)).collect())
}

fn nanoseconds(run: Run) -> f64 {
    // A round is no four billion packets.
    run.cpu.as_secs_f64() * 1e9 / f64::from(run.packets as u32)
}

/// The middle one; of two, their mean.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let (low, high) = ((values.len() - 1) / 2, values.len() / 2);
    f64::midpoint(values[low], values[high])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "small whole numbers are exact")]
    fn the_median_lies_in_the_middle_whatever_the_order() {
        assert_eq!(median([3.0, 1.0, 9.0].into_iter()), 3.0);
        assert_eq!(median([4.0, 9.0, 1.0, 2.0].into_iter()), 3.0);
        assert_eq!(median([7.0].into_iter()), 7.0);
    }
}
