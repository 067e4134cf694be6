//! How a `[[service]]` of the file spreads its flows.

use std::num::NonZeroU16;

use super::{
    ConfigError,
    file::{AffinityTable, IdleTable, Number, ServiceTable, Spanned, Text},
    place::Scope,
};
use crate::model::{Affinity, AffinityKey, Idle, Percent, Policy, Protocol};

pub(super) fn resolve(
    scope: &Scope<'_>,
    table: &ServiceTable,
    protocol: Protocol,
) -> Result<Policy, ConfigError> {
    let usual = Policy::default();
    let policy = Policy {
        scheduler: choice(scope, "scheduler", table.scheduler.as_ref())?.unwrap_or_default(),
        hash: choice(scope, "hash", table.hash.as_ref())?,
        affinity: table.affinity.as_ref().map(|table| affinity(scope, table)).transpose()?,
        idle: idle(scope, &table.idle)?,
        on_failure: choice(scope, "on_failure", table.on_failure.as_ref())?.unwrap_or_default(),
        on_drain: choice(scope, "on_drain", table.on_drain.as_ref())?,
        min_healthy: match &table.min_healthy {
            Some(number) => scope.number("min_healthy", number, (0, u16::MAX))?,
            None => usual.min_healthy,
        },
        slow_start: parsed(scope, "slow_start", table.slow_start.as_ref())?,
        min_primaries: match &table.min_primaries {
            Some(number) => min_primaries(scope, number)?,
            None => usual.min_primaries,
        },
        panic_threshold: match &table.panic_threshold {
            Some(number) => panic_threshold(scope, number)?,
            None => usual.panic_threshold,
        },
    };
    policy.suits(protocol).map_err(|invalid| {
        let value = stated(table, invalid.field).unwrap_or(&table.address);
        scope.wrong(invalid.field, value, invalid.why)
    })?;
    Ok(policy)
}

/// Where the file states a setting that does not go with another one.
fn stated<'a>(table: &'a ServiceTable, field: &str) -> Option<&'a Text> {
    match field {
        "hash" => table.hash.as_ref(),
        "on_failure" => table.on_failure.as_ref(),
        "idle.syn" => table.idle.syn.as_ref(),
        "idle.established" => table.idle.established.as_ref(),
        "idle.closing" => table.idle.closing.as_ref(),
        "idle.udp" => table.idle.udp.as_ref(),
        _ => None,
    }
}

fn affinity(scope: &Scope<'_>, table: &AffinityTable) -> Result<Affinity, ConfigError> {
    let AffinityKey::Address = scope.choice("affinity.by", &table.by)?;
    let usual = Affinity::default();
    let prefix = |field, number: &Option<Number>, most| match number {
        Some(number) => scope.number(field, number, (1, most)),
        None => Ok(most),
    };
    Ok(Affinity {
        prefix4: prefix("affinity.prefix4", &table.prefix4, Affinity::LONGEST4)?,
        prefix6: prefix("affinity.prefix6", &table.prefix6, Affinity::LONGEST6)?,
        timeout: parsed(scope, "affinity.timeout", table.timeout.as_ref())?
            .unwrap_or(usual.timeout),
    })
}

fn idle(scope: &Scope<'_>, table: &IdleTable) -> Result<Idle, ConfigError> {
    Ok(Idle {
        syn: parsed(scope, "idle.syn", table.syn.as_ref())?,
        established: parsed(scope, "idle.established", table.established.as_ref())?,
        closing: parsed(scope, "idle.closing", table.closing.as_ref())?,
        udp: parsed(scope, "idle.udp", table.udp.as_ref())?,
    })
}

fn min_primaries(scope: &Scope<'_>, number: &Number) -> Result<NonZeroU16, ConfigError> {
    let least = scope.number("min_primaries", number, (1, u16::MAX))?;
    Ok(NonZeroU16::new(least).unwrap_or(NonZeroU16::MIN))
}

fn panic_threshold(scope: &Scope<'_>, number: &Number) -> Result<Percent, ConfigError> {
    let percent = scope.number("panic_threshold", number, (0, Percent::MOST))?;
    Percent::try_from(percent).map_err(|why| scope.wrong("panic_threshold", number, why))
}

fn choice<T: clap::ValueEnum>(
    scope: &Scope<'_>,
    field: &str,
    word: Option<&Text>,
) -> Result<Option<T>, ConfigError> {
    word.map(|word| scope.choice(field, word)).transpose()
}

fn parsed<T>(
    scope: &Scope<'_>,
    field: &str,
    text: Option<&Spanned<String>>,
) -> Result<Option<T>, ConfigError>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    text.map(|text| scope.parsed(field, text)).transpose()
}
