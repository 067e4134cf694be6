//! `cargo xtask demo`: shows a person what lb does.

use std::{ffi::OsString, process::ExitCode};

use clap::Parser;
use lab::{demo, panics};

/// Shows lb at work in a lab of network namespaces.
#[derive(Parser)]
struct Arguments {
    /// Leave the lab up, and say how to play with it
    #[arg(long, conflicts_with = "stop")]
    keep: bool,
    /// Take down a lab that was left up
    #[arg(long)]
    stop: bool,
    /// Be the process that holds the lab that is left up
    #[arg(long, hide = true)]
    hold: bool,
    /// Run a command on a host of the lab that was left up
    #[arg(long, num_args = 2.., value_names = ["HOST", "COMMAND"], allow_hyphen_values = true)]
    on: Vec<OsString>,
}

fn main() -> ExitCode {
    panics::are_sentences();
    let Arguments { keep, stop, hold, on } = Arguments::parse();
    if let [host, command @ ..] = on.as_slice() {
        return code(demo::keep::on(&host.to_string_lossy(), command));
    }
    code(match (keep, stop, hold) {
        (true, ..) => demo::keep::start(),
        (_, true, _) => demo::keep::stop(),
        (.., true) => demo::keep::hold(),
        _ => demo::run(),
    })
}

fn code(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
