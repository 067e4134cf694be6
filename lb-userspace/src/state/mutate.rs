//! From a wish to the next desired state: whole, or refused whole.

use std::{collections::BTreeMap, fmt::Display};

use super::{
    BackendSettings, Change, Desired, Difference, Refusal, ServiceSettings,
    difference::backend_differences, differences,
};
use crate::model::{
    Admin, Backend, BackendAddress, BackendKey, Service, ServiceAddress, ServiceName,
};

/// How many names a message lists before it only counts them.
const LISTED: usize = 10;

impl Desired {
    /// The state with the change made, and what is different in it: nothing, when it was made before.
    pub fn apply(&self, change: Change) -> Result<(Self, Vec<Difference>), Refusal> {
        let next = match change {
            Change::Apply(file) => self.replaced(&file.completed()?),
            Change::AddService { name, service } => self.with_service(name, &service)?,
            Change::SetService { name, settings } => self.with_settings(&name, settings)?,
            Change::RemoveService { name } => {
                let mut next = self.clone();
                next.services.remove(&name);
                next
            }
            Change::AddBackend { backend, weight, backup, max_flows } => {
                let new = Backend { weight, admin: Admin::default(), backup, max_flows };
                self.with_backend(&backend, new)?
            }
            Change::SetBackend { backend, settings } => self.with(&backend, |backend| {
                let BackendSettings { weight, backup, max_flows } = settings;
                backend.weight = weight.unwrap_or(backend.weight);
                backend.backup = backup.unwrap_or(backend.backup);
                backend.max_flows = max_flows.unwrap_or(backend.max_flows);
            })?,
            Change::RemoveBackend { backend } => self.without_backend(&backend)?,
            Change::SetAdmin { backend, admin } => {
                self.with(&backend, |backend| backend.admin = admin)?
            }
        };
        next.consistent()?;
        let differences = differences(self, &next);
        Ok((next, differences))
    }

    /// The same services with every backend's port filled in, or what is wrong with them.
    pub(super) fn completed(&self) -> Result<Self, Refusal> {
        let complete = |(name, service): (&ServiceName, &Service)| {
            Ok((name.clone(), completed(name, service)?))
        };
        let next = Self { services: self.services.iter().map(complete).collect::<Result<_, _>>()? };
        next.consistent()?;
        Ok(next)
    }

    /// The services of `file`, and what an operator decided about those backends that stay.
    pub(super) fn replaced(&self, file: &Self) -> Self {
        let mut next = file.clone();
        for (name, service) in &mut next.services {
            let Some(old) = self.services.get(name) else { continue };
            for (address, backend) in &mut service.backends {
                backend.admin = old.backends.get(address).map_or(backend.admin, |old| old.admin);
            }
        }
        next
    }

    fn with_service(&self, name: ServiceName, service: &Service) -> Result<Self, Refusal> {
        let service = completed(&name, service)?;
        let mut next = self.clone();
        let Some(old) = self.services.get(&name) else {
            next.services.insert(name, service);
            return Ok(next);
        };
        let single = |service| Self { services: BTreeMap::from([(name.clone(), service)]) };
        let (old, new) = (single(old.clone()), single(service));
        match differences(&old, &old.replaced(&new)).as_slice() {
            [] => Ok(next),
            [Difference { backend, what, .. }, ..] => {
                let backend =
                    backend.map(|address| format!("backend {address} ")).unwrap_or_default();
                Err(Refusal::Invalid(format!(
                    "service \"{name}\" exists and is another: {backend}{what}"
                )))
            }
        }
    }

    fn with_settings(
        &self,
        name: &ServiceName,
        settings: ServiceSettings,
    ) -> Result<Self, Refusal> {
        self.service(name)?;
        let mut next = self.clone();
        if let Some(service) = next.services.get_mut(name) {
            *service = completed(name, &settings.applied(service.clone()))?;
        }
        Ok(next)
    }

