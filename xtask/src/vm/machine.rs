//! A virtual machine that boots a kernel, runs what it is given, and is gone.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader},
    path::Path,
    process::{ChildStdout, Command, Stdio},
};

use anyhow::{Context, Result, anyhow};

use super::{guest::LAST_WORD, kernel::Kernel};

/// The exit code of `timeout` when it had to end what it ran.
const TIMED_OUT: i32 = 124;

/// How a machine ended.
pub(super) enum Ending {
    /// Every test passed.
    Passed,
    /// Not so, and why.
    Failed(String),
}

/// Boots a kernel with a first file system. What the tests print is shown as it comes; what the
/// kernel says is shown when it does not get to their end.
pub(super) fn boot(kernel: &Kernel, archive: &[u8], seconds: u32) -> Result<Ending> {
    let console = kernel.dir.join("console");
    let mut machine = qemu(&kernel.image, &console, seconds)
        .stdin(nameless(&kernel.dir.join("initrd"), archive)?)
        .stdout(Stdio::piped())
        .spawn()
        .context("`timeout` does not start")?;
    let told = listen(machine.stdout.take().context("the machine's output")?);
    let told = told.context("reading the machine's output")?;
    let status = machine.wait().context("waiting for the machine")?;
    let failed = |why: &str| Ok(Ending::Failed(why.to_owned()));
    match told.code.as_deref() {
        Some("0") if told.tests == 0 => failed("no test has that in its name"),
        Some("0") => Ok(Ending::Passed),
        Some(_) => failed("the tests that failed are listed above"),
        None => {
            eprint!("{}", fs::read_to_string(&console).unwrap_or_default());
            let limit = format!("not done within {seconds} s");
            let died = "the machine died; its console is shown above";
            failed(if status.code() == Some(TIMED_OUT) { &limit } else { died })
        }
    }
}

/// A machine that takes its first file system from its standard input.
fn qemu(image: &Path, console: &Path, seconds: u32) -> Command {
    // In the terminal's process group, so that Ctrl-C ends the machine as well.
    let mut machine = Command::new("timeout");
    machine.args(["--foreground", "--kill-after=10", &seconds.to_string()]);
    // Emulated: that works everywhere, if slowly.
    machine.args(["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max"]);
    machine.args(["-smp", "2", "-m", "2048", "-nodefaults", "-display", "none", "-no-reboot"]);
    machine.arg("-serial").arg(format!("file:{}", console.display()));
    // Not `stdio`: it would type our input into the machine.
    machine.args(["-serial", "file:/dev/stdout", "-append", "console=ttyS0 panic=-1 quiet"]);
    machine.arg("-kernel").arg(image).args(["-initrd", "/dev/stdin"]);
    machine
}

/// What a machine told of its tests.
#[derive(Default)]
struct Told {
    /// How many ended.
    tests: usize,
    /// The exit code of them all.
    code: Option<String>,
}

fn listen(output: ChildStdout) -> io::Result<Told> {
    let mut told = Told::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        let line = line.trim_end();
        told.tests += usize::from(line.starts_with("test ") && line.contains(" ... "));
        match line.strip_prefix(LAST_WORD) {
            Some(code) => told.code = Some(code.to_owned()),
            None => println!("{line}"),
        }
    }
    Ok(told)
}

/// A file with this content that is gone with whoever has it open, however they end.
fn nameless(path: &Path, content: &[u8]) -> Result<File> {
    let make = || {
        fs::write(path, content)?;
        let file = File::open(path)?;
        fs::remove_file(path)?;
        Ok(file)
    };
    make().map_err(|error: io::Error| anyhow!("{}: {error}", path.display()))
}
