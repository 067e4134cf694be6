//! Builds the BPF objects that the daemon carries.

use std::{env, path::Path};

use anyhow::{Context as _, Result};

const PROGRAMS: [&str; 3] = ["balance", "traced", "decap"];

fn main() -> Result<()> {
    for source in xtask::bpf::sources(&PROGRAMS)? {
        println!("cargo::rerun-if-changed={}", source.display());
    }
    let out_dir = env::var_os("OUT_DIR").context("OUT_DIR is not set")?;
    xtask::bpf::build(&PROGRAMS, Path::new(&out_dir))
}
