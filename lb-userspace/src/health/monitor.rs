//! Decides from the outcomes of probes whether a backend is up: no clock, no sockets.

use crate::state::Health;

/// The health of one backend, judged by consecutive probes.
///
/// ```text
///   unknown ──first good──▶ Up ──fall bad in a row──▶ Down
///      └──────first bad───▶ Down ◀─────────────────────┘
///                            └──rise good in a row──▶ Up
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitor {
    rise: u16,
    fall: u16,
    health: Option<Health>,
    last_was_good: bool,
    consecutive: u16,
}

impl Monitor {
    /// A monitor that starts from `initial`: what is known before the first probe, if anything is.
    pub const fn new(rise: u16, fall: u16, initial: Option<Health>) -> Self {
        Self { rise, fall, health: initial, last_was_good: true, consecutive: 0 }
    }

    /// Takes in one probe; the new health where this probe changes it.
    pub fn observe<E>(&mut self, outcome: &Result<(), E>) -> Option<Health> {
        let good = outcome.is_ok();
        let before = if good == self.last_was_good { self.consecutive } else { 0 };
        self.last_was_good = good;
        self.consecutive = before.saturating_add(1);
        let (health, needed) =
            if good { (Health::Up, self.rise) } else { (Health::Down, self.fall) };
        let convinced = self.health.is_none() || self.consecutive >= needed;
        if !convinced || self.health == Some(health) {
            return None;
        }
        self.health = Some(health);
        Some(health)
    }

    /// The health; none before the first probe.
    pub const fn health(&self) -> Option<Health> {
        self.health
    }

    /// How many probes in a row have ended as the last one did.
    pub const fn consecutive(&self) -> u16 {
        self.consecutive
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::*;

    const GOOD: Result<(), ()> = Ok(());
    const BAD: Result<(), ()> = Err(());

    #[test]
    fn the_first_probe_decides_where_nothing_is_known() {
        assert_eq!(Monitor::new(5, 5, None).observe(&GOOD), Some(Health::Up));
        assert_eq!(Monitor::new(5, 5, None).observe(&BAD), Some(Health::Down));
    }

    #[test]
    fn a_backend_falls_and_rises_only_after_enough_probes_in_a_row() {
        let mut monitor = Monitor::new(2, 3, Some(Health::Up));
        let outcomes = [BAD, BAD, GOOD, BAD, BAD, BAD, BAD, GOOD, BAD, GOOD, GOOD, GOOD];
        let changes = outcomes.map(|outcome| monitor.observe(&outcome));
        let mut expected = [None; 12];
        expected[5] = Some(Health::Down);
        expected[10] = Some(Health::Up);
        assert_eq!(changes, expected);
    }

    #[test]
    fn counting_for_weeks_does_not_overflow() {
        let mut monitor = Monitor::new(2, u16::MAX, Some(Health::Up));
        for _ in 0..70_000 {
            monitor.observe(&GOOD);
        }
        assert_eq!((monitor.health(), monitor.consecutive()), (Some(Health::Up), u16::MAX));
    }

    /// The definition, over the whole history: the last `n` probes all ended one way.
    fn reference(rise: u16, fall: u16, initial: Option<Health>, probes: &[bool]) -> Option<Health> {
        let mut health = initial;
        for end in 1..=probes.len() {
            let history = &probes[..end];
            let all = |n: u16, good| {
                let n = usize::from(n);
                n <= end && history[end - n..].iter().all(|probe| *probe == good)
            };
            health = match health {
                None => Some(if history[end - 1] { Health::Up } else { Health::Down }),
                Some(Health::Up) if all(fall, false) => Some(Health::Down),
                Some(Health::Down) if all(rise, true) => Some(Health::Up),
                same => same,
            };
        }
        health
    }

    proptest! {
        #[test]
        fn health_is_what_the_definition_says(
            rise in 1..5_u16,
            fall in 1..5_u16,
            initial in option::of(prop_oneof![Just(Health::Up), Just(Health::Down)]),
            probes in vec(any::<bool>(), 0..60),
        ) {
            let mut monitor = Monitor::new(rise, fall, initial);
            let mut reported = initial;
            for (index, good) in probes.iter().enumerate() {
                let change = monitor.observe(&if *good { GOOD } else { BAD });
                prop_assert!(change.is_none() || change != reported, "a change changes something");
                reported = change.or(reported);
                let expected = reference(rise, fall, initial, &probes[..=index]);
                prop_assert_eq!(monitor.health(), expected);
                prop_assert_eq!(reported, expected);
            }
        }
    }
}
