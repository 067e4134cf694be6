//! A virtual machine that boots a kernel, runs what it is given, and is gone.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, anyhow};

use super::{guest::LAST_WORD, kernel::Kernel};

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
    // In the terminal's process group, so that Ctrl-C ends the machine as well.
    let mut machine = Command::new("timeout");
    machine.args(["--foreground", "--kill-after=10", &seconds.to_string()]);
    // Emulated: that works everywhere, if slowly.
    machine.args(["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max"]);
    machine.args(["-smp", "2", "-m", "2048", "-nodefaults", "-display", "none", "-no-reboot"]);
    machine.arg("-serial").arg(format!("file:{}", console.display()));
    // Not `stdio`: it would type our input into the machine.
    machine.args(["-serial", "file:/dev/stdout", "-append", "console=ttyS0 panic=-1 quiet"]);
    machine.arg("-kernel").arg(&kernel.image).args(["-initrd", "/dev/stdin"]);
    let mut machine = machine
        .stdin(nameless(&kernel.dir.join("initrd"), archive)?)
        .stdout(Stdio::piped())
        .spawn()
        .context("`timeout` does not start")?;
    let output = machine.stdout.take().context("the machine's output")?;
    let mut ending = None;
    for line in BufReader::new(output).split(b'\n') {
        let line =
            String::from_utf8_lossy(&line.context("reading the machine's output")?).into_owned();
        match line.trim_end().strip_prefix(LAST_WORD) {
            Some(code) => ending = Some(code.to_owned()),
            None => println!("{}", line.trim_end()),
        }
    }
    let status = machine.wait().context("waiting for the machine")?;
    Ok(match ending.as_deref() {
        Some("0") => Ending::Passed,
        Some(_) => Ending::Failed("the tests that failed are listed above".to_owned()),
        None => {
            eprint!("{}", fs::read_to_string(&console).unwrap_or_default());
            let limit = format!("not done within {seconds} s");
            let died = "the machine died; its console is shown above".to_owned();
            Ending::Failed(if status.code() == Some(TIMED_OUT) { limit } else { died })
        }
    })
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

/// The exit code of `timeout` when it had to end what it ran.
const TIMED_OUT: i32 = 124;
