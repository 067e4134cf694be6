//! The steps that tasks consist of: other programs, and what to say when they fail.

use std::{
    env,
    ffi::OsString,
    fs,
    io::{self, IsTerminal},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

/// Says what is under way, for people who wait.
pub(crate) fn say(what: &str) {
    if io::stderr().is_terminal() {
        eprintln!("\x1b[1m==> {what}\x1b[0m");
    } else {
        eprintln!("==> {what}");
    }
}

/// The cargo that runs this task, in the workspace.
pub(crate) fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    cargo.current_dir(workspace()).args(arguments);
    cargo
}

/// Runs a command to its end, with its output shown; `remedy` says what to do when it fails.
pub(crate) fn run(mut command: Command, remedy: &str) -> Result<()> {
    let line = line(&command);
    let status = command.status().with_context(|| format!("`{line}` does not start"))?;
    ensure!(status.success(), "`{line}` failed: {remedy}");
    Ok(())
}

/// Runs a command to its end, with its output shown only when it fails.
pub(crate) fn run_quietly(mut command: Command, remedy: &str) -> Result<()> {
    let line = line(&command);
    let output = command.output().with_context(|| format!("`{line}` does not start"))?;
    if !output.status.success() {
        eprint!("{}", String::from_utf8_lossy(&output.stdout));
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        bail!("`{line}` failed: {remedy}");
    }
    Ok(())
}

/// A command that runs as root: by itself when we are root, else by sudo, saying why.
pub(crate) fn as_root(program: impl AsRef<Path>, why: &str) -> Result<Command> {
    let program = program.as_ref();
    if is_root() {
        return Ok(Command::new(program));
    }
    let Some(sudo) = find("sudo") else {
        bail!("{why} needs root, and there is no sudo here: run this task as root");
    };
    become_root(&sudo, why)?;
    let mut command = Command::new(sudo);
    command.arg(program);
    Ok(command)
}

/// Has sudo ask for what it asks for, now: nobody shall wait for a build that ends in a refusal.
fn become_root(sudo: &Path, why: &str) -> Result<()> {
    let is_ready = Command::new(sudo).args(["-n", "true"]).stderr(Stdio::null()).status();
    if is_ready.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    say(&format!("{why} needs root: sudo will ask for it"));
    let asked = Command::new(sudo).arg("true").status().context("sudo does not start")?;
    ensure!(
        asked.success(),
        "sudo does not make this user root, as said above: run this task as root, or in a terminal \
         as a user who may use sudo"
    );
    Ok(())
}

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    // The owner of a process's directory is its effective user.
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Where a program is, looked for as root would too.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let systems = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from);
    env::split_paths(&path).chain(systems).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// A program that the workspace builds, once it is built: it lies beside this one.
pub(crate) fn built(name: &str) -> Result<PathBuf> {
    let own = env::current_exe().context("the path of this program")?;
    Ok(own.with_file_name(name))
}

/// The same of one that is built for release.
pub(crate) fn released(name: &str) -> Result<PathBuf> {
    let own = built(name)?;
    let target = own.parent().and_then(Path::parent).context("the target directory")?;
    Ok(target.join("release").join(name))
}

pub(crate) fn workspace() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

fn line(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
