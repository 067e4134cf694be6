//! Running `lb` as an operator does.

use std::{env, process::Command};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::host::Host;

/// How a command ended, and what it said.
#[derive(Debug)]
pub struct Output {
    command: String,
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

impl Output {
    /// What it printed, when it ended well.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn success(self) -> String {
        assert_eq!(self.code, 0, "{}: {}", self.command, self.stderr);
        self.stdout
    }

    /// What it printed as JSON, when it ended well.
    ///
    /// # Panics
    /// When it did not, or printed something else.
    #[track_caller]
    pub fn json(self) -> Value {
        let command = self.command.clone();
        let text = self.success();
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{command} printed no JSON: {error}: {text}"))
    }
}

/// Runs `lb` on a host.
pub(crate) fn run_lb(host: &Host, arguments: &[&str]) -> Result<Output> {
    output(host.command(&lb_binary()?, arguments))
}

/// Runs `lb` on a host, and ends it after so many seconds.
pub(crate) fn run_lb_for(seconds: &str, host: &Host, arguments: &[&str]) -> Result<Output> {
    let lb = lb_binary()?;
    output(host.command("timeout", &[&[seconds, &lb], arguments].concat()))
}

fn output(mut command: Command) -> Result<Output> {
    let output = command.output().with_context(|| format!("start {command:?}"))?;
    Ok(Output {
        command: format!("{command:?}"),
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// The `lb` that was built together with the program that runs.
pub(crate) fn lb_binary() -> Result<String> {
    let own = env::current_exe().context("the path of this program")?;
    // Programs lie in the profile's directory, tests in `deps` under it.
    let found = own.ancestors().skip(1).take(2).map(|dir| dir.join("lb")).find(|lb| lb.is_file());
    let found = found.with_context(|| {
        format!("no `lb` beside {}: run `cargo build --package lb-userspace` first", own.display())
    })?;
    Ok(found.to_string_lossy().into_owned())
}
