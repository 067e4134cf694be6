//! What is wanted, what is seen, and what follows from both.

mod change;
mod observed;
mod tables;

pub use change::{Change, Difference, Refusal, ServiceSettings};
pub use observed::{Health, NextHop, Observed};
pub use tables::{ServiceTable, Tables};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Service, ServiceName};

/// What the operator wants: the config file, and the commands since.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Desired {
    /// Every service by its name.
    pub services: BTreeMap<ServiceName, Service>,
}
