//! `cargo xtask fuzz`: random bytes into whatever reads bytes from outside.

use std::{fs, process::Command};

use anyhow::{Context, Result};
use clap::Args;

use crate::{setup, step};

/// The fuzzers, in `fuzz/fuzz_targets`.
const TARGETS: [&str; 2] = ["packet", "config"];

#[derive(Args)]
pub(crate) struct Fuzz {
    /// One of: packet, config; all of them unless given
    #[arg(value_parser = TARGETS)]
    target: Option<String>,
    /// How long each runs
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u32,
}

impl Fuzz {
    pub(crate) fn run(&self) -> Result<()> {
        setup::run()?;
        let wanted = |target: &&&str| self.target.as_deref().is_none_or(|named| named == **target);
        TARGETS.iter().filter(wanted).try_for_each(|target| self.fuzz(target))
    }

    fn fuzz(&self, target: &str) -> Result<()> {
        step::say(&format!("fuzzing {target} for {} s", self.seconds));
        let dir = step::workspace().join("fuzz");
        // What it finds is kept for the next run, apart from the seeds that every run begins with.
        let found = dir.join("corpus").join(target);
        fs::create_dir_all(&found).with_context(|| format!("creating {}", found.display()))?;
        let mut fuzz = Command::new("rustup");
        // cargo sets these to the compiler that runs this task.
        fuzz.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO").current_dir(step::workspace());
        fuzz.args(["run", "nightly", "cargo", "fuzz", "run", target]);
        fuzz.args([found, dir.join("seeds").join(target)]);
        fuzz.arg("--").arg(format!("-max_total_time={}", self.seconds));
        let words = dir.join(format!("{target}.dict"));
        if words.exists() {
            fuzz.arg(format!("-dict={}", words.display()));
        }
        let remedy = "see the crash above, or install what is missing: rustup's nightly toolchain \
                      and `cargo install cargo-fuzz`";
        step::run(fuzz, remedy)
    }
}
