//! Builds the BPF objects that make test traffic, and what the benchmark holds the data path against.

use std::{env, path::Path};

use anyhow::{Context as _, Result};

const PROGRAMS: [&str; 2] = ["floors", "generate"];

fn main() -> Result<()> {
    for source in xtask::bpf::sources(&PROGRAMS)? {
        println!("cargo::rerun-if-changed={}", source.display());
    }
    let out_dir = env::var_os("OUT_DIR").context("OUT_DIR is not set")?;
    xtask::bpf::build(&PROGRAMS, Path::new(&out_dir))
}
