//! How long a flow may be silent before its entry in the flow table is worth nothing.

use std::time::Duration;

use lb_common::flow::entry::{Epoch, State};

use crate::model::Protocol;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// The time-outs of a protocol in epochs, rounded up, indexed by [`State`].
pub fn idle_epochs(protocol: Protocol, epoch: Duration) -> [u16; 4] {
    let mut idle = [0; 4];
    for state in [State::Opening, State::Fresh, State::Established, State::Closing] {
        let time = time_out(protocol, state);
        let epochs = time.as_nanos().div_ceil(epoch.as_nanos().max(1));
        idle[state as usize] = epochs.min(u128::from(Epoch::LONGEST_IDLE)) as u16;
    }
    idle
}

fn time_out(protocol: Protocol, state: State) -> Duration {
    match (protocol, state) {
        // A client repeats its SYN for about two minutes, and each repetition counts anew.
        (Protocol::Tcp, State::Opening) => MINUTE,
        // A pooled connection says hello and then rests: it is worth as much as one that talked
        // longer. What a fresh flow lacks is protection when its bucket is full, not time. Two
        // hours is when TCP keep-alives begin unless told otherwise (RFC 1122, section 4.2.3.6).
        (Protocol::Tcp, State::Fresh | State::Established) => 2 * HOUR,
        // TCP: TIME-WAIT is two maximum segment lifetimes: stragglers still find their backend.
        // UDP: nothing ends a flow but silence. Two minutes is what RFC 4787 (REQ-5) asks of NATs at
        // the least, so clients send keep-alives more often than that.
        (Protocol::Tcp, State::Closing) | (Protocol::Udp, _) => 2 * MINUTE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_tcp_connection_keeps_its_entry_for_two_hours() {
        let idle = idle_epochs(Protocol::Tcp, Duration::from_millis(4096));
        assert_eq!(idle, [15, 1758, 1758, 30]);
    }

    #[test]
    fn a_time_out_never_outlives_the_epochs_cycle() {
        let idle = idle_epochs(Protocol::Tcp, Duration::from_millis(256));
        assert_eq!(idle, [235, Epoch::LONGEST_IDLE, Epoch::LONGEST_IDLE, 469]);
    }

    #[test]
    fn a_udp_flow_is_forgotten_after_two_minutes() {
        assert_eq!(idle_epochs(Protocol::Udp, Duration::from_secs(4)), [30; 4]);
    }
}
