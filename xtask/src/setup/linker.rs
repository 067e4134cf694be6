//! bpf-linker, built on Debian's LLVM.

use anyhow::Result;

use crate::step;

/// Installs bpf-linker among cargo's programs.
pub(super) fn install() -> Result<()> {
    step::say("building bpf-linker, once; this takes a minute or two");
    let mut cargo = step::cargo(["install", "bpf-linker", "--version", "0.13.0"]);
    // By default it would ask for a newer LLVM than Debian has.
    cargo.args(["--no-default-features", "--features", "llvm-22"]);
    cargo.env("LLVM_PREFIX", "/usr/lib/llvm-22");
    step::run(cargo, "see its message above; llvm-22-dev and libpolly-22-dev must be installed")
}
