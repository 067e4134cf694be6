//! What an operator can ask for, and what became of it.

use serde::{Deserialize, Deserializer, Serialize};

use super::Desired;
use crate::model::{
    Admin, BackendAddress, BackendKey, Check, Forward, Scheduler, Service, ServiceName, TableSize,
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
        weight: Weight,
    },
    /// Change a backend's weight.
    SetBackend {
        /// The backend; its port may be left out.
        backend: BackendKey,
        /// Its share of new flows.
        weight: Weight,
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
    fn taking_a_check_away_is_not_lost_between_the_command_line_and_the_daemon() {
        for check in [None, Some(None)] {
            let settings = ServiceSettings { check, ..ServiceSettings::default() };
            let json = serde_json::to_string(&settings).unwrap();
            assert_eq!(serde_json::from_str::<ServiceSettings>(&json).unwrap(), settings, "{json}");
        }
    }
}
