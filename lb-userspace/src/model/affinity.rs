//! Clients that keep their backend from one flow to the next.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{IdleTime, Invalid};

/// Clients of one prefix keep their backend for a while after their last new flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "by", rename = "address", try_from = "Unproven")]
pub struct Affinity {
    /// Bits of an IPv4 client's address that count: 1 to 32.
    pub prefix4: u8,
    /// Bits of an IPv6 client's address that count: 1 to 128.
    pub prefix6: u8,
    /// How long after the last new flow.
    pub timeout: IdleTime,
}

impl Affinity {
    /// The most bits of an IPv4 address.
    pub const LONGEST4: u8 = 32;
    /// The most bits of an IPv6 address.
    pub const LONGEST6: u8 = 128;

    /// An affinity that can be.
    pub fn new(prefix4: u8, prefix6: u8, timeout: IdleTime) -> Result<Self, Invalid> {
        for (field, prefix, most) in [
            ("affinity.prefix4", prefix4, Self::LONGEST4),
            ("affinity.prefix6", prefix6, Self::LONGEST6),
        ] {
            if !(1..=most).contains(&prefix) {
                return Err(Invalid::new(field, format!("{prefix} is not allowed: 1 to {most}")));
            }
        }
        Ok(Self { prefix4, prefix6, timeout })
    }
}

impl Default for Affinity {
    fn default() -> Self {
        let timeout = IdleTime::clamped(Duration::from_mins(10));
        Self { prefix4: Self::LONGEST4, prefix6: Self::LONGEST6, timeout }
    }
}

/// What clients are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum AffinityKey {
    /// The client's address, or a prefix of it.
    Address,
}

/// An affinity as it comes in from outside.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unproven {
    by: AffinityKey,
    prefix4: Option<u8>,
    prefix6: Option<u8>,
    timeout: Option<IdleTime>,
}

impl TryFrom<Unproven> for Affinity {
    type Error = Invalid;

    fn try_from(affinity: Unproven) -> Result<Self, Self::Error> {
        let AffinityKey::Address = affinity.by;
        let usual = Self::default();
        Self::new(
            affinity.prefix4.unwrap_or(usual.prefix4),
            affinity.prefix6.unwrap_or(usual.prefix6),
            affinity.timeout.unwrap_or(usual.timeout),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_affinity_in_json_says_by_what_and_is_proven_like_any_other() {
        let json = serde_json::to_string(&Affinity::default()).unwrap();
        assert!(json.starts_with("{\"by\":\"address\",\"prefix4\":32,\"prefix6\":128,"), "{json}");
        assert_eq!(serde_json::from_str::<Affinity>(&json).unwrap(), Affinity::default());
        let brief = serde_json::from_str::<Affinity>("{\"by\":\"address\"}").unwrap();
        assert_eq!(brief, Affinity::default());
        for (json, said) in [
            (json.replace("32", "33"), "affinity.prefix4 33 is not allowed: 1 to 32"),
            (json.replace("128", "0"), "affinity.prefix6 0 is not allowed: 1 to 128"),
            (json.replace("address", "cookie"), "unknown variant `cookie`, expected `address`"),
            ("{}".to_owned(), "missing field `by`"),
        ] {
            let error = serde_json::from_str::<Affinity>(&json).unwrap_err().to_string();
            assert!(error.starts_with(said), "{error}");
        }
    }
}
