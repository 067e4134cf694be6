//! Finds what the machine lacks, and installs it where that is possible.

pub(crate) mod apt;
mod linker;

use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::step;

/// A program that building or the lab runs, and the Debian package that brings it.
struct Tool {
    program: &'static str,
    package: &'static str,
}

const TOOLS: [Tool; 6] = [
    Tool { program: "ip", package: "iproute2" },
    Tool { program: "bpftool", package: "bpftool" },
    Tool { program: "ethtool", package: "ethtool" },
    Tool { program: "ping", package: "iputils-ping" },
    Tool { program: "nginx", package: "nginx-light" },
    Tool { program: "curl", package: "curl" },
];

/// What virtual machines are made of.
const FOR_VM: [Tool; 2] = [
    Tool { program: "qemu-system-x86_64", package: "qemu-system-x86" },
    Tool { program: "busybox", package: "busybox-static" },
];

/// Debian's Rust with `core` for BPF, and the LLVM that bpf-linker is built on.
const TOOLCHAIN: [&str; 5] =
    ["rustc-web", "cargo-web", "libstd-rust-web-dev-bpf", "llvm-22-dev", "libpolly-22-dev"];

/// Each step looks first and does nothing when there is nothing to do.
pub(crate) fn run() -> Result<()> {
    install(&TOOLS)?;
    toolchain()?;
    bpf_file_system()
}

/// What `cargo xtask vm` needs besides.
pub(crate) fn for_vm() -> Result<()> {
    ensure!(apt::is_here(), "kernels are fetched as Debian packages, and there is no apt-get here");
    install(&FOR_VM)
}

fn install(tools: &[Tool]) -> Result<()> {
    let missing: Vec<&Tool> =
        tools.iter().filter(|tool| step::find(tool.program).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = |of: fn(&Tool) -> &str| missing.iter().map(|tool| of(tool)).collect::<Vec<_>>();
    let packages = list(|tool| tool.package);
    ensure!(
        apt::is_here(),
        "these programs are missing: {}; install the packages that bring them, on Debian {}",
        list(|tool| tool.program).join(", "),
        packages.join(", ")
    );
    apt::install(&packages).with_context(|| missing_packages(&packages))
}

/// For whoever may not install them, and has to ask somebody who may.
fn missing_packages(packages: &[&str]) -> String {
    format!("these Debian packages are missing: {}", packages.join(" "))
}

/// The BPF toolchain: one that is there is used whatever its origin.
fn toolchain() -> Result<()> {
    let Err(missing) = xtask::bpf::toolchain() else { return Ok(()) };
    if !apt::is_here() {
        return Err(missing.into());
    }
    // Compiler and linker have to be of one LLVM: of what is there, only a whole pair is kept.
    let packages = apt::not_installed(&TOOLCHAIN);
    if !packages.is_empty() {
        apt::refresh().with_context(|| missing_packages(&packages))?;
        if !apt::offers(&packages) {
            return Err(missing.into());
        }
        apt::install(&packages)?;
    }
    if missing.linker {
        linker::install()?;
    }
    xtask::bpf::toolchain()?;
    Ok(())
}

/// Where pinned maps and links live.
fn bpf_file_system() -> Result<()> {
    const PATH: &str = "/sys/fs/bpf";
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let is_mounted = mounts.lines().any(|mount| mount.split(' ').skip(1).take(2).eq([PATH, "bpf"]));
    if is_mounted {
        return Ok(());
    }
    step::say("mounting the BPF file system on /sys/fs/bpf");
    let mut mount = step::as_root("mount", "mounting /sys/fs/bpf")?;
    mount.args(["-t", "bpf", "bpf", PATH]);
    step::run_quietly(
        mount,
        "the kernel needs CONFIG_BPF_SYSCALL, and a container needs --privileged",
    )
}
