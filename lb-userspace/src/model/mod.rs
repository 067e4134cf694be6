//! What a load balancer is made of, in types that cannot be wrong: whoever holds one need not
//! check it again.

mod address;
mod affinity;
mod check;
mod idle;
mod invalid;
mod period;
mod policy;
mod service;

pub use address::{BackendAddress, ParseAddressError, Protocol, ServiceAddress};
pub use affinity::{Affinity, AffinityKey};
pub use check::{Check, HttpCheck, Probe, Timing};
pub use idle::{Idle, IdleTime};
pub use invalid::Invalid;
pub use period::Period;
pub use policy::{HashFields, MaxFlows, OnDrain, OnFailure, Percent, Policy, Scheduler, SlowStart};
pub use service::{Admin, Backend, BackendKey, Forward, Service, ServiceName, TableSize, Weight};
