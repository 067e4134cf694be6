//! Runs the tests.

use std::{env, num::NonZero, process::Command, thread};

use anyhow::{Context, Result};

use crate::{setup, step};

const REMEDY: &str = "the tests that failed, and why, are listed above";

/// What the tests of these packages do in the kernel needs root.
const NEED_ROOT: [&str; 2] = ["lb-userspace", "tests"];
const NEED_NO_ROOT: [&str; 2] = ["lb-common", "xtask"];

/// Labs at a time: each is half a dozen hosts with real servers and deadlines to keep.
const MOST_THREADS: usize = 4;

/// Run every test, or some of them.
#[derive(clap::Args)]
pub(crate) struct Test {
    /// What `cargo test` takes: part of the names of the tests to run, `--`, options
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    filter: Vec<String>,
}

impl Test {
    /// All tests.
    pub(crate) fn all() -> Self {
        Self { filter: Vec::new() }
    }

    /// Sets the machine up and runs them.
    pub(crate) fn run(&self) -> Result<()> {
        setup::run()?;
        let runner = sudo_runner()?;
        step::say("building");
        // Stories run `lb` as a process: it is built together with the tests, of the same parts.
        step::run(step::cargo(["build", "--all-targets"]), "see the compiler's message above")?;
        step::say("testing");
        let Some((variable, sudo)) = runner else {
            return step::run(self.cargo_test(&[]), REMEDY);
        };
        step::run(self.cargo_test(&NEED_NO_ROOT), REMEDY)?;
        let mut test = self.cargo_test(&NEED_ROOT);
        test.env(variable, sudo);
        step::run(test, REMEDY)
    }

    /// `cargo test` of some packages, or of all.
    fn cargo_test(&self, packages: &[&str]) -> Command {
        let mut test = step::cargo(["test", "--no-fail-fast"]);
        for package in packages {
            test.args(["--package", package]);
        }
        if env::var_os("RUST_TEST_THREADS").is_none() {
            let cores = thread::available_parallelism().map_or(1, NonZero::get);
            test.env("RUST_TEST_THREADS", cores.clamp(2, MOST_THREADS).to_string());
        }
        test.args(&self.filter);
        test
    }
}

/// The variable by which cargo runs what it has built through sudo, so that it builds as the user;
/// none for root.
fn sudo_runner() -> Result<Option<(String, String)>> {
    if step::is_root() {
        return Ok(None);
    }
    let why = "some tests load BPF programs and make network namespaces, which";
    let sudo = step::as_root("env", why)?;
    let sudo = sudo.get_program().to_string_lossy();
    let rustc = Command::new("rustc").arg("-vV").output().context("`rustc -vV` does not start")?;
    let version = String::from_utf8_lossy(&rustc.stdout).into_owned();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("`rustc -vV` names no host")?.to_uppercase().replace('-', "_");
    Ok(Some((format!("CARGO_TARGET_{host}_RUNNER"), format!("{sudo} --preserve-env"))))
}
