//! How the flows of a service are spread over its backends, and what moves them.

use std::num::{NonZeroU16, NonZeroU32};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::{Affinity, Idle, Invalid, Period, Protocol};

/// How the backend of a new flow is chosen.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Scheduler {
    /// Weighted consistent hash: a change of one backend moves only about its share.
    #[default]
    Maglev,
    /// Each new flow to the next backend in turn, weights aside.
    Rr,
    /// In turn, in proportion to weights, interleaved.
    Wrr,
    /// The backend with the fewest live flows.
    Lc,
    /// The backend with the fewest live flows per weight.
    Wlc,
    /// Source hash: a client's address always gets the same backend.
    Sh,
    /// Of two weighted random choices, the backend with fewer live flows per weight.
    P2c,
}

/// What of a packet the consistent hash looks at.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ValueEnum,
)]
pub enum HashFields {
    /// Both addresses, both ports and the protocol.
    #[serde(rename = "5tuple")]
    #[value(name = "5tuple")]
    FiveTuple,
    /// The client's address.
    #[serde(rename = "source")]
    #[value(name = "source")]
    Source,
    /// The client's address and the VIP.
    #[serde(rename = "source+destination")]
    #[value(name = "source+destination")]
    SourceAndDestination,
    /// All but the client's port.
    #[serde(rename = "source-port-free")]
    #[value(name = "source-port-free")]
    SourcePortFree,
}

/// What becomes of the flows of a backend that is down.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// They go to other backends, which reset what they do not know.
    #[default]
    Move,
    /// TCP: the client is told by a RST, and opens a new one.
    Reset,
    /// They stay and wait for the backend.
    Keep,
}

/// What becomes of the flows of a backend that is drained.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum OnDrain {
    /// They stay until they end.
    Keep,
    /// They go to other backends at once.
    Move,
}

/// Hundredths: 0 to 100.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(try_from = "u8", into = "u8")]
pub struct Percent(u8);

impl Percent {
    /// The whole.
    pub const MOST: u8 = 100;

    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Percent {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        let most = Self::MOST;
        if number <= most {
            Ok(Self(number))
        } else {
            Err(format!("{number} is not allowed: 0 to {most}"))
        }
    }
}

impl From<Percent> for u8 {
    fn from(percent: Percent) -> Self {
        percent.0
    }
}

/// Over how long a backend that comes up gets its share.
pub type SlowStart = Period<1, 3600>;

/// The most flows that a backend shall have at a time.
pub type MaxFlows = NonZeroU32;

/// How the flows of a service are spread over its backends, and what moves them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// How a new flow's backend is chosen.
    pub scheduler: Scheduler,
    /// What of a packet the consistent hash looks at, if it is stated: see [`Self::hash`].
    pub hash: Option<HashFields>,
    /// Whether clients keep their backend from one flow to the next.
    pub affinity: Option<Affinity>,
    /// How long flows may be silent.
    pub idle: Idle,
    /// What becomes of the flows of a backend that is down.
    pub on_failure: OnFailure,
    /// What becomes of the flows of a backend that is drained, if it is stated: see
    /// [`Self::on_drain`].
    pub on_drain: Option<OnDrain>,
    /// What would leave fewer backends than that to serve new flows is refused unless forced.
    pub min_healthy: u16,
    /// Over how long a backend that comes up gets its share; at once where none is given.
    pub slow_start: Option<SlowStart>,
    /// With fewer healthy primaries than that, backups take part.
    pub min_primaries: NonZeroU16,
    /// With a smaller share of healthy backends than that, all enabled ones are used; 0 for never.
    pub panic_threshold: Percent,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            scheduler: Scheduler::default(),
            hash: None,
            affinity: None,
            idle: Idle::default(),
            on_failure: OnFailure::default(),
            on_drain: None,
            min_healthy: 0,
            slow_start: None,
            min_primaries: NonZeroU16::MIN,
            panic_threshold: Percent::default(),
        }
    }
}

impl Policy {
    /// What of a packet the consistent hash looks at.
    pub fn hash(&self) -> HashFields {
        let usual = match self.scheduler {
            Scheduler::Sh => HashFields::Source,
            _ => HashFields::FiveTuple,
        };
        self.hash.unwrap_or(usual)
    }

    /// What becomes of the flows of a backend that is drained. UDP flows move unless told otherwise:
    /// nothing says that one has ended, so a drain could last for ever.
    pub fn on_drain(&self, protocol: Protocol) -> OnDrain {
        self.on_drain.unwrap_or(match protocol {
            Protocol::Tcp => OnDrain::Keep,
            Protocol::Udp => OnDrain::Move,
        })
    }

    /// The same with every default stated that follows from the protocol or the scheduler.
    #[must_use]
    pub fn stated(&self, protocol: Protocol) -> Self {
        Self {
            hash: Some(self.hash()),
            idle: self.idle.stated(protocol),
            on_drain: Some(self.on_drain(protocol)),
            ..*self
        }
    }

    /// Proves that the settings go together, and with the protocol.
    pub fn suits(&self, protocol: Protocol) -> Result<(), Invalid> {
        if self.scheduler == Scheduler::Sh && self.hash() != HashFields::Source {
            let hash = crate::state::named(&self.hash());
            let why = format!(
                "\"{hash}\" is not for scheduler \"sh\", which looks at the source alone: \
                 \"source\", or no hash"
            );
            return Err(Invalid::new("hash", why));
        }
        if self.on_failure == OnFailure::Reset && protocol == Protocol::Udp {
            let why =
                "\"reset\" is not for a UDP service, as it is a TCP RST: \"move\" or \"keep\"";
            return Err(Invalid::new("on_failure", why));
        }
        self.idle.suits(protocol)
    }
}
