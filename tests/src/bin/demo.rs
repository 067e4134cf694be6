//! `cargo xtask demo`: shows a person what lb does.

use std::process::ExitCode;

use clap::Parser;
use lab::demo;

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
}

fn main() -> ExitCode {
    demo::panics_are_sentences();
    let Arguments { keep, stop, hold } = Arguments::parse();
    let outcome = match (keep, stop, hold) {
        (true, ..) => demo::keep::start(),
        (_, true, _) => demo::keep::stop(),
        (.., true) => demo::keep::hold(),
        _ => demo::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
