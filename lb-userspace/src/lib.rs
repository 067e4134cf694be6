//! The control plane of `lb`.
//!
//! Data flows one way. [`config`] and the commands of [`api`] say what is *desired*; [`health`] and
//! [`network`] say what is *observed*; [`state::plan`] turns both into *tables*, purely; and
//! [`dataplane`], the only module that touches BPF, writes what differs. [`daemon`] is the one task
//! that owns the state; everything else sends it messages.

pub mod api;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod dataplane;
pub mod health;
pub mod maglev;
pub mod model;
pub mod network;
pub mod rotation;
pub mod state;
