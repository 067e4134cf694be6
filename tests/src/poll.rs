//! Waiting, with a deadline.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Asks until there is an answer; none when there was none `within` the time.
pub fn until<T>(within: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    /// Short against everything that is waited for, long against the cost of asking.
    const PAUSE: Duration = Duration::from_millis(20);

    let deadline = Instant::now() + within;
    loop {
        // Asked once more after the deadline: on a busy machine the last pause may have been long.
        let last = Instant::now() >= deadline;
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if last {
            return None;
        }
        // The only sleep of the lab: a poll without a pause would take the CPU from those it waits for.
        thread::sleep(PAUSE);
    }
}
