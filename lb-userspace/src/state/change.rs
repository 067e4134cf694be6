//! What an operator can ask for, and what became of it.

use std::num::NonZeroU16;

use serde::{Deserialize, Deserializer, Serialize};

use super::Desired;
use crate::model::{
    Admin, Affinity, BackendAddress, BackendKey, Check, Forward, HashFields, Idle, MaxFlows,
    OnDrain, OnFailure, Percent, Policy, Scheduler, Service, ServiceName, SlowStart, TableSize,
    Weight,
};

/// One wish of an operator. Each is idempotent: wishing twice changes nothing the second time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Make what runs equal to a config file. What an operator decided about a backend by
    /// command ([`Admin`]) stays, as files do not speak of it.
    Apply(Desired),
    /// Add a service; equal to one that is there, nothing; different from it, refused.
    AddService {
        /// Its name.
        name: ServiceName,
        /// All of it.
        service: Service,
    },
    /// Change settings of a service.
    SetService {
        /// Its name.
        name: ServiceName,
        /// What to change.
        settings: ServiceSettings,
    },
    /// Remove a service and its backends; nothing when it is not there.
    RemoveService {
        /// Its name.
        name: ServiceName,
    },
    /// Add a backend; equal to one that is there, nothing; different from it, refused.
    AddBackend {
        /// The backend; its port may be left out.
        backend: BackendKey,
        /// Its share of new flows.
        #[serde(default)]
        weight: Weight,
        /// Whether it serves only while too few others can.
        #[serde(default)]
        backup: bool,
        /// The most flows that it shall have at a time.
        #[serde(default)]
        max_flows: Option<MaxFlows>,
    },
    /// Change settings of a backend.
    SetBackend {
        /// The backend; its port may be left out.
        backend: BackendKey,
        /// What to change.
        #[serde(flatten)]
        settings: BackendSettings,
    },
    /// Remove a backend, and with it its flows; nothing when it is not there.
    RemoveBackend {
        /// The backend; its port may be left out.
        backend: BackendKey,
    },
    /// Drain, disable or enable a backend.
    SetAdmin {
        /// The backend; its port may be left out.
        backend: BackendKey,
        /// The operator's word.
        admin: Admin,
    },
}

/// The settings of a service that a command changes; `None` leaves one as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceSettings {
    /// How a new flow's backend is chosen.
    pub scheduler: Option<Scheduler>,
    /// How packets reach the backends.
    pub forward: Option<Forward>,
    /// Slots of the Maglev table.
    pub table_size: Option<TableSize>,
    /// How health is judged; the inner `None` takes the check away. In JSON, a check that is left
    /// out stays as it is, and `null` takes it away.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "stated")]
    pub check: Option<Option<Check>>,
    /// What of a packet the consistent hash looks at.
    pub hash: Option<HashFields>,
    /// Whether clients keep their backend; like `check`, it can be taken away.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "stated")]
    pub affinity: Option<Option<Affinity>>,
    /// How long flows may be silent, stated whole: a time that is left out becomes the default one.
    pub idle: Option<Idle>,
    /// What becomes of the flows of a backend that is down.
    pub on_failure: Option<OnFailure>,
    /// What becomes of the flows of a backend that is drained.
    pub on_drain: Option<OnDrain>,
    /// How many backends shall serve new flows at the least.
    pub min_healthy: Option<u16>,
    /// Over how long a backend that comes up gets its share; like `check`, it can be taken away.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "stated")]
    pub slow_start: Option<Option<SlowStart>>,
    /// With fewer healthy primaries than that, backups take part.
    pub min_primaries: Option<NonZeroU16>,
    /// With a smaller share of healthy backends than that, all enabled ones are used.
    pub panic_threshold: Option<Percent>,
}

impl ServiceSettings {
    /// The service with these settings changed; whether they go together is not looked at.
    #[must_use]
    pub fn applied(self, service: Service) -> Service {
        let old = service.policy;
        let policy = Policy {
            scheduler: self.scheduler.unwrap_or(old.scheduler),
            hash: self.hash.or(old.hash),
            affinity: self.affinity.unwrap_or(old.affinity),
            idle: self.idle.unwrap_or(old.idle),
            on_failure: self.on_failure.unwrap_or(old.on_failure),
            on_drain: self.on_drain.or(old.on_drain),
            min_healthy: self.min_healthy.unwrap_or(old.min_healthy),
            slow_start: self.slow_start.unwrap_or(old.slow_start),
            min_primaries: self.min_primaries.unwrap_or(old.min_primaries),
            panic_threshold: self.panic_threshold.unwrap_or(old.panic_threshold),
        };
        Service {
            forward: self.forward.unwrap_or(service.forward),
            table_size: self.table_size.unwrap_or(service.table_size),
            check: self.check.unwrap_or(service.check),
            policy,
            ..service
        }
    }
}

/// The settings of a backend that a command changes; `None` leaves one as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BackendSettings {
    /// Its share of new flows.
    pub weight: Option<Weight>,
    /// Whether it serves only while too few others can.
    pub backup: Option<bool>,
    /// The most flows that it shall have at a time; the inner `None`, `null` in JSON, takes the
    /// limit away.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "stated")]
    pub max_flows: Option<Option<MaxFlows>>,
}

/// Reads a field that is there, even if it is `null`: by itself serde takes `null` for a field that
/// is not.
fn stated<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// One thing that a change made different, as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The service it is about.
    pub service: ServiceName,
    /// The backend it is about, if it is about one.
    pub backend: Option<BackendAddress>,
    /// What happened: `added`, `removed`, `weight 1 -> 5`, `draining -> enabled`.
    pub what: String,
}

/// Why a change was refused; nothing of it was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It names what is not there.
    #[error("{0}")]
    NotFound(String),
    /// It contradicts what is there, or itself.
    #[error("{0}")]
    Invalid(String),
    /// A guard stands in its way.
    #[error("{0}")]
    Guarded(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taking_a_setting_away_is_not_lost_between_the_command_line_and_the_daemon() {
        let backend =
            BackendKey { service: "web".parse().unwrap(), address: "192.0.2.21".parse().unwrap() };
        for (check, affinity, slow_start, max_flows) in
            [(None, None, None, None), (Some(None), Some(None), Some(None), Some(None))]
        {
            let settings =
                ServiceSettings { check, affinity, slow_start, ..ServiceSettings::default() };
            let name = backend.service.clone();
            let settings = [
                Change::SetService { name, settings },
                Change::SetBackend {
                    backend: backend.clone(),
                    settings: BackendSettings { max_flows, ..BackendSettings::default() },
                },
            ];
            for change in settings {
                let json = serde_json::to_string(&change).unwrap();
                assert_eq!(serde_json::from_str::<Change>(&json).unwrap(), change, "{json}");
            }
        }
    }

    #[test]
    fn a_change_of_an_older_client_means_what_it_meant() {
        let backend =
            BackendKey { service: "web".parse().unwrap(), address: "192.0.2.21".parse().unwrap() };
        let key = r#"{"service":"web","address":"192.0.2.21"}"#;
        let read = |kind: &str| {
            let json = format!(r#"{{"{kind}":{{"backend":{key},"weight":5}}}}"#);
            serde_json::from_str::<Change>(&json).unwrap()
        };
        let settings = BackendSettings { weight: Some(Weight(5)), ..BackendSettings::default() };
        assert_eq!(read("set_backend"), Change::SetBackend { backend: backend.clone(), settings });
        let added =
            Change::AddBackend { backend, weight: Weight(5), backup: false, max_flows: None };
        assert_eq!(read("add_backend"), added);
    }
}
