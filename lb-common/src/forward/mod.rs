//! How a packet is sent to a backend, and how a backend unwraps it.

pub mod checksum;
pub mod ipip;
