//! The task that runs every check: a heap of what is due, and a task for each probe under way.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    time::{Duration, Instant, SystemTime},
};

use nix::sys::resource::{Resource, getrlimit};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::sleep_until,
};

use super::{
    BackendHealth, Command, HealthReport, Target,
    monitor::Monitor,
    probe::{self, Failure},
    schedule::Schedule,
};
use crate::{model::BackendKey, state::Health};

/// Probes under way at once, where the limit of open files allows it.
const MAX_PROBES: usize = 16_384;

/// Names one run of a check: a changed check is a new run, so that what an old probe or timer says
/// is not taken for the new one's.
type RunId = u64;

/// One backend's check.
struct Run {
    backend: BackendKey,
    target: Target,
    monitor: Monitor,
    schedule: Schedule,
    /// Since when the health is what it is.
    since: SystemTime,
    last_error: Option<String>,
    last_latency: Option<Duration>,
    /// The probe under way.
    probe: Option<AbortHandle>,
}

struct Probed {
    run: RunId,
    outcome: Result<(), Failure>,
    started: Instant,
    finished: Instant,
}

/// Owns every check.
pub(super) struct Checker {
    /// What nobody has taken yet; the latest of each backend is enough.
    outbox: BTreeMap<BackendKey, HealthReport>,
    ids: BTreeMap<BackendKey, RunId>,
    runs: HashMap<RunId, Run>,
    next_id: RunId,
    due: BinaryHeap<Reverse<(Instant, RunId)>>,
    probes: JoinSet<Probed>,
    max_probes: usize,
}

impl Checker {
    pub(super) fn new() -> Self {
        Self {
            outbox: BTreeMap::new(),
            ids: BTreeMap::new(),
            runs: HashMap::new(),
            next_id: 0,
            due: BinaryHeap::new(),
            probes: JoinSet::new(),
            max_probes: max_probes(),
        }
    }

    /// Checks until no more commands can come or nobody receives the reports.
    pub(super) async fn run(
        mut self,
        mut commands: mpsc::UnboundedReceiver<Command>,
        reports: mpsc::Sender<HealthReport>,
    ) {
        loop {
            let next_due = self.next_due();
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Watch(targets)) => self.replace(targets),
                    // Who asked may have gone away meanwhile.
                    Some(Command::Snapshot(reply)) => drop(reply.send(self.snapshot())),
                    None => return,
                },
                permit = reports.reserve(), if !self.outbox.is_empty() => {
                    let Ok(permit) = permit else { return };
                    if let Some((_, report)) = self.outbox.pop_first() {
                        permit.send(report);
                    }
                }
                Some(probed) = self.probes.join_next() => {
                    // No outcome comes of an aborted probe: its check is gone.
                    if let Ok(probed) = probed {
                        self.take_in(&probed);
                    }
                }
                () = sleep_until(next_due.unwrap_or_else(Instant::now).into()),
                    if next_due.is_some() => self.start_due(Instant::now()),
            }
        }
    }

    /// When to start the next probe; none while there is nothing to start or no room for it.
    fn next_due(&self) -> Option<Instant> {
        let room = self.probes.len() < self.max_probes;
        self.due.peek().filter(|_| room).map(|Reverse((due, _))| *due)
    }

    fn replace(&mut self, mut targets: BTreeMap<BackendKey, Target>) {
        let now = Instant::now();
        let known: Vec<_> = self.ids.keys().cloned().collect();
        for backend in known {
            if let Some(target) = targets.remove(&backend) {
                self.update(backend, target, now);
            } else {
                self.remove(&backend);
                self.outbox.remove(&backend);
            }
        }
        for (backend, target) in targets {
            let since = SystemTime::now();
            let health = target.initial;
            self.add(backend, target, health, since, now);
        }
    }

    fn update(&mut self, backend: BackendKey, target: Target, now: Instant) {
        let run = self.ids.get(&backend).and_then(|id| self.runs.get(id));
        if run.is_some_and(|run| run.target.asks_as(&target)) {
            return;
        }
        let Some(run) = self.remove(&backend) else { return };
        let health = run.monitor.health().or(target.initial);
        self.add(backend, target, health, run.since, now);
    }

    fn add(
        &mut self,
        backend: BackendKey,
        target: Target,
        health: Option<Health>,
        since: SystemTime,
        now: Instant,
    ) {
        let timing = target.check.timing;
        let mut schedule = Schedule::new(timing.interval, seed(&backend));
        let id = self.next_id;
        self.next_id += 1;
        self.due.push(Reverse((schedule.first(now), id)));
        self.ids.insert(backend.clone(), id);
        let run = Run {
            backend,
            monitor: Monitor::new(timing.rise, timing.fall, health),
            target,
            schedule,
            since,
            last_error: None,
            last_latency: None,
            probe: None,
        };
        self.runs.insert(id, run);
    }

    fn remove(&mut self, backend: &BackendKey) -> Option<Run> {
        let run = self.runs.remove(&self.ids.remove(backend)?)?;
        if let Some(probe) = &run.probe {
            probe.abort();
        }
        Some(run)
    }

    fn start_due(&mut self, now: Instant) {
        while self.probes.len() < self.max_probes
            && let Some(Reverse((due, id))) = self.due.peek().copied()
            && due <= now
        {
            self.due.pop();
            let Some(run) = self.runs.get_mut(&id) else { continue };
            let (check, socket) = (run.target.check.clone(), run.target.socket());
            run.probe = Some(self.probes.spawn(async move {
                let started = Instant::now();
                let outcome = probe::run(&check.probe, socket, check.timing.timeout).await;
                Probed { run: id, outcome, started, finished: Instant::now() }
            }));
        }
    }

    fn take_in(&mut self, probed: &Probed) {
        let Some(run) = self.runs.get_mut(&probed.run) else { return };
        run.probe = None;
        let due = run.schedule.next(probed.started, probed.finished);
        self.due.push(Reverse((due, probed.run)));
        let error = probed.outcome.as_ref().err().map(ToString::to_string);
        let is_new = error != run.last_error;
        run.last_error = error;
        match &probed.outcome {
            Ok(()) => run.last_latency = Some(probed.finished - probed.started),
            Err(failure) if failure.is_inconclusive() => {
                if is_new {
                    log::warn!("{}: {failure}; its health stays as it was", run.backend);
                }
                return;
            }
            Err(_) => {}
        }
        if let Some(health) = run.monitor.observe(&probed.outcome) {
            run.since = SystemTime::now();
            let reason = run.last_error.clone();
            let report = HealthReport { backend: run.backend.clone(), health, reason };
            self.outbox.insert(run.backend.clone(), report);
        }
    }

    fn snapshot(&self) -> BTreeMap<BackendKey, BackendHealth> {
        let of = |run: &Run| BackendHealth {
            health: run.monitor.health(),
            since: run.since,
            last_error: run.last_error.clone(),
            consecutive: run.monitor.consecutive(),
            last_latency: run.last_latency,
        };
        self.runs.values().map(|run| (run.backend.clone(), of(run))).collect()
    }
}

/// Half of the files that may be open are for probes; they need one each.
fn max_probes() -> usize {
    let files = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft);
    usize::try_from(files / 2).unwrap_or(usize::MAX).clamp(1, MAX_PROBES)
}

fn seed(backend: &BackendKey) -> u64 {
    let mut hasher = DefaultHasher::new();
    backend.hash(&mut hasher);
    hasher.finish()
}
