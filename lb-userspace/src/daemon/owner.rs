//! The one task that owns the state: it takes messages one by one, and after each the maps hold
//! what follows from it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::PathBuf,
    time::{Duration, Instant, SystemTime},
};

use lb_common::{backend::BackendEntry, counters::BackendCounters};
use tokio::{
    sync::mpsc,
    task::block_in_place,
    time::{MissedTickBehavior, interval},
};

use crate::{
    api::{ChangeRequest, ChangeResponse, Command, ErrorBody},
    config::{Config, DaemonConfig},
    dataplane::{Dataplane, DataplaneError},
    health::{Health, HealthReport, Target},
    model::BackendKey,
    network::{Network, NextHopReport, Unresolved},
    state::{
        self, Change, Desired, Difference, Ids, Observed, PlanSettings, State, TableCache, Tables,
        Warming, guard, plan,
    },
};

/// How long after a failed write to the maps it is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// How often a part of the flow table is swept.
const SWEEP: Duration = Duration::from_millis(100);

/// Everything the daemon knows.
pub(super) struct Owner {
    pub(super) config: DaemonConfig,
    pub(super) config_path: PathBuf,
    pub(super) started: SystemTime,
    pub(super) settings: PlanSettings,
    pub(super) state: State,
    pub(super) observed: Observed,
    /// Why addresses have no next hop.
    pub(super) unresolved: BTreeMap<IpAddr, Unresolved>,
    /// What the maps hold.
    pub(super) tables: Tables,
    /// Why the maps do not hold what they should, while they do not.
    pub(super) fault: Option<String>,
    pub(super) cache: TableCache,
    pub(super) warming: Warming,
    pub(super) dataplane: Dataplane,
    pub(super) network: Network,
    pub(super) health: Health,
}

/// Where messages to the owner come from.
pub(super) struct Inbox {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) next_hops: mpsc::Receiver<NextHopReport>,
    pub(super) health: mpsc::Receiver<HealthReport>,
    /// Wishes to read the config file again.
    pub(super) reloads: mpsc::Receiver<()>,
}

