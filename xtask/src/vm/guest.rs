//! What runs in a virtual machine: test programs with all that they need, on a file system in
//! memory.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use super::{archive::Archive, kernel::Kernel};
use crate::step;

/// The tests that load BPF programs and need no hosts beside this one: package, what `cargo test`
/// takes to build them, and which of them run unless others are asked for.
const TESTS: [(&str, &[&str], &str); 2] =
    [("tests", &["--test", "packets"], ""), ("lb-userspace", &["--lib"], "dataplane::tests::")];

/// Programs of this machine that the tests run.
const PROGRAMS: [&str; 2] = ["ip", "bpftool"];

/// What the guest says last, before its exit code.
pub(super) const LAST_WORD: &str = "the tests ended with ";

/// The first program: it mounts what every Linux has, loads modules, runs the tests, and turns the
/// machine off. The first serial line is the kernel's, the second one ours.
const INIT: &str = r#"#!/bin/busybox sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t bpf bpf /sys/fs/bpf
unxz /modules/*.xz 2>/dev/null
for module in /modules/*; do insmod "$module"; done
ip link set dev lo up
/tests/run >/dev/ttyS1 2>&1
echo "LAST_WORD$?" >/dev/ttyS1
poweroff -f
"#;

/// What is the same in every machine.
pub(super) struct Guest {
    tests: Vec<Test>,
}

struct Test {
    program: PathBuf,
    filter: String,
}

impl Guest {
    /// Builds the tests.
    pub(super) fn build(filter: Option<&str>) -> Result<Self> {
        let build = |(package, target, usual): &(&str, &[&str], &str)| {
            let program = executable(package, target)?;
            Ok(Test { program, filter: filter.unwrap_or(usual).to_owned() })
        };
        Ok(Self { tests: TESTS.iter().map(build).collect::<Result<_>>()? })
    }

    /// The file system for a kernel.
    pub(super) fn archive(&self, kernel: &Kernel) -> Result<Vec<u8>> {
        let mut archive = Archive::default();
        for dir in ["/dev", "/proc", "/sys", "/tmp", "/run", "/bin", "/modules"] {
            archive.directory(Path::new(dir));
        }
        archive.file(Path::new("/init"), INIT.replace("LAST_WORD", LAST_WORD).as_bytes());
        for module in &kernel.modules {
            let name = module.file_name().context("a module has a name")?;
            archive.copy(module, &Path::new("/modules").join(name))?;
        }
        with_libraries(&mut archive, &program("busybox")?, Path::new("/bin/busybox"))?;
        for name in PROGRAMS {
            with_libraries(&mut archive, &program(name)?, &Path::new("/usr/bin").join(name))?;
        }
        // Every program runs, and the worst exit code counts.
        let mut run = vec!["#!/bin/sh\ncode=0".to_owned()];
        for (number, test) in self.tests.iter().enumerate() {
            let path = format!("/tests/{number}");
            with_libraries(&mut archive, &test.program, Path::new(&path))?;
            run.push(format!("{path} --color never {} || code=$?", test.filter));
        }
        run.push("exit $code\n".to_owned());
        archive.file(Path::new("/tests/run"), run.join("\n").as_bytes());
        Ok(archive.finish())
    }
}

fn program(name: &str) -> Result<PathBuf> {
    step::find(name).with_context(|| format!("{name} is missing"))
}

/// Adds a program, and the shared libraries that it is linked to.
fn with_libraries(archive: &mut Archive, program: &Path, to: &Path) -> Result<()> {
    archive.copy(program, to)?;
    // Of a program without shared libraries it says so and fails: there is nothing to add then.
    let listed = Command::new("ldd").arg(program).output().context("`ldd` does not start")?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    for library in listed.split_whitespace().filter(|word| word.starts_with('/')) {
        archive.copy(Path::new(library), Path::new(library))?;
    }
    Ok(())
}

/// Builds tests, and tells the program that runs them.
fn executable(package: &str, target: &[&str]) -> Result<PathBuf> {
    let mut cargo = step::cargo(["test", "--no-run", "--message-format=json-render-diagnostics"]);
    cargo.args(["--package", package]).args(target).stderr(std::process::Stdio::inherit());
    let built = cargo.output().context("`cargo test` does not start")?;
    ensure!(built.status.success(), "the tests of {package} do not build: see the message above");
    let messages = String::from_utf8_lossy(&built.stdout).into_owned();
    // Binaries of the package are built along, in any order: only the tests' profile says so.
    let field = "\"executable\":\"";
    let tests = messages.lines().filter(|line| line.contains("\"test\":true},\"features\""));
    let found = tests.into_iter().find_map(|line| line.split(field).nth(1)?.split('"').next());
    found.map(PathBuf::from).with_context(|| format!("cargo built no tests of {package}"))
}
