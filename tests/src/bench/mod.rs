//! The benchmark: nanoseconds of CPU that a packet costs, held against floors and against a peer
//! that are taken in the same run.
//!
//! Figures of one machine say little about another, and on a shared one little about the next
//! minute; ratios within a run hold. Everything runs through the same generator, in rounds that take
//! turns, and is loaded afresh several times: where the kernel happens to place a program is worth
//! some nanoseconds. What is quoted is the median over the loads of the best round in each.

mod goals;
mod machine;
mod measure;
mod report;
mod subject;
mod target;

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use machine::Machine;
use subject::Scale;

/// How much is run.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// How often everything is loaded afresh.
    loads: u32,
    /// Rounds in each load.
    rounds: u32,
    /// Packets of each kind in a round.
    packets: u64,
    /// How many flows there are.
    scales: &'static [Scale],
}

impl Effort {
    /// What figures are quoted from: ten minutes of CPU, and 3 GiB of memory.
    pub const FULL: Self = Self { loads: 5, rounds: 5, packets: 2_000_000, scales: &SCALES };
    /// A first impression: half a minute of CPU.
    pub const QUICK: Self =
        Self { loads: 2, rounds: 3, packets: 500_000, scales: SCALES.split_at(2).0 };
}

/// From flows that a cache holds to flows that none does. With three lanes for each flow, hardly one
/// goes without.
const SCALES: [Scale; 3] = [
    Scale { flows: 128 << 10, room: 1 << 19 },
    Scale { flows: 1_000_000, room: 1 << 22 },
    Scale { flows: 10_000_000, room: 1 << 25 },
];

/// Runs the benchmark, prints a table, and writes the figures to a file as JSON.
pub fn run(effort: Effort, json: Option<&Path>) -> Result<()> {
    let machine = Machine::look()?;
    let figures = measure::measure(effort)?;
    let ratios = goals::ratios(&figures);
    print!("{}", report::markdown(&machine, effort, &figures, &ratios));
    if let Some(path) = json {
        let report = report::json(&machine, effort, &figures, &ratios);
        fs::write(path, format!("{report:#}\n"))
            .with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}
