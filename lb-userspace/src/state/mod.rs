//! What is wanted, what is seen, and what follows from both.

mod change;
mod difference;
mod guard;
mod idle;
mod ids;
mod mutate;
mod observed;
mod persist;
mod plan;
mod table_cache;
mod tables;
mod warming;

pub use change::{BackendSettings, Change, Difference, Refusal, ServiceSettings};
pub use difference::differences;
pub(crate) use difference::named;
pub use guard::guard;
pub use idle::idle_epochs;
pub use ids::{IdLimits, Ids, IdsExhausted, Quarantine};
pub(crate) use mutate::there_are;
pub use observed::{Health, NextHop, Observed};
pub use persist::{HashSeed, State, StateError, hash_key, startup};
pub use plan::{PlanSettings, TunnelSources, plan, service_key};
pub use table_cache::TableCache;
pub use tables::{ServiceTable, Share, Tables, Tuning};
pub use warming::Warming;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Service, ServiceName};

/// What the operator wants: the config file, and the commands since.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Desired {
    /// Every service by its name.
    pub services: BTreeMap<ServiceName, Service>,
}
