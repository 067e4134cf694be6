//! The lab: clients, a router, a balancer and backends as hosts of their own, on one machine.
//!
//! ```text
//!   clients ── 198.51.100.0/24 ──┐            ┌── 192.0.2.0/24 ──┬── balancer
//!              2001:db8:1::/64   │   router   │   2001:db8:2::/64 ├── web1
//!              MTU 1500          └────────────┘   MTU 1600        └── web2 …
//! ```
//!
//! A host is a network namespace and a mount namespace that only file descriptors of this process
//! hold, and every process in it is told to die with this one. However a test ends, by success,
//! panic or SIGKILL, the kernel takes the hosts, their cables, BPF pins and files down; and labs
//! that run at the same time cannot meet.
//!
//! A two-armed balancer takes clients' packets in by a third network, 198.18.0.0/24 and
//! `2001:db8:4::/64`.
//!
//! The router sends the VIPs' packets to the balancer; backends own the VIPs and answer clients
//! through the router directly. The lab runs the `lb` command as an operator would, never its code;
//! only the [`rig`] loads the data path by itself.

pub mod addresses;
pub mod backend;
pub mod balancer;
pub mod bench;
pub mod client;
pub mod command;
pub mod config;
mod cpu;
pub mod demo;
mod diagnostics;
pub mod host;
pub mod http;
pub mod load;
mod namespaces;
mod network;
pub mod nginx;
pub mod one_cpu;
pub mod panics;
mod plain;
pub mod poll;
pub mod process;
pub mod rig;
pub mod status;
pub mod topology;
pub mod tunnel;
pub mod udp;
mod xdp_pass;

pub use backend::Backend;
pub use balancer::Balancer;
pub use client::Client;
pub use topology::{Lab, Topology};
