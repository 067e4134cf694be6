//! When the probes of a check are due. Time is an input.

use std::time::{Duration, Instant};

/// Checks of many backends are spread, at first over this part of an interval and then by moving
/// each probe by up to as much.
const SPREAD: u32 = 10;

/// The rhythm of one check.
///
/// Each gap between the starts of two probes is between nine tenths and the whole of the interval.
/// Never more: a dead backend shall be out within `interval × fall + timeout`.
#[derive(Debug, Clone)]
pub struct Schedule {
    interval: Duration,
    seed: u64,
    round: u64,
}

impl Schedule {
    /// A schedule whose jitter follows from the seed alone.
    pub const fn new(interval: Duration, seed: u64) -> Self {
        Self { interval, seed, round: 0 }
    }

    /// When the first probe is due: at once, but for the spread.
    pub fn first(&mut self, now: Instant) -> Instant {
        now + self.jitter()
    }

    /// When the next probe is due after one that started and finished then. Probes of one check
    /// never overlap.
    pub fn next(&mut self, started: Instant, finished: Instant) -> Instant {
        (started + self.interval.saturating_sub(self.jitter())).max(finished)
    }

    /// Less than a tenth of the interval.
    fn jitter(&mut self) -> Duration {
        self.round = self.round.wrapping_add(1);
        let fraction = (mix(self.seed ^ mix(self.round)) >> 32) as u32;
        let nanos = (self.interval / SPREAD).as_nanos() * u128::from(fraction);
        Duration::from_nanos(u64::try_from(nanos >> 32).unwrap_or(u64::MAX))
    }
}

/// `SplitMix64`'s output function.
const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    proptest! {
        #[test]
        fn a_dead_backend_is_found_in_time_whatever_the_jitter(
            seed: u64,
            interval_ms in 1..100_000_u64,
            fall in 1..10_u32,
        ) {
            let interval = Duration::from_millis(interval_ms);
            let mut schedule = Schedule::new(interval, seed);
            let died = schedule.first(Instant::now());
            let mut last = died;
            for _ in 0..fall {
                last = schedule.next(last, last);
            }
            prop_assert!(last - died <= interval * fall);
            prop_assert!(last - died >= interval * fall * 9 / 10);
        }

        #[test]
        fn a_probe_never_starts_before_the_one_before_has_ended(seed: u64) {
            let mut schedule = Schedule::new(SECOND, seed);
            let started = Instant::now();
            prop_assert_eq!(schedule.next(started, started + SECOND), started + SECOND);
        }
    }

    #[test]
    fn many_checks_that_start_together_are_spread_evenly() {
        let now = Instant::now();
        let mut per_tenth = [0; 10];
        for seed in 0..10_000 {
            let delay = Schedule::new(SECOND, seed).first(now) - now;
            per_tenth[usize::try_from(delay.as_millis() / 10).unwrap()] += 1;
        }
        assert!(per_tenth.iter().all(|count| (800..1200).contains(count)), "{per_tenth:?}");
    }

    #[test]
    fn checks_that_start_together_drift_apart() {
        let now = Instant::now();
        let gaps = |seed| {
            let mut schedule = Schedule::new(SECOND, seed);
            [0; 8].map(|_| schedule.next(now, now) - now)
        };
        assert_ne!(gaps(1), gaps(2));
        assert_eq!(gaps(1), gaps(1));
    }
}
