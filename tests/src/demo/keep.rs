//! The demo left up: a process in the background holds the lab until it is told to stop.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs, io,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    sys::{
        prctl,
        signal::{Signal, kill},
    },
    unistd::{Pid, dup2_stderr, dup2_stdout, setsid},
};
use serde_json::{Value, json};

use super::show;
use crate::{
    addresses::VIP, command::lb_binary, host::Host, poll, process::Process, topology::Lab,
};

/// Who holds the lab; there is one at a time.
const HOLDER: &str = "/run/lb-demo.json";

/// Longest that the demo may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// Shows everything, and leaves the lab up.
pub fn start() -> Result<()> {
    if let Some(process) = holder()? {
        bail!(
            "the demo is up already (process {process}): `cargo xtask demo --stop` takes it down"
        );
    }
    // What is left of one that was killed would look like the new one's.
    let _ = fs::remove_file(HOLDER);
    let mut holding = Command::new(env::current_exe()?);
    holding.arg("--hold");
    let leave_terminal = || setsid().map(drop).map_err(io::Error::from);
    // SAFETY: the closure makes one system call, which is safe between fork and exec.
    unsafe { holding.pre_exec(leave_terminal) };
    let mut child = holding.spawn().context("start the process that holds the lab")?;
    let held = poll::until(PATIENCE, || is_decided(&mut child));
    ensure!(held.context("the demo takes too long")?, "the demo failed; nothing is left of it");
    Ok(())
}

/// Whether the child holds the lab, or has ended; none as long as it shows the demo.
fn is_decided(child: &mut Child) -> Option<bool> {
    if child.try_wait().ok()?.is_some() {
        return Some(false);
    }
    Path::new(HOLDER).exists().then_some(true)
}

/// Takes down a lab that was left up.
pub fn stop() -> Result<()> {
    let Some(process) = holder()? else {
        println!("no demo is up");
        return Ok(());
    };
    let id = Pid::from_raw(i32::try_from(process)?);
    kill(id, Signal::SIGTERM).with_context(|| format!("stop process {process}"))?;
    let gone = || start_time(process).is_none().then_some(());
    poll::until(Duration::from_secs(10), gone).context("it does not end")?;
    fs::remove_file(HOLDER).with_context(|| format!("remove {HOLDER}"))?;
    println!("the demo is down, and nothing is left of it");
    Ok(())
}

/// Shows everything, and holds the lab for ever: with this process the kernel takes it down.
pub fn hold() -> Result<()> {
    // Until the lab is up, it is part of the command that started it.
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    let lab = show()?;
    let shells = lab.hosts().map(shell).collect::<Result<Vec<_>>>()?;
    tell_how_to_play(&lab);
    prctl::set_pdeathsig(None)?;
    // Whoever reads our output must see its end.
    let nowhere = fs::OpenOptions::new().write(true).open("/dev/null")?;
    dup2_stdout(&nowhere)?;
    dup2_stderr(&nowhere)?;
    let own = std::process::id();
    let hosts: BTreeMap<_, _> = shells.iter().map(|(name, shell)| (name, shell.id())).collect();
    let held = json!({ "process": own, "started": start_time(own), "hosts": hosts });
    fs::write(HOLDER, held.to_string()).with_context(|| format!("write {HOLDER}"))?;
    loop {
        thread::park();
    }
}

/// A process by which a person can enter a host.
fn shell(host: &Host) -> Result<(String, Process)> {
    let process = host.start("shell", "sleep", &["infinity"])?;
    Ok((host.name().to_owned(), process))
}

fn tell_how_to_play(lab: &Lab) {
    let web1 = lab.backend("web1").v4();
    println!("\nThe lab stays up. To play with it, on any of its hosts:");
    println!("   cargo xtask on alice curl -s http://{}/", VIP.ip());
    for command in ["status", "stats", &format!("backend drain web {web1}")] {
        println!("   cargo xtask on balancer lb {command}");
    }
    println!("   cargo xtask on web1 bash");
    println!("`cargo xtask demo --stop` takes it down.");
}

/// Becomes a command on a host of the lab that was left up; `lb` is the one that was built here.
pub fn on(host: &str, command: &[OsString]) -> Result<()> {
    ensure!(holder()?.is_some(), "no demo is up: `cargo xtask demo --keep` leaves one up");
    let held = read_holder()?;
    let hosts = held["hosts"].as_object().with_context(|| format!("{HOLDER} names no hosts"))?;
    let Some(process) = hosts.get(host).and_then(Value::as_u64) else {
        let names: Vec<&str> = hosts.keys().map(String::as_str).collect();
        bail!("the lab has no host {host:?}; there are: {}", names.join(", "));
    };
    let lb = lb_binary()?;
    let beside = Path::new(&lb).parent().unwrap_or(Path::new("/"));
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([beside.to_owned()].into_iter().chain(env::split_paths(&path)))?;
    let mut nsenter = Command::new("nsenter");
    nsenter.args(["--net", "--mount", "--target", &process.to_string()]).args(command);
    Err(nsenter.env("PATH", path).exec()).context("start nsenter")
}

fn read_holder() -> Result<Value> {
    let text = fs::read_to_string(HOLDER).with_context(|| format!("read {HOLDER}"))?;
    serde_json::from_str(&text).with_context(|| format!("read {HOLDER}"))
}

/// The process that holds a lab, if one does.
fn holder() -> Result<Option<u32>> {
    if !Path::new(HOLDER).exists() {
        return Ok(None);
    }
    let holder = read_holder()?;
    let process = holder["process"].as_u64().and_then(|id| u32::try_from(id).ok());
    let process = process.with_context(|| format!("{HOLDER} names no process"))?;
    // Another process may have got the number since.
    let is_same = start_time(process).is_some_and(|started| holder["started"] == started);
    Ok(is_same.then_some(process))
}

/// When a process started, in clock ticks since boot; none when it has ended.
fn start_time(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may hold spaces; of what follows, the first is the state.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let has_ended = matches!(fields.next()?, "Z" | "X");
    let started = fields.nth(18)?.parse().ok()?;
    (!has_ended).then_some(started)
}