impl Owner {
    /// Takes messages until there is nobody left who could send a command.
    pub(super) async fn run(mut self, mut inbox: Inbox) {
        let mut retry = None;
        let mut sweeps = interval(SWEEP);
        sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let next_step = self.warming.next_step(&self.state.desired, Instant::now());
            let again = sleep_until(retry);
            tokio::select! {
                command = inbox.commands.recv() => match command {
                    Some(command) => self.answer(command).await,
                    None => return,
                },
                Some(report) = inbox.next_hops.recv() => {
                    self.note_next_hop(report);
                    while let Ok(report) = inbox.next_hops.try_recv() {
                        self.note_next_hop(report);
                    }
                    self.replan();
                }
                Some(report) = inbox.health.recv() => {
                    self.note_health(report);
                    while let Ok(report) = inbox.health.try_recv() {
                        self.note_health(report);
                    }
                    self.replan();
                }
                Some(()) = inbox.reloads.recv() => self.reload(),
                () = again => self.replan(),
                () = sleep_until(next_step) => self.replan(),
                _ = sweeps.tick() => self.sweep(),
            }
            retry = self.fault.as_ref().map(|_| Instant::now() + RETRY);
        }
    }

    /// Goes on with the sweep of the flow table.
    fn sweep(&mut self) {
        block_in_place(|| self.dataplane.sweep());
    }

    async fn answer(&mut self, command: Command) {
        // Whoever asked may have left; then nobody misses the answer.
        match command {
            Command::Change { request, reply } => {
                let _ = reply.send(self.change(*request));
            }
            Command::Status { reply } => {
                let _ = reply.send(self.status().await);
            }
            Command::Stats { reply } => {
                let _ = reply.send(self.stats());
            }
            Command::Flows { reply } => {
                let _ = reply.send(Ok(self.flows()));
            }
            Command::Desired { reply } => {
                let _ = reply.send(Ok(self.state.desired.clone()));
            }
        }
    }

    fn reload(&mut self) {
        let outcome =
            Config::load(&self.config_path).map_err(|error| error.to_string()).and_then(|config| {
                let request = Change::Apply(config.desired).into();
                self.change(request).map_err(|error| error.error)?;
                Ok(self.config.differing(&config.daemon))
            });
        match outcome {
            Ok(waiting) if waiting.is_empty() => {}
            Ok(waiting) => log::warn!(
                "{}: {} changed: restart the daemon for that to count",
                self.config_path.display(),
                waiting.join(", ")
            ),
            Err(error) => log::error!("the config file is not applied: {error}"),
        }
    }

    pub(super) fn note_next_hop(&mut self, report: NextHopReport) {
        let NextHopReport { address, next_hop } = report;
        match next_hop {
            Ok(next_hop) => {
                self.unresolved.remove(&address);
                self.observed.next_hops.insert(address, next_hop);
            }
            Err(why) => {
                log::warn!("{address} cannot be reached: {why}");
                self.observed.next_hops.remove(&address);
                self.unresolved.insert(address, why);
            }
        }
    }

    fn note_health(&mut self, report: HealthReport) {
        let HealthReport { backend, health, reason } = report;
        match (health, reason) {
            (state::Health::Up, _) => log::info!("{backend} is up"),
            (state::Health::Down, Some(why)) => log::warn!("{backend} is down: {why}"),
            (state::Health::Down, None) => log::warn!("{backend} is down"),
        }
        // A report may have been under way while its check was removed.
        if is_checked(&self.state.desired, &backend) {
            self.observed.health.insert(backend, health);
        }
    }

    /// Makes the maps hold what follows from the state.
    pub(super) fn replan(&mut self) {
        let ids = &self.state.ids;
        let desired = &self.state.desired;
        self.observed.ramps = self.warming.advance(desired, &self.observed, Instant::now());
        let tables =
            plan(&self.state.desired, &self.observed, ids, &self.settings, &mut self.cache);
        self.fault = match self.write(tables) {
            Ok(()) => None,
            Err(error) => {
                log::error!("the data path is not up to date: {error}");
                Some(error.to_string())
            }
        };
    }

    fn write(&mut self, tables: Tables) -> Result<(), DataplaneError> {
        // It waits for packets under way, some milliseconds.
        block_in_place(|| self.dataplane.apply(&tables))?;
        self.tables = tables;
        Ok(())
    }

    /// Does what a request asks, whole or not at all.
    fn change(&mut self, request: ChangeRequest) -> Result<ChangeResponse, ErrorBody> {
        let ChangeRequest { change, dry_run, force } = request;
        let file = match &change {
            Change::Apply(file) => file.clone(),
            _ => self.state.file.clone(),
        };
        let (desired, differences) = self.state.desired.apply(change)?;
        self.config
            .limits
            .admit(&desired)
            .map_err(|exceeded| ErrorBody::invalid(exceeded.to_string()))?;
        if !force {
            guard(&self.state.desired, &desired, &self.able())?;
        }
        let unchanged = desired == self.state.desired && file == self.state.file;
        if !dry_run && !unchanged {
            self.become_desired(desired, file)?;
            log_differences(&differences);
        }
        Ok(ChangeResponse { differences, dry_run })
    }

    fn become_desired(&mut self, desired: Desired, file: Desired) -> Result<(), ErrorBody> {
        let internal = |error: &dyn std::error::Error| ErrorBody::internal(error.to_string());
        let ids = self.assign(&desired)?;
        let next = State { desired, ids, hash_seed: self.state.hash_seed, file };
        let mut observed = self.observed.clone();
        observed.health = self.presumed_health(&next);
        observed.ramps = self.warming.advance(&next.desired, &observed, Instant::now());
        let tables = plan(&next.desired, &observed, &next.ids, &self.settings, &mut self.cache);

        // Remembered first: a daemon that dies in between comes back to what was asked for.
        next.save(&self.config.paths.state).map_err(|error| internal(&error))?;
        let leaving = leaving(&self.dataplane, &self.state.ids, &next.ids);
        if let Err(error) = self.write(tables) {
            self.state.save(&self.config.paths.state).map_err(|error| internal(&error))?;
            return Err(internal(&error));
        }
        depart(&mut self.dataplane, leaving);
        self.state = next;
        self.observed = observed;
        self.watch();
        Ok(())
    }

    /// Numbers for all that is desired; the flow table is swept when numbers run out.
    fn assign(&mut self, desired: &Desired) -> Result<Ids, ErrorBody> {
        let limits = self.config.limits.ids();
        if let Ok(ids) = self.state.ids.assign(desired, limits) {
            return Ok(ids);
        }
        let quarantine = self.state.ids.quarantine().clone();
        let swept = block_in_place(|| self.dataplane.forget(&quarantine.backends));
        log::debug!("swept {swept} flows of backends that are gone");
        self.state.ids.release(&quarantine);
        self.state
            .ids
            .assign(desired, limits)
            .map_err(|exhausted| ErrorBody::invalid(exhausted.to_string()))
    }

    /// The backends that are healthy and reachable, whatever the operator wants of them.
    fn able(&self) -> BTreeSet<BackendKey> {
        let desired = &self.state.desired;
        let keys = self.state.ids.backends().map(|(key, _)| key);
        keys.filter(|key| self.observed.can_serve(desired, key)).collect()
    }

    /// The health of every checked backend of a state: what was observed, and of a backend that
    /// serves now and is to be checked from now on, that it is up. A check that is new shall not
    /// take out what works.
    fn presumed_health(&self, next: &State) -> BTreeMap<BackendKey, state::Health> {
        let mut health = BTreeMap::new();
        for (key, id) in next.ids.backends() {
            if !is_checked(&next.desired, &key) {
                continue;
            }
            let serves = self.state.ids.backend(&key.service, &key.address) == Some(id)
                && self.tables.backends.get(&id).is_some_and(is_usable);
            let presumed = serves.then_some(state::Health::Up);
            if let Some(known) = self.observed.health.get(&key).copied().or(presumed) {
                health.insert(key, known);
            }
        }
        health
    }

    /// Tells the watchers what is of interest.
    pub(super) fn watch(&mut self) {
        let services = &self.state.desired.services;
        let addresses: BTreeSet<IpAddr> = services
            .values()
            .flat_map(|one| one.backends.keys().map(|backend| backend.ip))
            .collect();
        self.observed.next_hops.retain(|address, _| addresses.contains(address));
        self.unresolved.retain(|address, _| addresses.contains(address));
        self.network.watch(addresses);
        self.health.watch(self.targets());
    }

    fn targets(&self) -> BTreeMap<BackendKey, Target> {
        let mut targets = BTreeMap::new();
        for (name, service) in &self.state.desired.services {
            let Some(check) = &service.check else { continue };
            for address in service.backends.keys() {
                // A check that has no port to ask is refused where it is made.
                let Some(port) = check.port.or(address.port) else { continue };
                let key = BackendKey { service: name.clone(), address: *address };
                let initial = self.observed.health.get(&key).copied();
                let target = Target { address: address.ip, port, check: check.clone(), initial };
                targets.insert(key, target);
            }
        }
        targets
    }
}

