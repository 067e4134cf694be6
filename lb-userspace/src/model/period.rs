//! Lengths of time with bounds.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

/// A length of time from `LEAST` to `MOST` seconds, as people write it: `250ms`, `2s`, `1m 30s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Duration", into = "Duration")]
pub struct Period<const LEAST: u64, const MOST: u64>(Duration);

impl<const LEAST: u64, const MOST: u64> Period<LEAST, MOST> {
    const LEAST: Duration = Duration::from_secs(LEAST);
    const MOST: Duration = Duration::from_secs(MOST);

    /// The nearest that is allowed.
    pub fn clamped(length: Duration) -> Self {
        Self(length.clamp(Self::LEAST, Self::MOST))
    }

    /// The length of time.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl<const LEAST: u64, const MOST: u64> TryFrom<Duration> for Period<LEAST, MOST> {
    type Error = String;

    fn try_from(length: Duration) -> Result<Self, Self::Error> {
        if (Self::LEAST..=Self::MOST).contains(&length) {
            return Ok(Self(length));
        }
        let [length, least, most] =
            [length, Self::LEAST, Self::MOST].map(humantime::format_duration);
        Err(format!("{length} is not allowed: {least} to {most}"))
    }
}

impl<const LEAST: u64, const MOST: u64> FromStr for Period<LEAST, MOST> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        humantime::parse_duration(text)
            .map_err(|_| format!("{text:?} is not a duration, such as 30s, 10m or 2h"))?
            .try_into()
    }
}

impl<const LEAST: u64, const MOST: u64> From<Period<LEAST, MOST>> for Duration {
    fn from(period: Period<LEAST, MOST>) -> Self {
        period.0
    }
}

impl<const LEAST: u64, const MOST: u64> fmt::Display for Period<LEAST, MOST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_out_of_its_bounds_is_refused_with_what_is_allowed() {
        type Span = Period<10, 7200>;
        for text in ["10s", "1m 30s", "2h"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        for (text, said) in [
            ("9s", "9s is not allowed: 10s to 2h"),
            ("2h 1ms", "2h 1ms is not allowed: 10s to 2h"),
            ("soon", "\"soon\" is not a duration, such as 30s, 10m or 2h"),
        ] {
            assert_eq!(text.parse::<Span>().unwrap_err(), said);
        }
        let json = serde_json::to_string(&Duration::from_secs(9)).unwrap();
        let error = serde_json::from_str::<Span>(&json).unwrap_err().to_string();
        assert_eq!(error, "9s is not allowed: 10s to 2h");
    }
}
