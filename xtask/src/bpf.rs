//! Builds the BPF objects of `lb-ebpf` with whichever toolchain the machine has.

mod toolchain;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

pub use toolchain::{Missing, Rust, Toolchain, toolchain};

const TARGET: &str = "bpfel-unknown-none";

/// Builds these binaries of `lb-ebpf` and puts each into `out_dir` as `<name>.o`.
///
/// May be called from a build script: nothing of the outer cargo's choice of compiler and flags
/// reaches this build, which has a target directory of its own. Cargo's lock on that lets the build
/// scripts of several packages run at a time.
pub fn build(programs: &[&str], out_dir: &Path) -> Result<()> {
    let toolchain = toolchain()?;
    let target_dir = target_dir();
    let status = command(&toolchain, programs, &target_dir)?
        .status()
        .with_context(|| format!("{toolchain} does not start"))?;
    ensure!(status.success(), "lb-ebpf does not build with {toolchain}");
    for program in programs {
        let built = target_dir.join(TARGET).join("release").join(program);
        let object = out_dir.join(format!("{program}.o"));
        fs::copy(&built, &object)
            .with_context(|| format!("{} → {}", built.display(), object.display()))?;
    }
    Ok(())
}

/// What the objects of these binaries are made of: a build script watches these.
pub fn sources(programs: &[&str]) -> Result<Vec<PathBuf>> {
    let common = ["lb-ebpf/Cargo.toml", "lb-common", "Cargo.toml", "Cargo.lock"];
    let mut sources: Vec<PathBuf> = common.iter().map(|path| workspace().join(path)).collect();
    let dir = workspace().join("lb-ebpf/src");
    let entries = fs::read_dir(&dir).with_context(|| format!("reading {}", dir.display()))?;
    for entry in entries {
        let entry = entry?;
        // A directory is one binary's alone; the files are of the library that they share.
        let is_of_these = programs.iter().any(|program| entry.file_name() == *program);
        if entry.file_type()?.is_file() || is_of_these {
            sources.push(entry.path());
        }
    }
    Ok(sources)
}

fn command(toolchain: &Toolchain, programs: &[&str], target_dir: &Path) -> Result<Command> {
    let mut cargo = toolchain.cargo();
    forget_outer_cargo(&mut cargo);
    let arch = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_else(|_| env::consts::ARCH.to_owned());
    let flags = [
        // aya-ebpf reads `pt_regs` by the architecture of the kernel, not by the target's.
        format!("--cfg=bpf_target_arch=\"{arch}\""),
        // v3 has the compare-exchange that the flow table is changed by (kernels from 5.12).
        "-Ctarget-cpu=v3".to_owned(),
        // Maps are declared in BTF, which the linker makes of the debug information.
        "-Clink-arg=--btf".to_owned(),
    ];
    cargo
        .current_dir(workspace())
        .args(["build", "--package=lb-ebpf", "--release", "--locked"])
        .args(programs.iter().map(|program| format!("--bin={program}")))
        .args(["--target", TARGET])
        .arg("--target-dir")
        .arg(target_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        // Level 3 unrolls loops that the verifier then walks one by one.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "2")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "2")
        .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", &toolchain.linker);
    toolchain.configure(&mut cargo, &all_programs()?);
    Ok(cargo)
}

/// A build script inherits the outer cargo's compiler, wrappers (clippy is one) and flags; all of
/// them are for the host.
fn forget_outer_cargo(cargo: &mut Command) {
    const KEPT: [&str; 6] = [
        "CARGO_HOME",
        "CARGO_MAKEFLAGS",
        "CARGO_NET_",
        "CARGO_HTTP_",
        "CARGO_REGISTR",
        "CARGO_TERM_",
    ];
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let is_cargos =
            text.starts_with("CARGO") && !KEPT.iter().any(|kept| text.starts_with(kept));
        if is_cargos || text.starts_with("RUSTC") || text.starts_with("RUSTDOC") {
            cargo.env_remove(&name);
        }
    }
    cargo.env_remove("RUSTFLAGS").env_remove("RUSTUP_TOOLCHAIN");
}

fn target_dir() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    workspace().join(target).join("bpf")
}

fn workspace() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// The names under `[[bin]]` in the manifest of `lb-ebpf`.
fn all_programs() -> Result<Vec<String>> {
    let manifest = workspace().join("lb-ebpf/Cargo.toml");
    let text =
        fs::read_to_string(&manifest).with_context(|| format!("reading {}", manifest.display()))?;
    let bins = text.split("\n[").filter_map(|section| section.strip_prefix("[bin]]"));
    let name = |bin: &str| {
        let line = bin.lines().find(|line| line.starts_with("name"))?;
        line.split('"').nth(1).map(str::to_owned)
    };
    bins.map(|bin| name(bin).with_context(|| format!("{}: a bin has no name", manifest.display())))
        .collect()
}
