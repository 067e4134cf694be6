//! The daemon's start and its end.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::IpAddr,
    path::Path,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use lb_common::backend::{BackendEntry, BackendId};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::owner::{Inbox, Owner, depart, is_checked, leaving, log_differences};
use crate::{
    api::{server, socket::Socket},
    config::{Config, DaemonConfig, Paths},
    dataplane::{Claim, Dataplane, DataplaneConfig, Recalled, recall},
    health,
    model::{BackendKey, OnFailure},
    network::{Network, NextHopReport},
    state::{
        Desired, HashSeed, Health, Ids, Observed, PlanSettings, State, TableCache, Tables, Warming,
        startup,
    },
};

/// How long the first tables wait for next hops: what is adopted keeps its way meanwhile.
const FIRST_LOOK: Duration = Duration::from_secs(3);

/// Messages under way to the owner; senders wait when there are more.
const QUEUE: usize = 1024;

/// Runs the daemon with a config file until SIGINT or SIGTERM. The data path stays: packets keep
/// their way until `lb detach` or the next daemon. `socket` goes before the config file's. With
/// `trace` the log tells of each packet for a VIP.
pub fn run(config_path: &Path, socket: Option<&Path>, trace: bool) -> anyhow::Result<()> {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    let config = Config::load_to_run(config_path)?;
    let socket = socket.unwrap_or(&config.daemon.paths.socket).to_owned();
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the async runtime")?;
    runtime.block_on(serve(config, config_path, &socket, trace))
}

async fn serve(
    config: Config,
    config_path: &Path,
    socket: &Path,
    trace: bool,
) -> anyhow::Result<()> {
    // First of all: a second daemon must not touch what the first one runs.
    let socket = Socket::bind(socket)?;
    let _claim = Claim::take(&config.daemon.paths.pins)?;
    let (stop, stopped) = oneshot::channel();
    let (reload, reloads) = mpsc::channel(1);
    tokio::spawn(signals(stop, reload)?);

    let (next_hop_reports, next_hops) = mpsc::channel(QUEUE);
    let (health_reports, health_queue) = mpsc::channel(QUEUE);
    let network = Network::spawn(next_hop_reports).await?;
    let health = health::Health::spawn(health_reports);
    let mut owner = adopt(config, config_path, network, health, trace)?;
    if let Some(trace) = owner.dataplane.take_trace()? {
        log::warn!("each packet for a VIP is traced, and slower for it");
        tokio::spawn(trace.run());
    }
    let (commands, command_queue) = mpsc::channel(QUEUE);
    let mut inbox = Inbox { commands: command_queue, next_hops, health: health_queue, reloads };
    owner.watch();
    owner.wait_for_next_hops(&mut inbox.next_hops).await;
    owner.replan();
    log::info!("ready: {} services", owner.state.desired.services.len());

    let owner = tokio::spawn(owner.run(inbox));
    let shutdown = async move {
        // A sender that is gone says the same.
        let _ = stopped.await;
    };
    server::serve(socket, commands, shutdown).await.context("cannot serve the socket")?;
    owner.await.context("the task that owns the state")?;
    log::info!("stopped; the data path keeps forwarding: `lb detach` takes it off");
    Ok(())
}

/// The owner of what the state file remembers, and of what the kernel runs already.
fn adopt(
    config: Config,
    config_path: &Path,
    network: Network,
    health: health::Health,
    trace: bool,
) -> anyhow::Result<Owner> {
    let Config { desired: file, daemon: config } = config;
    let saved = State::load(&config.paths.state)?;
    let known = match &saved {
        Some(saved) => Some(saved.clone()),
        None => recalled(&config.paths, &file)?,
    };
    let (desired, differences) = startup(&file, known.as_ref());
    config.limits.admit(&desired)?;
    let hash_seed = hash_seed(&config, known.as_ref())?;
    let known = known.map(|known| known.ids).unwrap_or_default();
    let ids = known.assign(&desired, config.limits.ids())?;
    let state = State { desired, ids, hash_seed, file };

    // Remembered first, as with every change: what cannot be remembered does not run.
    state.save(&config.paths.state)?;
    let (mut dataplane, adopted) = Dataplane::open(&dataplane_config(&config, hash_seed, trace))
        .inspect_err(|_| put_back(&config.paths.state, saved.as_ref()))?;
    log::info!("{} services and {} backends adopted", adopted.services, adopted.backends);
    for interface in &adopted.detached {
        log::info!("{interface}: detached, as the config file does not name it");
    }
    log_differences(&differences);
    let leaving = leaving(&dataplane, &known, &state.ids);
    depart(&mut dataplane, leaving);
    let observed =
        Observed { health: adopted_health(&dataplane, &known, &state), ..Observed::default() };
    let serving = serving(&dataplane, &known, &state);
    Ok(Owner {
        settings: PlanSettings { tunnel: config.tunnel, epoch: Dataplane::epoch_length() },
        config,
        config_path: config_path.to_owned(),
        started: SystemTime::now(),
        state,
        observed,
        unresolved: BTreeMap::new(),
        tables: Tables::default(),
        fault: None,
        cache: TableCache::default(),
        warming: Warming::adopted(serving),
        dataplane,
        network,
        health,
    })
}

