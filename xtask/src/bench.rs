//! Runs the benchmark.

use std::path::PathBuf;

use anyhow::Result;

use crate::{setup, step};

/// Measure what the data path costs, against floors and a peer in the same run.
#[derive(clap::Args)]
pub(crate) struct Bench {
    /// Fewer loads, rounds and flows: a first impression
    #[arg(long)]
    quick: bool,
    /// Write the figures to this file as well
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Bench {
    /// Sets the machine up, builds, and runs the benchmark as root.
    pub(crate) fn run(&self) -> Result<()> {
        setup::run()?;
        let why = "the benchmark loads BPF programs, which";
        let mut bench = step::as_root(step::released("bench")?, why)?;
        let build = step::cargo(["build", "--release", "--package", "tests", "--bin", "bench"]);
        step::run(build, "see the compiler's message above")?;
        bench.args(self.quick.then_some("--quick"));
        if let Some(file) = &self.json {
            bench.arg("--json").arg(file);
        }
        step::run(bench, "what went wrong is said above")
    }
}
