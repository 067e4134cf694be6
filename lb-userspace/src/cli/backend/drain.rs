//! `lb backend drain`.

use std::{
    future::Future,
    io::{IsTerminal, stdout},
    time::Duration,
};

use anyhow::anyhow;
use clap::Args;
use humantime::format_duration;
use serde::Serialize;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::Instant,
};

use super::Target;
use crate::{
    cli::{
        console::{Console, print, print_raw},
        failure::Failure,
        force::Force,
        values::duration,
    },
    model::{Admin, BackendAddress, BackendKey, ServiceName},
    state::Change,
};

/// From one look at the flows to the next.
const POLL: Duration = Duration::from_secs(1);

/// Give a backend no new flows; those it has stay or move as the service's on_drain says.
#[derive(Debug, Args)]
pub(crate) struct Drain {
    #[command(flatten)]
    target: Target,
    /// Wait until its flows have ended, then disable it; interrupted, leave it draining.
    #[arg(long)]
    wait: bool,
    /// Wait no longer than this, and cut the flows that are left.
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "wait")]
    deadline: Option<Duration>,
    #[command(flatten)]
    force: Force,
}

impl Drain {
    pub(crate) async fn run(self, console: &Console) -> Result<(), Failure> {
        let Self { target, wait, deadline, force } = self;
        let backend = BackendKey::from(target);
        let wish = |admin| force.request(Change::SetAdmin { backend: backend.clone(), admin });
        if !wait {
            return console.change(wish(Admin::Draining)).await;
        }
        // Listened for from the start: an impatient operator shall hear what was left.
        let mut interrupts = signal(SignalKind::interrupt())?;
        if console.for_people() {
            console.change(wish(Admin::Draining)).await?;
        } else {
            console.daemon.change(&wish(Admin::Draining)).await?;
        }
        let pace = Pace { deadline, poll: POLL };
        let drained = watch(console, &backend, pace, interrupts.recv()).await?;
        if drained.outcome != Outcome::Interrupted {
            console.daemon.change(&wish(Admin::Disabled)).await?;
        }
        drained.tell(console)
    }
}

/// How long is waited.
#[derive(Debug, Clone, Copy)]
struct Pace {
    deadline: Option<Duration>,
    poll: Duration,
}

/// What became of a drain.
#[derive(Debug, PartialEq, Serialize)]
struct Drained {
    service: ServiceName,
    backend: BackendAddress,
    outcome: Outcome,
    /// Flows that had not ended when the deadline passed.
    cut: u64,
    /// Flows that had not ended when the wait was interrupted, where they had been counted.
    left: Option<u64>,
    /// How long it was waited.
    seconds: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    /// Every flow has ended.
    Drained,
    /// The deadline passed before.
    Deadline,
    /// The operator would not wait; the backend is left draining.
    Interrupted,
}

impl Drained {
    fn tell(&self, console: &Console) -> Result<(), Failure> {
        if self.outcome != Outcome::Interrupted {
            return console.show(self, Self::sentence);
        }
        if !console.for_people() {
            Console::show_json(self)?;
        }
        Err(Failure::Other(anyhow!(self.sentence())))
    }

    fn sentence(&self) -> String {
        let Self { service, backend, outcome, cut, left, seconds } = self;
        let waited = format_duration(Duration::from_secs(*seconds));
        match outcome {
            Outcome::Drained => {
                format!("{service}: {backend} disabled: drained in {waited}, no flow was cut")
            }
            Outcome::Deadline => {
                let flows = if *cut == 1 { "1 flow was" } else { &format!("{cut} flows were") };
                format!(
                    "{service}: {backend} disabled: the deadline passed after {waited}, {flows} cut"
                )
            }
            Outcome::Interrupted => {
                let with = left.map(|left| format!(", with {}", flows(left))).unwrap_or_default();
                format!("interrupted: {service}: {backend} is left draining{with}")
            }
        }
    }
}

fn flows(count: u64) -> String {
    if count == 1 { "1 live flow".to_owned() } else { format!("{count} live flows") }
}

/// Shows the flows as they end, until none is left, the deadline has passed or the operator
/// interrupts.
async fn watch<T>(
    console: &Console,
    key: &BackendKey,
    pace: Pace,
    interrupted: impl Future<Output = T>,
) -> Result<Drained, Failure> {
    let started = Instant::now();
    let mut line = Line::new(console);
    let mut last = (key.address, None);
    let (outcome, cut, left) = tokio::select! {
        cut = until_the_end(console, key, pace, &mut line, &mut last) => match cut? {
            0 => (Outcome::Drained, 0, None),
            cut => (Outcome::Deadline, cut, None),
        },
        _ = interrupted => (Outcome::Interrupted, 0, last.1),
    };
    line.end()?;
    let seconds = started.elapsed().as_secs();
    Ok(Drained { service: key.service.clone(), backend: last.0, outcome, cut, left, seconds })
}

/// How many flows are left when none is or the deadline has passed. `last` is the backend's whole
/// address and the flows that were counted last.
async fn until_the_end(
    console: &Console,
    key: &BackendKey,
    Pace { deadline, poll }: Pace,
    line: &mut Line,
    last: &mut (BackendAddress, Option<u64>),
) -> Result<u64, Failure> {
    let started = Instant::now();
    loop {
        let (address, count) = look(console, key).await?;
        *last = (address, Some(count));
        let left = deadline.map_or(poll, |deadline| deadline.saturating_sub(started.elapsed()));
        if count == 0 || left.is_zero() {
            return Ok(count);
        }
        line.show(format!("{}: {address} {}", key.service, flows(count)))?;
        tokio::time::sleep(poll.min(left)).await;
    }
}

/// The backend's whole address, and how many live flows it has.
async fn look(console: &Console, key: &BackendKey) -> Result<(BackendAddress, u64), Failure> {
    let BackendKey { service, address } = key;
    let view = console.daemon.service(service).await?;
    let backend = view.backends.iter().find(|backend| address.may_be(backend.address));
    let backend = backend.filter(|backend| backend.admin == Admin::Draining).ok_or_else(|| {
        anyhow!("{service}: {address} drains no more: somebody has removed, enabled or disabled it")
    })?;
    let flows = backend.flows.ok_or_else(|| {
        anyhow!("{service}: {address} is left draining: the daemon does not count its flows")
    })?;
    Ok((backend.address, flows))
}

/// One line that is written over on a terminal, and a line for each new text elsewhere; nothing for
/// programs.
struct Line {
    for_people: bool,
    on_terminal: bool,
    shown: Option<String>,
}

impl Line {
    fn new(console: &Console) -> Self {
        let on_terminal = stdout().is_terminal();
        Self { for_people: console.for_people(), on_terminal, shown: None }
    }

    fn show(&mut self, text: String) -> Result<(), Failure> {
        if !self.for_people || self.shown.as_ref() == Some(&text) {
            return Ok(());
        }
        if self.on_terminal {
            // Back to the line's start, and what was there is erased.
            print_raw(&format!("\r{text}\x1b[K"))?;
        } else {
            print(&text)?;
        }
        self.shown = Some(text);
        Ok(())
    }

    fn end(&self) -> Result<(), Failure> {
        if self.on_terminal && self.shown.is_some() { print("") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
