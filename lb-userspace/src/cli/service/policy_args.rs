//! The flags that say how a service's flows are spread, and what moves them.

use std::num::NonZeroU16;

use clap::{Args, builder::TypedValueParser};

use super::fields::{fields, one_of};
use crate::{
    model::{
        Affinity, AffinityKey, HashFields, Idle, IdleTime, Invalid, OnDrain, OnFailure, Percent,
        SlowStart,
    },
    state::ServiceSettings,
};

/// The heading of these flags, and of those of `service set` that take them back.
pub(crate) const HEADING: &str = "Flows";

/// How flows are spread over the backends, and what moves them.
#[derive(Debug, Args)]
#[command(next_help_heading = HEADING)]
pub(crate) struct PolicyArgs {
    /// What of a packet the consistent hash looks at [default: 5tuple, and source with scheduler sh].
    #[arg(long, value_enum, value_name = "FIELDS")]
    hash: Option<HashFields>,
    /// Clients of one prefix keep their backend until a time after their last new flow, such as
    /// prefix4=24,prefix6=56,timeout=10m; what is left out is 32, 128 and 10m, and by=address alone
    /// says all three [default: off].
    #[arg(long, value_name = "NAME=VALUE,…", value_parser = affinity)]
    affinity: Option<Affinity>,
    /// How long a flow may be silent before it is forgotten, 10s to 3h each: for TCP
    /// syn=1m,established=2h,closing=2m, for UDP udp=2m, which are the defaults of what is left out;
    /// or default for all of them.
    #[arg(long, value_name = "NAME=TIME,…", value_parser = idle)]
    idle: Option<Idle>,
    /// What becomes of the flows of a backend that is down [default: move].
    #[arg(long, value_enum, value_name = "WHAT")]
    on_failure: Option<OnFailure>,
    /// What becomes of the flows of a backend that is drained [default: keep, and move for UDP].
    #[arg(long, value_enum, value_name = "WHAT")]
    on_drain: Option<OnDrain>,
    /// Refuse, unless forced, what would leave fewer backends than that to serve new flows
    /// [default: 0].
    #[arg(long, value_name = "N")]
    min_healthy: Option<u16>,
    /// Give a backend that comes up its share in steps over this time, 1s to 1h [default: at once].
    #[arg(long, value_name = "TIME")]
    slow_start: Option<SlowStart>,
    /// Let backups take part while fewer primaries than that are healthy [default: 1].
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..).try_map(NonZeroU16::try_from))]
    min_primaries: Option<NonZeroU16>,
    /// Use every enabled backend, healthy or not, while a smaller share of them than that is
    /// healthy: 0 to 100 [default: 0, never].
    #[arg(long, value_name = "PERCENT",
          value_parser = clap::value_parser!(u8).range(..=100).try_map(Percent::try_from))]
    panic_threshold: Option<Percent>,
}

impl PolicyArgs {
    /// The settings with those that are named.
    pub(crate) fn applied(self, settings: ServiceSettings) -> ServiceSettings {
        ServiceSettings {
            hash: self.hash,
            affinity: self.affinity.map(Some),
            idle: self.idle,
            on_failure: self.on_failure,
            on_drain: self.on_drain,
            min_healthy: self.min_healthy,
            slow_start: self.slow_start.map(Some),
            min_primaries: self.min_primaries,
            panic_threshold: self.panic_threshold,
            ..settings
        }
    }
}

/// What is wrong with a setting, by its flag.
pub(crate) fn blame(invalid: &Invalid) -> String {
    format!("--{}", invalid.to_string().replacen('_', "-", 1).replacen('.', " ", 1))
}

fn affinity(text: &str) -> Result<Affinity, String> {
    let mut affinity = Affinity::default();
    for (name, value) in fields(text)? {
        match name {
            "by" => {
                let AffinityKey::Address = one_of(name, value)?;
            }
            "prefix4" => affinity.prefix4 = prefix(name, value, Affinity::LONGEST4)?,
            "prefix6" => affinity.prefix6 = prefix(name, value, Affinity::LONGEST6)?,
            "timeout" => affinity.timeout = time(name, value)?,
            _ => return Err(format!("{name:?} is not one of: by, prefix4, prefix6, timeout")),
        }
    }
    Ok(affinity)
}

fn prefix(name: &str, value: &str, most: u8) -> Result<u8, String> {
    let allowed = value.parse().ok().filter(|bits| (1..=most).contains(bits));
    allowed.ok_or_else(|| format!("{name}: {value} is not allowed: 1 to {most}"))
}

fn idle(text: &str) -> Result<Idle, String> {
    let mut idle = Idle::default();
    if text == "default" {
        return Ok(idle);
    }
    for (name, value) in fields(text)? {
        let stated = match name {
            "syn" => &mut idle.syn,
            "established" => &mut idle.established,
            "closing" => &mut idle.closing,
            "udp" => &mut idle.udp,
            _ => return Err(format!("{name:?} is not one of: syn, established, closing, udp")),
        };
        *stated = Some(time(name, value)?);
    }
    Ok(idle)
}

fn time(name: &str, value: &str) -> Result<IdleTime, String> {
    value.parse().map_err(|why| format!("{name}: {why}"))
}
