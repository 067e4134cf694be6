//! Debian packages.

use std::{process::Command, sync::Once};

use anyhow::Result;

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

fn apt(arguments: &[&str]) -> Result<Command> {
    let mut command = step::as_root("env", "installing Debian packages")?;
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]).args(arguments);
    Ok(command)
}
