//! Values of flags, refused in words that say what is allowed.

use std::{fmt::Display, net::IpAddr, ops::RangeInclusive, str::FromStr, time::Duration};

use lb_common::maglev::{MAX_SIZE_LOG2, MIN_SIZE_LOG2};

use crate::model::{TableSize, Weight};

/// Reads a whole number of a range.
pub(crate) fn number<T>(
    allowed: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync
where
    T: FromStr + PartialOrd + Display + Copy + Send + Sync,
{
    move |text| {
        let number = text.parse().ok().filter(|number| allowed.contains(number));
        let (least, most) = (allowed.start(), allowed.end());
        number.ok_or_else(|| format!("allowed is a whole number from {least} to {most}"))
    }
}

/// A backend's weight.
pub(crate) fn weight(text: &str) -> Result<Weight, String> {
    number(0..=u16::MAX)(text).map(Weight)
}

/// How many slots a Maglev table has.
pub(crate) fn table_size(text: &str) -> Result<TableSize, String> {
    let size = text.parse::<u32>().ok().and_then(|slots| TableSize::try_from(slots).ok());
    let (least, most) = (1u32 << MIN_SIZE_LOG2, 1u32 << MAX_SIZE_LOG2);
    size.ok_or_else(|| format!("allowed is a power of two from {least} to {most}"))
}

/// An address of a host.
pub(crate) fn host(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| "allowed is an address, such as 192.0.2.1 or 2001:db8::1".to_owned())
}

/// A length of time as people write it.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| "allowed is a time with its unit, such as 2s or 500ms".to_owned())
}
