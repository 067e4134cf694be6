//! The daemon: one task that owns the state, and the tasks that send it messages.
//!
//! ```text
//! api ──────┐
//! health ───┼──▶ owner: desired + observed ──▶ plan ──▶ dataplane
//! network ──┘
//! ```

mod flows;
mod owner;
mod start;
mod view;

pub use start::run;
