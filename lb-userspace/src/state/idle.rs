//! How long a flow may be silent before its entry in the flow table is worth nothing.

use std::time::Duration;

use lb_common::flow::entry::{Epoch, State};

use crate::model::{Protocol, Service};

/// The time-outs of a service's flows in epochs, rounded up, indexed by [`State`].
pub fn idle_epochs(service: &Service, epoch: Duration) -> [u16; 4] {
    let mut idle = [0; 4];
    for state in [State::Opening, State::Fresh, State::Established, State::Closing] {
        idle[state as usize] = epochs(time_out(service, state), epoch);
    }
    idle
}

/// A time-out in epochs, rounded up.
pub(super) fn epochs(time: Duration, epoch: Duration) -> u16 {
    let epochs = time.as_nanos().div_ceil(epoch.as_nanos().max(1));
    epochs.min(u128::from(Epoch::LONGEST_IDLE)) as u16
}

fn time_out(service: &Service, state: State) -> Duration {
    let idle = &service.policy.idle;
    match (service.address.protocol, state) {
        (Protocol::Tcp, State::Opening) => idle.syn(),
        // A pooled connection says hello and then rests: it is worth as much as one that talked
        // longer. What a fresh flow lacks is protection when its bucket is full, not time.
        (Protocol::Tcp, State::Fresh | State::Established) => idle.established(),
        (Protocol::Tcp, State::Closing) => idle.closing(),
        (Protocol::Udp, _) => idle.udp(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Idle, IdleTime};

    const EPOCH: Duration = Duration::from_millis(4096);

    fn service(address: &str) -> Service {
        Service::new(address.parse().unwrap())
    }

    fn tcp() -> Service {
        service("tcp:203.0.113.10:443")
    }

    #[test]
    fn a_quiet_tcp_connection_keeps_its_entry_for_two_hours() {
        assert_eq!(idle_epochs(&tcp(), EPOCH), [15, 1758, 1758, 30]);
    }

    #[test]
    fn a_time_out_never_outlives_the_epochs_cycle() {
        let idle = idle_epochs(&tcp(), Duration::from_millis(256));
        assert_eq!(idle, [235, Epoch::LONGEST_IDLE, Epoch::LONGEST_IDLE, 469]);
    }

    #[test]
    fn a_udp_flow_is_forgotten_after_two_minutes() {
        assert_eq!(idle_epochs(&service("udp:203.0.113.10:53"), Duration::from_secs(4)), [30; 4]);
    }

    #[test]
    fn a_time_out_that_is_stated_is_kept_and_the_longest_is_not_cut() {
        let time = |text: &str| Some(text.parse::<IdleTime>().unwrap());
        let mut service = tcp();
        service.policy.idle = Idle { syn: time("10s"), established: time("3h"), ..Idle::default() };
        assert_eq!(idle_epochs(&service, EPOCH), [3, 2637, 2637, 30]);
        assert!("3h 1s".parse::<IdleTime>().is_err());
    }
}
