//! Finds what can compile Rust for BPF.

use std::{
    env, fmt,
    path::{Path, PathBuf},
    process::Command,
};

use super::TARGET;

/// A compiler and a linker for BPF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    /// The compiler.
    pub rust: Rust,
    /// `bpf-linker`.
    pub linker: PathBuf,
}

/// A compiler that has, or can make, `core` for BPF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rust {
    /// The distribution's in this directory, which brings `core` for BPF ready-made.
    System(PathBuf),
    /// rustup's nightly with rust-src: cargo builds `core`.
    Nightly,
}

/// What a machine lacks for building BPF objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// No compiler that has, or can make, `core` for BPF.
    pub rust: bool,
    /// No `bpf-linker`.
    pub linker: bool,
}

impl std::error::Error for Missing {}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match (self.rust, self.linker) {
            (true, true) => "a Rust compiler for BPF and bpf-linker are",
            (true, false) => "a Rust compiler for BPF is",
            _ => "bpf-linker is",
        };
        write!(f, "{what} missing: on Debian run `cargo xtask setup`; elsewhere run `")?;
        if self.rust {
            f.write_str("rustup toolchain install nightly --component rust-src")?;
        }
        if self.rust && self.linker {
            f.write_str(" && ")?;
        }
        if self.linker {
            f.write_str("cargo install bpf-linker")?;
        }
        f.write_str("`")
    }
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rust {
            Rust::System(bin) => write!(f, "{}", bin.join("cargo").display())?,
            Rust::Nightly => f.write_str("rustup's nightly cargo")?,
        }
        write!(f, " and {}", self.linker.display())
    }
}

/// Looks for a toolchain: the distribution's first, as it needs neither nightly nor a build of
/// `core`, then rustup's nightly.
pub fn toolchain() -> Result<Toolchain, Missing> {
    match (rust(), linker()) {
        (Some(rust), Some(linker)) => Ok(Toolchain { rust, linker }),
        (rust, linker) => Err(Missing { rust: rust.is_none(), linker: linker.is_none() }),
    }
}

impl Toolchain {
    /// The cargo to run, before its arguments.
    pub(super) fn cargo(&self) -> Command {
        match &self.rust {
            Rust::System(bin) => Command::new(bin.join("cargo")),
            Rust::Nightly => {
                let mut rustup = Command::new("rustup");
                rustup.args(["run", "nightly", "cargo"]);
                rustup
            }
        }
    }

    /// Makes the compiler do what BPF needs of it.
    pub(super) fn configure(&self, cargo: &mut Command, programs: &[String]) {
        match &self.rust {
            Rust::System(bin) => {
                // aya-ebpf, and the atomics and assembly of ours, are unstable on BPF: allowed by crate name.
                // A bin is a crate of its own name.
                let unstable = format!("aya_ebpf,lb_common,lb_ebpf,{}", programs.join(","));
                cargo.env("RUSTC", bin.join("rustc")).env("RUSTC_BOOTSTRAP", unstable);
                // rustup's proxy adds its own libraries, which are not this compiler's.
                cargo.env_remove("LD_LIBRARY_PATH");
            }
            Rust::Nightly => {
                cargo.arg("-Zbuild-std=core");
            }
        }
    }
}

fn rust() -> Option<Rust> {
    let bin = Path::new("/usr/bin");
    let core = || Some(sysroot(Command::new(bin.join("rustc")))?.join("lib/rustlib").join(TARGET));
    if bin.join("cargo").exists() && core().is_some_and(|core| core.join("lib").exists()) {
        return Some(Rust::System(bin.to_owned()));
    }
    let mut nightly = Command::new("rustup");
    nightly.args(["run", "nightly", "rustc"]);
    let library = sysroot(nightly)?.join("lib/rustlib/src/rust/library/core/Cargo.toml");
    library.exists().then_some(Rust::Nightly)
}

fn sysroot(mut rustc: Command) -> Option<PathBuf> {
    let output = rustc.args(["--print", "sysroot"]).env_remove("RUSTUP_TOOLCHAIN").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().into())
}

fn linker() -> Option<PathBuf> {
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let default_home = env::home_dir().map(|home| home.join(".cargo"));
    let path = env::var_os("PATH").unwrap_or_default();
    let installed = [cargo_home, default_home].into_iter().flatten().map(|home| home.join("bin"));
    env::split_paths(&path).chain(installed).map(|dir| dir.join("bpf-linker")).find(|f| f.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_with_what_to_install() {
        let both = Missing { rust: true, linker: true }.to_string();
        assert!(both.contains("cargo xtask setup"), "{both}");
        assert!(both.contains("rustup toolchain install nightly --component rust-src"), "{both}");
        assert!(both.contains("cargo install bpf-linker"), "{both}");
        let linker = Missing { rust: false, linker: true }.to_string();
        assert!(!linker.contains("rustup"), "{linker}");
    }
}
