//! What a load balancer is made of, in types that cannot be wrong: whoever holds one need not
//! check it again.

mod address;
mod check;
mod service;

pub use address::{BackendAddress, ParseAddressError, Protocol, ServiceAddress};
pub use check::{Check, HttpCheck, InvalidCheck, Probe, Timing};
pub use service::{
    Admin, Backend, BackendKey, Forward, Scheduler, Service, ServiceName, TableSize, Weight,
};