/// Waits for a moment; for ever when there is none.
async fn sleep_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

/// What each service, by number, loses from its sum with the backends that are not in `next`.
pub(super) fn leaving(dataplane: &Dataplane, now: &Ids, next: &Ids) -> Vec<(u16, BackendCounters)> {
    let gone: Vec<_> = now
        .backends()
        .filter(|(key, id)| next.backend(&key.service, &key.address) != Some(*id))
        .filter_map(|(key, id)| Some((next.service(&key.service)?, id)))
        .collect();
    let counters = dataplane.backends(gone.iter().map(|(_, id)| *id)).unwrap_or_default();
    gone.into_iter().filter_map(|(service, id)| Some((service, *counters.get(&id)?))).collect()
}

/// Keeps in the services' sums what leaves with their backends.
pub(super) fn depart(dataplane: &mut Dataplane, leaving: Vec<(u16, BackendCounters)>) {
    for (service, gone) in leaving {
        if let Err(error) = dataplane.depart(service, gone) {
            log::warn!("a service's sum lacks what left with a backend: {error}");
        }
    }
}

/// True of a backend whose service has a check.
pub(super) fn is_checked(desired: &Desired, backend: &BackendKey) -> bool {
    desired.services.get(&backend.service).is_some_and(|service| {
        service.check.is_some() && service.backends.contains_key(&backend.address)
    })
}

/// True of an entry that takes packets.
pub(super) fn is_usable(entry: &BackendEntry) -> bool {
    entry.flags & BackendEntry::USABLE != 0
}

/// Says what a change made different.
pub(super) fn log_differences(differences: &[Difference]) {
    for Difference { service, backend, what } in differences {
        match backend {
            Some(backend) => log::info!("{service}: {backend} {what}"),
            None => log::info!("{service}: {what}"),
        }
    }
}
