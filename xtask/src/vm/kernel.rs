//! Debian's kernels, unpacked but never installed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::{setup::apt, step};

/// The flavour for virtual machines: small, and with all that the tests need.
const FLAVOUR: &str = "-cloud-amd64";

/// What the tests need that no Debian kernel has built in.
const MODULES: [&str; 1] = ["veth"];

/// A kernel to boot.
pub(super) struct Kernel {
    /// Its version, as Debian names its package.
    pub(super) release: String,
    /// Where it is unpacked.
    pub(super) dir: PathBuf,
    /// What is booted.
    pub(super) image: PathBuf,
    /// Modules to load, compressed or not.
    pub(super) modules: Vec<PathBuf>,
}

impl Kernel {
    /// The newest kernel of a version that the package lists of this machine have, fetched unless
    /// it was before.
    pub(super) fn fetch(version: &str) -> Result<Self> {
        let package = newest(version)?;
        let kernels = step::workspace().join("target/vm");
        let unpacked = kernels.join(&package);
        if !unpacked.exists() {
            step::say(&format!("fetching {package}"));
            // Under another name until it is whole.
            let partial = kernels.join(format!("{package}.partial"));
            unpack(&package, &partial)?;
            fs::rename(&partial, &unpacked).with_context(|| unpacked.display().to_string())?;
        }
        let find =
            |name: &str| find(&unpacked, name)?.with_context(|| format!("{package} has no {name}"));
        let modules = MODULES.iter().map(|module| find(&format!("{module}.ko")));
        let (modules, image) = (modules.collect::<Result<_>>()?, find("vmlinuz")?);
        let release = release(&package).unwrap_or(&package).to_owned();
        Ok(Self { release, dir: unpacked, image, modules })
    }
}

/// The package of the newest kernel of a version.
fn newest(version: &str) -> Result<String> {
    let offered = apt::names_with("linux-image-")?;
    let packages = || offered.iter().filter(|name| release(name).is_some());
    let fits = |name: &&String| release(name).is_some_and(|release| is_of(release, version));
    packages().filter(fits).max_by_key(|name| numbers(name)).cloned().with_context(|| {
        let mut known: Vec<String> = packages().filter_map(|name| short(release(name)?)).collect();
        known.sort_by_key(|version| numbers(version));
        known.dedup();
        format!(
            "apt offers no Debian kernel {version}; it offers {}: give one of these to --kernel, \
             or add the suite that has it to apt's sources",
            known.join(", ")
        )
    })
}

/// The kernel's version in the name of a package: a name that has only two numbers stands for
/// whatever is newest.
fn release(package: &str) -> Option<&str> {
    let release = package.strip_prefix("linux-image-")?.strip_suffix(FLAVOUR)?;
    (numbers(release).len() > 2).then_some(release)
}

/// Whether a kernel is of a version: 6.1.0-56 is of 6.1 and of 6.1.0-56, and not of 6 or 6.10.
fn is_of(release: &str, version: &str) -> bool {
    let rest = release.strip_prefix(version);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-', '+']))
        && version.contains('.')
}

/// The first two numbers of a version.
fn short(release: &str) -> Option<String> {
    let mut parts = release.split('.');
    Some(format!("{}.{}", parts.next()?, parts.next()?))
}

fn numbers(text: &str) -> Vec<u32> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

/// Downloads a package, and the packages that newer kernels are split into, and unpacks them.
fn unpack(package: &str, into: &Path) -> Result<()> {
    let downloads = into.join("downloads");
    if into.exists() {
        fs::remove_dir_all(into).with_context(|| into.display().to_string())?;
    }
    fs::create_dir_all(&downloads).with_context(|| downloads.display().to_string())?;
    let is_part =
        |name: &String| name.starts_with("linux-binary-") || name.starts_with("linux-modules-");
    let mut packages = vec![package.to_owned()];
    packages.extend(apt::dependencies(package)?.into_iter().filter(is_part));
    apt::download(&packages, &downloads)?;
    for file in fs::read_dir(&downloads).with_context(|| downloads.display().to_string())? {
        let mut unpack = std::process::Command::new("dpkg-deb");
        unpack.arg("--extract").arg(file?.path()).arg(into);
        step::run_quietly(unpack, "is the disk full?")?;
    }
    fs::remove_dir_all(&downloads).with_context(|| downloads.display().to_string())
}

/// A file below a directory whose name begins so.
fn find(dir: &Path, name: &str) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            if let Some(found) = find(&entry.path(), name)? {
                return Ok(Some(found));
            }
        } else if entry.file_name().to_string_lossy().starts_with(name) {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_stands_for_its_kernels_and_no_others() {
        assert!(is_of("6.1.0-56", "6.1"));
        assert!(is_of("6.12.117+deb12", "6.12"));
        assert!(is_of("6.12.117+deb12", "6.12.117+deb12"));
        assert!(!is_of("6.12.117+deb12", "6.1"));
        assert!(!is_of("6.1.0-56", "6"));
        assert!(!is_of("6.1.0-56", "6.1.0-5"));
    }

    #[test]
    fn only_the_package_of_one_kernel_names_one() {
        assert_eq!(release("linux-image-6.1.0-56-cloud-amd64"), Some("6.1.0-56"));
        assert_eq!(release("linux-image-6.12.117+deb12-cloud-amd64"), Some("6.12.117+deb12"));
        for other in ["6.12-cloud-amd64", "6.1.0-56-cloud-amd64-unsigned", "6.1.0-56-amd64"] {
            assert_eq!(release(&format!("linux-image-{other}")), None);
        }
        assert!(numbers("6.1.0-56") > numbers("6.1.0-9"));
    }
}
