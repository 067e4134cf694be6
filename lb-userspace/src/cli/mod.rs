//! The command line: one subcommand a file. Arguments become types before any work starts.

mod apply;
mod backend;
mod check;
mod check_args;
mod completions;
mod console;
mod decap;
mod detach;
mod diff;
mod export;
mod failure;
mod flows;
mod force;
mod machine;
mod run;
mod service;
mod stats;
mod status;
mod table;
mod values;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::api::DEFAULT_SOCKET;
use console::{Console, Output};
use failure::Failure;

const EXAMPLES: &str = "\
Examples:
  lb check lb.toml
  lb run --config lb.toml
  lb run --config lb.toml --trace
  lb diff lb.toml
  lb apply lb.toml
  lb export
  lb status
  lb stats --rate --interval 1s --count 10
  lb flows --top 10
  lb completions bash
  lb detach

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 refused by a guard, 5 no daemon answers.";

const EVERYWHERE: &str = "Options of every command";

/// An XDP layer-4 load balancer: one binary for its daemon, its operators and its backends.
#[derive(Debug, Parser)]
#[command(name = "lb", version, after_help = EXAMPLES)]
struct Cli {
    /// The daemon's Unix socket; /run/lb/lb.sock unless given, and for `lb run` the config file's.
    #[arg(long, global = true, env = "LB_SOCKET", value_name = "PATH", help_heading = EVERYWHERE)]
    socket: Option<PathBuf>,
    /// Whether results are printed as tables for people or as JSON for programs.
    #[arg(short, long, global = true, value_name = "FORMAT", help_heading = EVERYWHERE)]
    #[arg(value_enum, default_value_t)]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon.
    Run(run::Run),
    #[command(flatten)]
    Once(Once),
}

/// The commands that do one thing and end.
#[derive(Debug, Subcommand)]
enum Once {
    /// Validate a config file, without a daemon.
    Check(check::Check),
    /// Make the running daemon equal to a config file.
    Apply(apply::Apply),
    /// Show what applying a config file would change.
    Diff(diff::Diff),
    /// Print what the daemon was asked to do, as a config file.
    Export(export::Export),
    /// Add, change, remove and show services.
    #[command(subcommand)]
    Service(service::Service),
    /// Add, change, drain, remove and show backends.
    #[command(subcommand)]
    Backend(backend::Backend),
    /// Show the daemon, its interfaces, services, backends and problems.
    Status(status::Status),
    /// Show packets, bytes and flows by service, backend and verdict.
    Stats(stats::StatsCommand),
    /// Show how many live flows backends have, by state and by the time since their last packet.
    Flows(flows::FlowsCommand),
    /// Take the data path off every interface, and remove all it has pinned.
    Detach(detach::Detach),
    /// The backend's side: unwrap what balancers send.
    #[command(subcommand)]
    Decap(decap::Decap),
    /// Print a completion script for a shell.
    Completions(completions::Completions),
}

/// Does what the command line asks; errors go to stderr as one sentence.
pub fn main() -> ExitCode {
    let outcome = match Cli::try_parse() {
        Ok(cli) => execute(cli),
        Err(error) => Err(Failure::from(error)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn execute(cli: Cli) -> Result<(), Failure> {
    let Cli { socket, output, command } = cli;
    match command {
        Command::Run(run) => run.run(socket.as_deref()),
        Command::Once(once) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(
                once.run(&Console::new(&socket.unwrap_or_else(|| DEFAULT_SOCKET.into()), output)),
            )
        }
    }
}

impl Once {
    async fn run(self, console: &Console) -> Result<(), Failure> {
        match self {
            Self::Check(check) => check.run(console),
            Self::Apply(apply) => apply.run(console).await,
            Self::Diff(diff) => diff.run(console).await,
            Self::Export(export) => export.run(console).await,
            Self::Service(service) => service.run(console).await,
            Self::Backend(backend) => backend.run(console).await,
            Self::Status(status) => status.run(console).await,
            Self::Stats(stats) => stats.run(console).await,
            Self::Flows(flows) => flows.run(console).await,
            Self::Detach(detach) => detach.run(console),
            Self::Decap(decap) => decap.run(console),
            Self::Completions(completions) => completions.run(),
        }
    }
}

#[cfg(test)]
mod tests;
