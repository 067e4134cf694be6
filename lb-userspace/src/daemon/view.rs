//! How things stand, in words.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lb_common::backend::{BackendEntry, BackendId};

use super::owner::Owner;
use crate::{
    api::{
        BackendStats, BackendView, ErrorBody, HealthView, InterfaceStatus, Mode, ServiceStats,
        ServiceView, StateView, Stats, Status, Traffic, VerdictStats, clock_ns,
    },
    config,
    dataplane::XdpMode,
    health::BackendHealth,
    maglev::Ramp,
    model::{Admin, Backend, BackendAddress, BackendKey, Service, ServiceName},
    state::{Health, service_key},
};

/// What a status is made of beside the owner.
struct Sources {
    health: BTreeMap<BackendKey, BackendHealth>,
    flows: BTreeMap<BackendId, u64>,
    now: SystemTime,
}

impl Owner {
    pub(super) async fn status(&self) -> Result<Status, ErrorBody> {
        let sources = Sources {
            health: self.health.snapshot().await,
            flows: self.dataplane.live_flows(self.state.ids.backends().map(|(_, id)| id)),
            now: SystemTime::now(),
        };
        let services: Vec<ServiceView> = self
            .state
            .desired
            .services
            .iter()
            .map(|(name, service)| self.service_view(name, service, &sources))
            .collect();
        let interfaces = self.interfaces()?;
        let problems = self.problems(&services, &interfaces);
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started: self.started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            uptime: sources.now.duration_since(self.started).unwrap_or_default().as_secs(),
            config: self.config_path.clone(),
            interfaces,
            services,
            problems,
        })
    }

    fn interfaces(&self) -> Result<Vec<InterfaceStatus>, ErrorBody> {
        let attached =
            self.dataplane.interfaces().map_err(|error| ErrorBody::internal(error.to_string()))?;
        Ok(attached
            .into_iter()
            .map(|interface| {
                let mode = interface.mode.map(|mode| match mode {
                    XdpMode::Native => Mode::Native,
                    XdpMode::Generic => Mode::Generic,
                });
                let warning = match mode {
                    None => Some("nothing is attached: restart the daemon".to_owned()),
                    Some(Mode::Generic) if self.config.mode != config::Mode::Generic => {
                        Some("generic mode, several times slower than native".to_owned())
                    }
                    Some(_) => None,
                };
                InterfaceStatus { name: interface.name, mode, warning }
            })
            .collect())
    }

    fn problems(&self, services: &[ServiceView], interfaces: &[InterfaceStatus]) -> Vec<String> {
        let mut problems = Vec::new();
        if let Some(fault) = &self.fault {
            problems.push(format!("the data path is not up to date: {fault}"));
        }
        for InterfaceStatus { name, warning, .. } in interfaces {
            problems.extend(warning.as_ref().map(|warning| format!("{name}: {warning}")));
        }
        for service in services {
            if service.healthy == 0 {
                let of = service.total;
                problems.push(format!("{}: none of {of} backends can serve", service.name));
            }
            let is_used = |one: &BackendView| {
                let address = one.address;
                self.is_open(&BackendKey { service: service.name.clone(), address })
            };
            if service.backends.iter().any(|one| one.state == StateView::Down && is_used(one)) {
                let least = service.policy.panic_threshold.get();
                problems.push(format!(
                    "{}: fewer than {least} % of its backends are healthy: new flows go to all of \
                     them",
                    service.name
                ));
            }
        }
        for (address, why) in &self.unresolved {
            problems.push(format!("{address} cannot be reached: {why}"));
        }
        problems
    }

    fn service_view(
        &self,
        name: &ServiceName,
        service: &Service,
        sources: &Sources,
    ) -> ServiceView {
        let slots = self.slots(service);
        let backends: Vec<BackendView> = service
            .backends
            .iter()
            .map(|(address, backend)| {
                let key = BackendKey { service: name.clone(), address: *address };
                let id = self.state.ids.backend(name, address);
                let count = |counts: &BTreeMap<BackendId, u64>| {
                    id.and_then(|id| counts.get(&id).copied()).unwrap_or(0)
                };
                let (state, reason) = self.backend_state(service, &key, *backend, sources);
                BackendView {
                    address: *address,
                    weight: backend.weight,
                    backup: backend.backup,
                    max_flows: backend.max_flows,
                    admin: backend.admin,
                    health: self.health_view(service, &key),
                    state,
                    reason,
                    slots: u32::try_from(count(&slots)).unwrap_or(u32::MAX),
                    flows: Some(count(&sources.flows)),
                }
            })
            .collect();
        ServiceView {
            name: name.clone(),
            address: service.address,
            forward: service.forward,
            table_size: service.table_size,
            check: service.check.clone(),
            policy: service.policy.stated(service.address.protocol),
            healthy: backends.iter().filter(|one| one.state.serves()).count(),
            total: backends.len(),
            backends,
        }
    }

    /// How many slots of the service's table each backend has.
    fn slots(&self, service: &Service) -> BTreeMap<BackendId, u64> {
        let mut slots = BTreeMap::new();
        let table = self.tables.services.get(&service_key(service.address));
        for id in table.and_then(|table| table.maglev.as_deref()).unwrap_or_default() {
            *slots.entry(*id).or_insert(0) += 1;
        }
        slots
    }

    fn health_view(&self, service: &Service, key: &BackendKey) -> HealthView {
        match (&service.check, self.observed.health.get(key)) {
            (None, _) => HealthView::Unchecked,
            (Some(_), None) => HealthView::Unknown,
            (Some(_), Some(Health::Up)) => HealthView::Up,
            (Some(_), Some(Health::Down)) => HealthView::Down,
        }
    }

    fn backend_state(
        &self,
        service: &Service,
        key: &BackendKey,
        backend: Backend,
        sources: &Sources,
    ) -> (StateView, Option<String>) {
        let health = self.health_view(service, key);
        let probed = sources.health.get(key);
        let unresolved = self.unresolved.get(&key.address.ip).map(ToString::to_string);
        let reachable = self.observed.next_hops.contains_key(&key.address.ip);
        match (backend.admin, health) {
            (Admin::Disabled, _) => (StateView::Disabled, None),
            (_, HealthView::Down) => {
                (StateView::Down, probed.map(|probed| failing(service, probed, sources.now)))
            }
            (_, _) if !reachable => (StateView::NoRoute, unresolved),
            (Admin::Draining, _) => (StateView::Draining, None),
            (Admin::Enabled, HealthView::Unknown) => {
                (StateView::Checking, probed.and_then(|probed| probed.last_error.clone()))
            }
            (Admin::Enabled, HealthView::Up | HealthView::Unchecked) => {
                self.able_state(key, backend)
            }
        }
    }

    /// The state of a backend that could take new flows.
    fn able_state(&self, key: &BackendKey, backend: Backend) -> (StateView, Option<String>) {
        if backend.backup && !self.is_open(key) {
            return (StateView::Standby, Some("enough primaries serve".to_owned()));
        }
        match self.observed.ramps.get(key) {
            Some(ramp) => {
                let (steps, all) = (ramp.steps(), Ramp::STEPS);
                (StateView::Warming, Some(format!("{steps}/{all} of its share")))
            }
            None => (StateView::Up, None),
        }
    }

    /// True of a backend that new flows are given to.
    fn is_open(&self, key: &BackendKey) -> bool {
        let id = self.state.ids.backend(&key.service, &key.address);
        let entry = id.and_then(|id| self.tables.backends.get(&id));
        entry.is_some_and(|entry| entry.flags & BackendEntry::OPEN != 0)
    }

    pub(super) fn stats(&self) -> Result<Stats, ErrorBody> {
        let internal = |error: &dyn std::error::Error| ErrorBody::internal(error.to_string());
        let ids = self.state.ids.backends().map(|(_, id)| id);
        let counters = self.dataplane.backends(ids).map_err(|error| internal(&error))?;
        let verdicts = self.dataplane.verdicts().map_err(|error| internal(&error))?;
        let traffic = |name: &ServiceName, address: &BackendAddress| {
            let id = self.state.ids.backend(name, address)?;
            counters.get(&id).copied().map(Traffic::from)
        };
        let services = self.state.desired.services.iter().map(|(name, service)| {
            let backends: Vec<BackendStats> = service
                .backends
                .keys()
                .map(|address| BackendStats {
                    address: *address,
                    traffic: traffic(name, address).unwrap_or_default(),
                })
                .collect();
            let departed = self.state.ids.service(name).map(|id| self.dataplane.departed(id));
            let departed = departed.transpose().map_err(|error| internal(&error))?;
            let departed = departed.map(Traffic::from);
            Ok(ServiceStats {
                name: name.clone(),
                address: service.address,
                traffic: backends.iter().map(|one| one.traffic).chain(departed).sum(),
                backends,
            })
        });
        Ok(Stats {
            taken_ns: clock_ns(),
            services: services.collect::<Result<_, ErrorBody>>()?,
            verdicts: verdicts.into_iter().map(|(one, n)| VerdictStats::new(one, n)).collect(),
        })
    }
}

/// Such as `http 503 (3/3) for 12s`.
fn failing(service: &Service, probed: &BackendHealth, now: SystemTime) -> String {
    let why = probed.last_error.as_deref().unwrap_or("waiting for more good probes");
    let fall = service.check.as_ref().map_or(1, |check| check.timing.fall);
    let count = probed.consecutive.min(fall);
    let seconds = now.duration_since(probed.since).unwrap_or_default().as_secs();
    let since = humantime::format_duration(Duration::from_secs(seconds));
    format!("{why} ({count}/{fall}) for {since}")
}
