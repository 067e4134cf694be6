//! Debian packages.

use std::{path::Path, process::Command, sync::Once};

use anyhow::{Context, Result, ensure};

use crate::step;

/// Whether this machine has Debian's package manager.
pub(super) fn is_here() -> bool {
    step::find("apt-get").is_some()
}

/// Those of the packages that are not installed.
pub(super) fn not_installed(packages: &[&'static str]) -> Vec<&'static str> {
    let is_installed = |package: &str| {
        let query = Command::new("dpkg-query").args(["-W", "-f=${Status}", package]).output();
        query.is_ok_and(|query| query.stdout.ends_with(b" installed"))
    };
    packages.iter().copied().filter(|package| !is_installed(package)).collect()
}

/// Whether every package can be had, with all that it depends on.
pub(super) fn offers(packages: &[&str]) -> bool {
    let install = Command::new("apt-get").args(["--simulate", "install"]).args(packages).output();
    install.is_ok_and(|install| install.status.success())
}

/// Fetches the lists of packages, once in a run.
pub(super) fn refresh() -> Result<()> {
    static REFRESHED: Once = Once::new();
    if REFRESHED.is_completed() {
        return Ok(());
    }
    step::say("fetching Debian's package lists");
    step::run_quietly(apt(&["update"])?, "see its message above; is the network up?")?;
    REFRESHED.call_once(|| ());
    Ok(())
}

/// Installs packages.
pub(super) fn install(packages: &[&str]) -> Result<()> {
    refresh()?;
    step::say(&format!("installing {}", packages.join(" ")));
    let mut install = apt(&["install", "-y", "--no-install-recommends"])?;
    install.args(packages);
    step::run_quietly(install, "see its message above, and install these packages by hand")
}

/// The packages whose names begin so.
pub(crate) fn names_with(prefix: &str) -> Result<Vec<String>> {
    let names = lines(&["pkgnames", prefix])?;
    if !names.is_empty() {
        return Ok(names);
    }
    refresh()?;
    lines(&["pkgnames", prefix])
}

/// The packages that a package depends on.
pub(crate) fn dependencies(package: &str) -> Result<Vec<String>> {
    let listed = lines(&["depends", package])?;
    let name = |line: &String| line.trim().strip_prefix("Depends: ").map(str::to_owned);
    Ok(listed.iter().filter_map(name).collect())
}

/// Downloads packages into a directory, and installs nothing.
pub(crate) fn download(packages: &[String], into: &Path) -> Result<()> {
    let download = || {
        let mut download = Command::new("apt-get");
        download.args(["-q", "download"]).args(packages).current_dir(into);
        download
    };
    // The lists may be of a time when there were others.
    if download().output().is_ok_and(|done| done.status.success()) {
        return Ok(());
    }
    refresh()?;
    step::run_quietly(download(), "see its message above; is the network up?")
}

fn lines(arguments: &[&str]) -> Result<Vec<String>> {
    let mut cache = Command::new("apt-cache");
    let output = cache.args(arguments).output().context("`apt-cache` does not start")?;
    ensure!(output.status.success(), "`apt-cache {}` failed", arguments.join(" "));
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

fn apt(arguments: &[&str]) -> Result<Command> {
    let mut command = step::as_root("env", "installing Debian packages")?;
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]).args(arguments);
    Ok(command)
}
