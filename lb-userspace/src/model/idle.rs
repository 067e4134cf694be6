//! How long a flow may be silent.

use std::time::Duration;

use lb_common::flow::entry::Epoch;
use serde::{Deserialize, Serialize};

use super::{Invalid, Period, Protocol};

/// The least that an epoch of about four seconds can tell apart from a busy flow.
const SHORTEST_SECONDS: u64 = 10;
/// [`Epoch::LONGEST_IDLE`] epochs of 4.096 s, in whole hours.
const LONGEST_SECONDS: u64 = Epoch::LONGEST_IDLE as u64 * 4096 / 1000 / 3600 * 3600;

/// How long the flow table remembers.
pub type IdleTime = Period<SHORTEST_SECONDS, LONGEST_SECONDS>;

/// How long a flow may be silent before it is forgotten; what is not stated is the default.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(default, deny_unknown_fields)]
pub struct Idle {
    /// TCP: a SYN came, and nothing since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub syn: Option<IdleTime>,
    /// TCP: more than a SYN came, and no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub established: Option<IdleTime>,
    /// TCP: a FIN or RST came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closing: Option<IdleTime>,
    /// UDP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udp: Option<IdleTime>,
}

impl Idle {
    /// A client repeats its SYN for about two minutes, and each repetition counts anew.
    const SYN: Duration = Duration::from_mins(1);
    /// When TCP keep-alives begin unless told otherwise (RFC 1122, section 4.2.3.6).
    const ESTABLISHED: Duration = Duration::from_hours(2);
    /// TIME-WAIT is two maximum segment lifetimes: stragglers still find their backend.
    const CLOSING: Duration = Duration::from_mins(2);
    /// Nothing ends a UDP flow but silence. Two minutes is what RFC 4787 (REQ-5) asks of NATs at the
    /// least, so clients send keep-alives more often than that.
    const UDP: Duration = Duration::from_mins(2);

    /// The times, each by its name in config files.
    pub fn named(&self) -> [(&'static str, Option<IdleTime>); 4] {
        let Self { syn, established, closing, udp } = *self;
        [("syn", syn), ("established", established), ("closing", closing), ("udp", udp)]
    }

    /// How long after a SYN.
    pub fn syn(&self) -> Duration {
        self.syn.map_or(Self::SYN, IdleTime::get)
    }

    /// How long for a TCP connection under way.
    pub fn established(&self) -> Duration {
        self.established.map_or(Self::ESTABLISHED, IdleTime::get)
    }

    /// How long after a FIN or RST.
    pub fn closing(&self) -> Duration {
        self.closing.map_or(Self::CLOSING, IdleTime::get)
    }

    /// How long for a UDP flow.
    pub fn udp(&self) -> Duration {
        self.udp.map_or(Self::UDP, IdleTime::get)
    }

    /// The same with all stated that is of the protocol.
    #[must_use]
    pub fn stated(&self, protocol: Protocol) -> Self {
        let stated = |length| Some(IdleTime::clamped(length));
        match protocol {
            Protocol::Tcp => Self {
                syn: stated(self.syn()),
                established: stated(self.established()),
                closing: stated(self.closing()),
                udp: None,
            },
            Protocol::Udp => Self { udp: stated(self.udp()), ..Self::default() },
        }
    }

    /// Proves that nothing is stated that belongs to another protocol.
    pub(super) fn suits(&self, protocol: Protocol) -> Result<(), Invalid> {
        let stray = match protocol {
            Protocol::Tcp => [("idle.udp", self.udp)].into_iter().find(|(_, time)| time.is_some()),
            Protocol::Udp => [
                ("idle.syn", self.syn),
                ("idle.established", self.established),
                ("idle.closing", self.closing),
            ]
            .into_iter()
            .find(|(_, time)| time.is_some()),
        };
        let allowed = match protocol {
            Protocol::Tcp => "is not for a TCP service: it has syn, established and closing",
            Protocol::Udp => "is not for a UDP service: it has udp alone",
        };
        stray.map_or(Ok(()), |(field, _)| Err(Invalid::new(field, allowed)))
    }
}