    fn with_backend(&self, key: &BackendKey, new: Backend) -> Result<Self, Refusal> {
        let (service, address) = self.resolve(key)?;
        let mut next = self.clone();
        let Some(old) = service.backends.get(&address) else {
            if let Some(service) = next.services.get_mut(&key.service) {
                service.backends.insert(address, new);
            }
            return Ok(next);
        };
        match backend_differences(*old, Backend { admin: old.admin, ..new }).as_slice() {
            [] => Ok(next),
            differences => Err(Refusal::Invalid(format!(
                "service \"{}\": backend {address} exists and is another: {}",
                key.service,
                differences.join(", ")
            ))),
        }
    }

    fn without_backend(&self, key: &BackendKey) -> Result<Self, Refusal> {
        let (_, address) = self.resolve(key)?;
        let mut next = self.clone();
        if let Some(service) = next.services.get_mut(&key.service) {
            service.backends.remove(&address);
        }
        Ok(next)
    }

    fn with(&self, key: &BackendKey, edit: impl FnOnce(&mut Backend)) -> Result<Self, Refusal> {
        let (service, address) = self.resolve(key)?;
        let mut next = self.clone();
        let backend = next
            .services
            .get_mut(&key.service)
            .and_then(|service| service.backends.get_mut(&address))
            .ok_or_else(|| {
                let name = &key.service;
                let missing = format!("service \"{name}\" has no backend {address}");
                not_found(&missing, service.backends.keys())
            })?;
        edit(backend);
        Ok(next)
    }

    fn service(&self, name: &ServiceName) -> Result<&Service, Refusal> {
        self.services.get(name).ok_or_else(|| {
            not_found(&format!("service \"{name}\" does not exist"), self.services.keys())
        })
    }

    /// The service of a backend, and its address with the port filled in.
    fn resolve(&self, key: &BackendKey) -> Result<(&Service, BackendAddress), Refusal> {
        let service = self.service(&key.service)?;
        let address = service.complete(key.address).map_err(|why| {
            let BackendKey { service, address } = key;
            Refusal::Invalid(format!("service \"{service}\": backend {address}: address: {why}"))
        })?;
        Ok((service, address))
    }

    /// Refuses what no single service shows: two of them at one address.
    fn consistent(&self) -> Result<(), Refusal> {
        let mut seen: BTreeMap<ServiceAddress, &ServiceName> = BTreeMap::new();
        for (name, service) in &self.services {
            if let Some(other) = seen.insert(service.address, name) {
                return Err(Refusal::Invalid(format!(
                    "service \"{name}\": address: {} is the address of service \"{other}\"",
                    service.address
                )));
            }
        }
        Ok(())
    }
}

fn completed(name: &ServiceName, service: &Service) -> Result<Service, Refusal> {
    let refuse = |why: String| Refusal::Invalid(format!("service \"{name}\": {why}"));
    if let Some(check) = &service.check {
        check
            .suits(&service.address)
            .map_err(|invalid| refuse(format!("check: {}: {}", invalid.field, invalid.why)))?;
    }
    service
        .policy
        .suits(service.address.protocol)
        .map_err(|invalid| refuse(format!("{}: {}", invalid.field, invalid.why)))?;
    let mut backends = BTreeMap::new();
    for (address, backend) in &service.backends {
        let complete = service
            .complete(*address)
            .map_err(|why| refuse(format!("backend {address}: address: {why}")))?;
        if backends.insert(complete, *backend).is_some() {
            return Err(refuse(format!("backend {complete}: address: is listed twice")));
        }
    }
    Ok(Service { backends, ..service.clone() })
}

fn not_found<T: Display>(missing: &str, there: impl ExactSizeIterator<Item = T>) -> Refusal {
    Refusal::NotFound(format!("{missing}; {}", there_are(there)))
}

/// What there is, for whoever named what is not there.
pub(crate) fn there_are<T: Display>(there: impl ExactSizeIterator<Item = T>) -> String {
    let more = there.len().saturating_sub(LISTED);
    let names: Vec<String> = there.take(LISTED).map(|name| name.to_string()).collect();
    match (names.as_slice(), more) {
        ([], _) => "there are none".to_owned(),
        (names, 0) => format!("there are: {}", names.join(", ")),
        (names, more) => format!("there are: {} and {more} more", names.join(", ")),
    }
}

#[cfg(test)]
mod tests;
