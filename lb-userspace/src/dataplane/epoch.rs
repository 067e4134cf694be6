//! The data path's coarse clock, as userspace can tell it.

use std::{io, time::Duration};

use lb_common::flow::entry::Epoch;

/// What an epoch lasts, as nearly as doublings of a jiffy come to it.
const WANTED_NS: u64 = 4_096_000_000;
/// Jiffies begin five minutes before their low 32 bits wrap (`INITIAL_JIFFIES`).
const HEAD_START_SECONDS: u64 = 300;

/// The doublings of a jiffy that make an epoch.
pub(super) fn shift() -> u32 {
    nearest_shift(jiffy_ns())
}

/// How long an epoch lasts.
pub(super) fn length() -> Duration {
    Duration::from_nanos(jiffy_ns() << shift())
}

/// The epoch that it is now, right to one: jiffies and the clock start some milliseconds apart.
pub(super) fn now() -> Epoch {
    let jiffy_ns = jiffy_ns();
    let hz = (1_000_000_000 + jiffy_ns / 2) / jiffy_ns;
    let start = (1u64 << 32) - HEAD_START_SECONDS * hz;
    let up_ns = clock(libc::CLOCK_MONOTONIC_COARSE, libc::clock_gettime).unwrap_or(0);
    Epoch::new((start + up_ns / jiffy_ns) >> nearest_shift(jiffy_ns))
}

fn nearest_shift(jiffy_ns: u64) -> u32 {
    let distance = |shift: &u32| (jiffy_ns << shift).abs_diff(WANTED_NS);
    (0..24).min_by_key(distance).unwrap_or(0)
}

/// The coarse clock advances once a jiffy.
fn jiffy_ns() -> u64 {
    const HZ_250: u64 = 4_000_000;
    clock(libc::CLOCK_MONOTONIC_COARSE, libc::clock_getres)
        .ok()
        .filter(|ns| *ns > 0)
        .unwrap_or(HZ_250)
}

type ClockCall = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> libc::c_int;

fn clock(id: libc::clockid_t, call: ClockCall) -> io::Result<u64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both calls that are passed here write one timespec.
    if unsafe { call(id, &raw mut time) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // A monotonic clock is not negative.
    Ok(time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_about_four_seconds_at_every_tick_rate() {
        for hz in [100u64, 250, 300, 1000] {
            let jiffy_ns = (1_000_000_000 + hz / 2) / hz;
            let length = jiffy_ns << nearest_shift(jiffy_ns);
            assert!((2_800_000_000..5_700_000_000).contains(&length), "{hz} Hz: {length} ns");
        }
    }

    #[test]
    fn userspace_tells_the_epoch_that_the_kernels_jiffies_tell() {
        let timers = std::fs::read_to_string("/proc/timer_list").unwrap();
        let jiffies = timers.lines().find_map(|line| line.trim().strip_prefix("jiffies: "));
        let kernel = Epoch::new(jiffies.unwrap().parse::<u64>().unwrap() >> shift());
        let apart = now().since(kernel).min(kernel.since(now()));
        assert!(apart <= 1, "{kernel:?} in the kernel, {:?} here", now());
    }
}
