//! Numbers from the maps, for a start whose state file is gone.

use std::collections::{BTreeMap, BTreeSet};

use lb_common::{address::Address, backend::BackendId};

use super::{Ids, Numbers, Quarantine};
use crate::state::{Desired, Tables, service_key};

impl Ids {
    /// The numbers that the maps give to what is desired, so that flows stay where they are; those
    /// of anything else are quarantined. None where the maps contradict themselves.
    pub fn recovered(desired: &Desired, tables: &Tables) -> Self {
        let mut servers: BTreeMap<(u16, Address), BackendId> = tables
            .backends
            .iter()
            .map(|(id, entry)| ((entry.service, entry.outer_destination), *id))
            .collect();
        let mut ids = Self::default();
        for (name, service) in &desired.services {
            let table = tables.services.get(&service_key(service.address));
            let Some(id) = table.map(|table| table.id) else { continue };
            let own = service
                .backends
                .keys()
                .filter_map(|address| Some((*address, servers.remove(&(id, address.ip.into()))?)));
            ids.services.insert(name.clone(), Numbers { id, backends: own.collect() });
        }
        let services: BTreeSet<u16> = tables.services.values().map(|table| table.id).collect();
        let backends: BTreeSet<BackendId> = tables.backends.keys().copied().collect();
        let owned_services = ids.services.values().map(|own| own.id).collect();
        let owned_backends = ids.backends().map(|(_, id)| id).collect();
        ids.last_service = services.last().copied().unwrap_or(0);
        ids.last_backend = backends.last().copied().unwrap_or(0);
        ids.quarantine = Quarantine {
            services: &services - &owned_services,
            backends: &backends - &owned_backends,
        };
        if ids.is_sound() { ids } else { Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        config::Config,
        state::{IdLimits, Observed, PlanSettings, TableCache, TunnelSources, plan},
    };

    const LIMITS: IdLimits = IdLimits { services: 8, backends: 8 };

    fn desired(services: &[(&str, &[&str])]) -> Desired {
        let tables = services.iter().zip(80..).map(|((name, backends), port)| {
            let backends = backends.iter().map(|ip| format!("{{ address = \"{ip}\" }}"));
            let backends = backends.collect::<Vec<_>>().join(", ");
            format!(
                "[[service]]\nname = \"{name}\"\naddress = \"tcp:203.0.113.10:{port}\"\n\
                 backend = [{backends}]\n"
            )
        });
        Config::parse("lb.toml", &tables.collect::<String>()).unwrap().desired
    }

    fn tables(desired: &Desired, ids: &Ids) -> Tables {
        let settings =
            PlanSettings { tunnel: TunnelSources::default(), epoch: Duration::from_secs(4) };
        plan(desired, &Observed::default(), ids, &settings, &mut TableCache::default())
    }

    /// Numbers that nobody would give by counting.
    fn grown() -> (Desired, Ids) {
        let before = desired(&[("a", &["192.0.2.1", "192.0.2.2"]), ("b", &["192.0.2.1"])]);
        let ids = Ids::default().assign(&before, LIMITS).unwrap();
        let now = desired(&[("a", &["192.0.2.2", "2001:db8::3"]), ("b", &["192.0.2.1"])]);
        let ids = ids.assign(&now, LIMITS).unwrap();
        (now, ids)
    }

    #[test]
    fn every_service_and_backend_gets_back_the_number_that_its_flows_name() {
        let (desired, ids) = grown();
        let recovered = Ids::recovered(&desired, &tables(&desired, &ids));
        assert!(recovered.services().eq(ids.services()));
        assert!(recovered.backends().eq(ids.backends()));
        assert_eq!(recovered.quarantine(), &Quarantine::default());
    }

    #[test]
    fn a_number_of_what_is_not_desired_any_more_is_given_to_nobody() {
        let (before, ids) = grown();
        let after = desired(&[("a", &["192.0.2.2", "192.0.2.9"])]);
        let recovered = Ids::recovered(&after, &tables(&before, &ids));
        let gone = |service: &str, ip: &str| {
            let key = before.services.keys().find(|name| name.as_str() == service).unwrap();
            let backends = &before.services[key].backends;
            let address = backends.keys().find(|one| one.ip.to_string() == ip).unwrap();
            ids.backend(key, address).unwrap()
        };
        let [b, v6] = [gone("b", "192.0.2.1"), gone("a", "2001:db8::3")];
        assert_eq!(recovered.quarantine().backends, BTreeSet::from([b, v6]));
        assert_eq!(recovered.quarantine().services, BTreeSet::from([2]));
        let new = recovered.assign(&after, LIMITS).unwrap();
        assert!(new.backends().all(|(_, id)| id != b && id != v6));
    }

    #[test]
    fn numbers_that_contradict_each_other_are_not_taken_over() {
        let (desired, ids) = grown();
        let mut damaged = tables(&desired, &ids);
        damaged.services.values_mut().for_each(|table| table.id = 1);
        damaged.backends.values_mut().for_each(|entry| entry.service = 1);
        assert_eq!(Ids::recovered(&desired, &damaged), Ids::default());
    }
}
