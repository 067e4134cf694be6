//! CPU time.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// What this thread has used so far, in the kernel and outside of it.
#[expect(clippy::expect_used, reason = "every kernel has this clock")]
pub(crate) fn time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("the thread's CPU clock").into()
}
