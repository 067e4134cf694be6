//! What CI checks, the same as at home.

use anyhow::Result;

use crate::{setup, step, test::Test};

/// Formatting, lints, docs, and then every test.
pub(crate) fn run() -> Result<()> {
    step::say("formatting");
    step::run(step::cargo(["fmt", "--all", "--check"]), "run `cargo fmt --all`")?;
    setup::run()?;
    step::say("lints");
    let mut clippy = step::cargo(["clippy", "--all-targets"]);
    clippy.args(["--", "--deny", "warnings"]);
    step::run(clippy, "see the warnings above")?;
    lint_bpf()?;
    step::say("docs");
    let mut docs = step::cargo(["doc", "--no-deps"]);
    docs.env("RUSTDOCFLAGS", "--deny warnings");
    step::run(docs, "see the warnings above")?;
    Test::all().run()
}

/// The BPF programs are checked as host code: no clippy matches the compiler that builds them.
fn lint_bpf() -> Result<()> {
    let mut clippy = step::cargo(["clippy", "--package", "lb-ebpf", "--bins"]);
    clippy.args(["--target-dir", "target/bpf-lints", "--", "--deny", "warnings"]);
    // The unstable Rust that BPF needs, which the real build allows crate by crate; and as on BPF,
    // panics do not unwind.
    clippy.env("RUSTC_BOOTSTRAP", "1").env("CARGO_PROFILE_DEV_PANIC", "abort");
    step::run(clippy, "see the warnings above")
}
