//! Builds the release.

use anyhow::Result;

use crate::{setup, step};

/// Builds `lb` with its BPF programs inside.
pub(crate) fn run() -> Result<()> {
    setup::run()?;
    step::say("building lb");
    let cargo = step::cargo(["build", "--release", "--package", "lb-userspace"]);
    step::run(cargo, "see the compiler's message above")
}
