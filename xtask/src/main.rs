//! `cargo xtask`: everything that is done with this repository.

mod bench;
mod build;
mod ci;
mod demo;
mod fuzz;
mod setup;
mod step;
mod test;
mod vm;

use std::process::ExitCode;

use clap::Parser;

/// Sets the machine up, builds, tests and demonstrates lb.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
enum Task {
    /// Find what this machine lacks, and install it where that is possible
    Setup,
    /// Build the release of `lb`, BPF programs included
    Build,
    /// Set up, then run every test: on the host, in the kernel, and in the lab
    Test(test::Test),
    /// Set up, then show lb at work in a lab of network namespaces
    Demo(demo::Demo),
    /// Set up, then measure what the data path costs
    Bench(bench::Bench),
    /// Run a command on a host of the lab that `demo --keep` left up
    On(demo::On),
    /// Set up, then feed random bytes to what reads bytes from outside
    Fuzz(fuzz::Fuzz),
    /// Set up, then run the tests that load BPF programs in other kernels, under QEMU
    Vm(vm::Vm),
    /// Set up, then check formatting, lints, docs and tests, as CI does
    Ci,
}

fn main() -> ExitCode {
    let done = match Task::parse() {
        Task::Setup => setup::run().map(|()| step::say("this machine has all that lb needs")),
        Task::Build => build::run(),
        Task::Test(test) => test.run(),
        Task::Demo(demo) => demo.run(),
        Task::Bench(bench) => bench.run(),
        Task::On(on) => on.run(),
        Task::Fuzz(fuzz) => fuzz.run(),
        Task::Vm(vm) => vm.run(),
        Task::Ci => ci::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