/// Makes the state file what it was before a start that failed.
fn put_back(path: &Path, saved: Option<&State>) {
    let done = match saved {
        Some(saved) => saved.save(path).map_err(|error| error.to_string()),
        None => fs::remove_file(path).map_err(|error| format!("{}: {error}", path.display())),
    };
    if let Err(error) = done {
        log::warn!("the state file is not as it was before: {error}");
    }
}

fn dataplane_config(config: &DaemonConfig, hash_seed: HashSeed, trace: bool) -> DataplaneConfig {
    DataplaneConfig {
        pin_dir: config.paths.pins.clone(),
        interfaces: config.interfaces.iter().map(ToString::to_string).collect(),
        mode: config.mode,
        trace,
        limits: config.limits,
        hash_seed,
    }
}

/// What the pinned maps still know when the state file is gone: who has which number, and the hash
/// key. Flows keep their backends by it.
fn recalled(paths: &Paths, file: &Desired) -> anyhow::Result<Option<State>> {
    let Some(Recalled { hash_seed, tables }) = recall(&paths.pins)? else { return Ok(None) };
    log::warn!(
        "there is no state file {}: the changes made by command are lost, the data path pinned in \
         {} goes on with the config file",
        paths.state.display(),
        paths.pins.display()
    );
    let ids = Ids::recovered(file, &tables);
    Ok(Some(State { desired: Desired::default(), ids, hash_seed, file: Desired::default() }))
}

/// Where the hash key comes from: the config's secret, or what was drawn at the first start.
fn hash_seed(config: &DaemonConfig, saved: Option<&State>) -> anyhow::Result<HashSeed> {
    match (&config.hash_key, saved) {
        (Some(secret), _) => Ok(HashSeed::of_secret(secret.as_bytes())),
        (None, Some(saved)) => Ok(saved.hash_seed),
        (None, None) => HashSeed::random().context("cannot draw a random hash key"),
    }
}

/// What the adopted tables say of each backend's health: one that serves goes on serving until its
/// check says otherwise.
fn adopted_health(
    dataplane: &Dataplane,
    known: &Ids,
    state: &State,
) -> BTreeMap<BackendKey, Health> {
    let usable = dataplane.backends_with(BackendEntry::USABLE);
    let open = dataplane.backends_with(BackendEntry::OPEN);
    let serves = |key: &BackendKey, id: BackendId| {
        // Where flows of a dead backend stay, it takes their packets.
        let service = state.desired.services.get(&key.service);
        let keeps = service.is_some_and(|one| one.policy.on_failure == OnFailure::Keep);
        known.backend(&key.service, &key.address) == Some(id)
            && if keeps { open.contains(&id) } else { usable.contains(&id) }
    };
    state
        .ids
        .backends()
        .filter(|(key, id)| is_checked(&state.desired, key) && serves(key, *id))
        .map(|(key, _)| (key, Health::Up))
        .collect()
}

/// The backends that new flows are given to by the adopted tables.
fn serving(dataplane: &Dataplane, known: &Ids, state: &State) -> BTreeSet<BackendKey> {
    let open = dataplane.backends_with(BackendEntry::OPEN);
    let backends = state.ids.backends();
    let serves = |(key, id): &(BackendKey, BackendId)| {
        known.backend(&key.service, &key.address) == Some(*id) && open.contains(id)
    };
    backends.filter(serves).map(|(key, _)| key).collect()
}

impl Owner {
    /// Waits until there is an answer for every backend's address, so that the first tables lack
    /// none that could have been there.
    async fn wait_for_next_hops(&mut self, reports: &mut mpsc::Receiver<NextHopReport>) {
        let services = self.state.desired.services.values();
        let mut awaited: BTreeSet<IpAddr> = services
            .flat_map(|service| service.backends.keys().map(|backend| backend.ip))
            .collect();
        let answers = async {
            while !awaited.is_empty() {
                let Some(report) = reports.recv().await else { return };
                awaited.remove(&report.address);
                self.note_next_hop(report);
            }
        };
        if timeout(FIRST_LOOK, answers).await.is_err() {
            log::warn!("{} next hops are not known yet", awaited.len());
        }
    }
}

/// Stops at SIGINT and SIGTERM, reads the config file again at SIGHUP.
fn signals(
    stop: oneshot::Sender<()>,
    reload: mpsc::Sender<()>,
) -> anyhow::Result<impl Future<Output = ()>> {
    let listen = |kind| signal(kind).context("cannot listen for signals");
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hangup = listen(SignalKind::hangup())?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
                // One reload that waits reads what a second one would.
                _ = hangup.recv() => drop(reload.try_send(())),
            }
        }
        // Nobody waits any more: then the daemon is ending already.
        let _ = stop.send(());
    })
}

/// Each probe of a health check is a socket.
fn raise_file_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        log::warn!("the limit of open files stays as it is: {error}");
    }
}
