//! `cargo xtask bench`: what the data path costs.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use lab::{
    bench::{self, Effort},
    panics,
};

/// Measures what the data path costs.
#[derive(Parser)]
struct Arguments {
    /// Fewer loads, rounds and flows: a first impression
    #[arg(long)]
    quick: bool,
    /// Write the figures to this file as well
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    panics::are_sentences();
    let Arguments { quick, json } = Arguments::parse();
    let effort = if quick { Effort::QUICK } else { Effort::FULL };
    match bench::run(effort, json.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
