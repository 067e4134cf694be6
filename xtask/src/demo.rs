//! Runs the demo.

use std::{ffi::OsString, os::unix::process::CommandExt};

use anyhow::{Context, Result};

use crate::{setup, step};

/// Show lb at work in a lab of network namespaces.
#[derive(clap::Args)]
pub(crate) struct Demo {
    /// Leave the lab up, and say how to play with it
    #[arg(long, conflicts_with = "stop")]
    keep: bool,
    /// Take down a lab that was left up
    #[arg(long)]
    stop: bool,
}

impl Demo {
    /// Sets the machine up, builds, and runs the demo as root.
    pub(crate) fn run(&self) -> Result<()> {
        setup::run()?;
        let why = "the demo makes network namespaces and loads BPF programs, which";
        let mut demo = step::as_root(step::built("demo")?, why)?;
        let mut build = step::cargo(["build", "--bin", "lb", "--bin", "demo"]);
        build.args(["--package", "lb-userspace", "--package", "tests"]);
        step::run(build, "see the compiler's message above")?;
        demo.args(self.keep.then_some("--keep")).args(self.stop.then_some("--stop"));
        step::run(demo, "what it found is said above")
    }
}

/// Run a command on a host of the lab that `demo --keep` left up.
#[derive(clap::Args)]
pub(crate) struct On {
    /// The host: alice, router, balancer, web1 …
    host: String,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

impl On {
    pub(crate) fn run(&self) -> Result<()> {
        let mut demo = step::as_root(step::built("demo")?, "entering a host of the lab")?;
        demo.arg("--on").arg(&self.host).args(&self.command);
        // Becoming the command gives it the terminal, and its exit code to whoever asked.
        Err(demo.exec()).context("the command does not start")
    }
}
