//! Stories: what users rely on, told with real hosts, real traffic and the real `lb`.
#![expect(clippy::unwrap_used, reason = "a story fails where something is not as it should be")]

mod any_port;
mod bad_input;
mod decap;
mod drain;
mod failover;
mod families;
mod flows;
mod guards;
mod modes;
mod on_failure;
mod one_daemon;
mod passing;
mod refused;
mod reload;
mod remedies;
mod reserves;
mod restart;
mod slow_start;
mod spread;
mod start;
mod stickiness;
mod the_lab;
mod totals;
mod trace;
mod udp;
mod weights;

use std::time::Duration;

/// For what happens soon, on a machine that may be busy.
const SOON: Duration = Duration::from_secs(10);
