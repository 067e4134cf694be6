//! The demo left up: a process in the background holds the lab until it is told to stop.

use std::{
    env, fs, io,
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
    tell_how_to_play(&lab, &shells)?;
    prctl::set_pdeathsig(None)?;
    // Whoever reads our output must see its end.
    let nowhere = fs::OpenOptions::new().write(true).open("/dev/null")?;
    dup2_stdout(&nowhere)?;
    dup2_stderr(&nowhere)?;
    let own = std::process::id();
    fs::write(HOLDER, json!({ "process": own, "started": start_time(own) }).to_string())
        .with_context(|| format!("write {HOLDER}"))?;
    loop {
        thread::park();
    }
}

/// A process by which a person can enter a host.
fn shell(host: &Host) -> Result<(String, Process)> {
    let process = host.start("shell", "sleep", &["infinity"])?;
    Ok((host.name().to_owned(), process))
}

fn tell_how_to_play(lab: &Lab, shells: &[(String, Process)]) -> Result<()> {
    let enter = |name: &str| -> Result<String> {
        let found = shells.iter().find(|(host, _)| host == name);
        let (_, process) = found.with_context(|| format!("no host {name}"))?;
        Ok(format!("nsenter --net --mount --target {}", process.id()))
    };
    let lb = lb_binary()?;
    let (alice, balancer) = (enter("alice")?, enter("balancer")?);
    let web1 = lab.backend("web1").v4();
    println!("\nThe lab stays up. To play with it, as root:");
    println!("\n   as alice\n   {alice} curl -s http://{}/", VIP.ip());
    println!("\n   on the balancer");
    for command in ["status", "stats", &format!("backend drain web {web1}"), "--help"] {
        println!("   {balancer} {lb} {command}");
    }
    println!("\n   on web1, a shell\n   {}", enter("web1")?);
    println!("\n`cargo xtask demo --stop` takes it down.");
    Ok(())
}

/// The process that holds a lab, if one does.
fn holder() -> Result<Option<u32>> {
    let Ok(text) = fs::read_to_string(HOLDER) else { return Ok(None) };
    let holder: Value = serde_json::from_str(&text).with_context(|| format!("read {HOLDER}"))?;
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
