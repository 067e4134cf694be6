//! A `[[service]]` of the file.

use std::{collections::BTreeMap, num::NonZeroU16, time::Duration};

use super::{
    ConfigError,
    file::{BackendTable, CheckTable, Number, ServiceTable, Spanned, Text},
    place::Scope,
    policy,
};
use crate::model::{
    Admin, Backend, BackendAddress, Check, Forward, HttpCheck, MaxFlows, Probe, Service,
    ServiceAddress, TableSize, Timing, Weight,
};

pub(super) fn resolve(scope: &Scope<'_>, table: &ServiceTable) -> Result<Service, ConfigError> {
    let address: ServiceAddress = scope.parsed("address", &table.address)?;
    let mut service = Service {
        forward: match &table.forward {
            Some(word) => scope.choice("forward", word)?,
            None => Forward::default(),
        },
        table_size: match &table.table_size {
            Some(number) => table_size(scope, number)?,
            None => TableSize::default(),
        },
        check: match &table.check {
            Some(table) => Some(check(&scope.within("check"), table, address)?),
            None => None,
        },
        policy: policy::resolve(scope, table, address.protocol)?,
        ..Service::new(address)
    };
    let mut listed = BTreeMap::new();
    for table in &table.backend {
        let within = scope.within(format_args!("backend {:?}", table.address.get_ref()));
        let (address, backend) = backend(&within, &service, table)?;
        if let Some(first) = listed.insert(address, &table.address) {
            let why = format!("is listed in line {} already", scope.line(first));
            return Err(within.wrong("address", &table.address, why));
        }
        service.backends.insert(address, backend);
    }
    Ok(service)
}

fn table_size(scope: &Scope<'_>, number: &Number) -> Result<TableSize, ConfigError> {
    // Whatever does not fit is as little a power of two as 0 is; the message shows what was written.
    let slots = *number.get_ref();
    u32::try_from(slots).ok().and_then(|slots| TableSize::try_from(slots).ok()).ok_or_else(|| {
        let why = format!("{slots} is not a table size: a power of two from 32 to 1048576");
        scope.wrong("table_size", number, why)
    })
}

fn backend(
    scope: &Scope<'_>,
    service: &Service,
    table: &BackendTable,
) -> Result<(BackendAddress, Backend), ConfigError> {
    let address = scope.parsed("address", &table.address)?;
    let address =
        service.complete(address).map_err(|why| scope.wrong("address", &table.address, why))?;
    let weight = match &table.weight {
        Some(number) => Weight(scope.number("weight", number, (0, u16::MAX))?),
        None => Weight::default(),
    };
    let max_flows = match &table.max_flows {
        Some(number) => MaxFlows::new(scope.number("max_flows", number, (1, u32::MAX))?),
        None => None,
    };
    Ok((address, Backend { weight, admin: Admin::default(), backup: table.backup, max_flows }))
}

fn check(
    scope: &Scope<'_>,
    spanned: &Spanned<CheckTable>,
    service: ServiceAddress,
) -> Result<Check, ConfigError> {
    let table = spanned.get_ref();
    let probe = match table.probe.get_ref().as_str() {
        "tcp" => tcp(scope, table)?,
        "http" => http(scope, table)?,
        other => {
            let why = format!("{other:?} is not one of: tcp, http");
            return Err(scope.wrong("type", &table.probe, why));
        }
    };
    let port = table.port.as_ref().map(|port| port_number(scope, port)).transpose()?;
    Check::new(probe, port, timing(scope, table)?)
        .and_then(|check| check.suits(&service).map(|()| check))
        .map_err(|invalid| blame(scope, spanned, invalid.field, &invalid.why))
}

/// What is wrong with a check, at the line of the field if the file has it.
fn blame(scope: &Scope<'_>, spanned: &Spanned<CheckTable>, field: &str, why: &str) -> ConfigError {
    let table = spanned.get_ref();
    let span = match field {
        "path" => table.path.as_ref().map(Spanned::span),
        "host" => table.host.as_ref().map(Spanned::span),
        "expect" => table.expect.as_ref().map(Spanned::span),
        "interval" => table.interval.as_ref().map(Spanned::span),
        "timeout" => table.timeout.as_ref().map(Spanned::span),
        "rise" => table.rise.as_ref().map(Spanned::span),
        "fall" => table.fall.as_ref().map(Spanned::span),
        _ => None,
    };
    scope.wrong(field, &Spanned::new(span.unwrap_or_else(|| spanned.span()), ()), why)
}

fn tcp(scope: &Scope<'_>, table: &CheckTable) -> Result<Probe, ConfigError> {
    let why = "is not for type = \"tcp\": it belongs to type = \"http\"";
    for (field, text) in [("path", &table.path), ("host", &table.host)] {
        if let Some(text) = text {
            return Err(scope.wrong(field, text, why));
        }
    }
    match &table.expect {
        Some(expect) => Err(scope.wrong("expect", expect, why)),
        None => Ok(Probe::Tcp),
    }
}

fn http(scope: &Scope<'_>, table: &CheckTable) -> Result<Probe, ConfigError> {
    let mut expect = Vec::new();
    if let Some(list) = &table.expect {
        for status in list.get_ref() {
            expect.push(scope.number("expect", status, (100, 599))?);
        }
        if expect.is_empty() {
            let why = "is empty: the good statuses, such as [200, 204]";
            return Err(scope.wrong("expect", list, why));
        }
    }
    let path = table.path.as_ref().map_or_else(|| "/".to_owned(), |path| path.get_ref().clone());
    let host = table.host.as_ref().map(|host| host.get_ref().clone());
    Ok(Probe::Http(HttpCheck { path, host, expect }))
}

fn port_number(scope: &Scope<'_>, port: &Number) -> Result<NonZeroU16, ConfigError> {
    let number = scope.number("port", port, (1, u16::MAX))?;
    NonZeroU16::new(number).ok_or_else(|| scope.wrong("port", port, "0 is not a port"))
}

fn timing(scope: &Scope<'_>, table: &CheckTable) -> Result<Timing, ConfigError> {
    let default = Timing::default();
    let interval = match &table.interval {
        Some(text) => duration(scope, "interval", text)?,
        None => default.interval,
    };
    let timeout = match &table.timeout {
        Some(text) => duration(scope, "timeout", text)?,
        None => default_timeout(interval),
    };
    let count = |field, number: &Option<Number>, default| match number {
        Some(number) => scope.number(field, number, (1, u16::MAX)),
        None => Ok(default),
    };
    let rise = count("rise", &table.rise, default.rise)?;
    let fall = count("fall", &table.fall, default.fall)?;
    Ok(Timing { interval, timeout, rise, fall })
}

/// The time-out of a check that gives none: whoever asks often means to be answered sooner.
pub(super) fn default_timeout(interval: Duration) -> Duration {
    Timing::default().timeout.min(interval)
}

fn duration(scope: &Scope<'_>, field: &str, text: &Text) -> Result<Duration, ConfigError> {
    humantime::parse_duration(text.get_ref()).map_err(|_| {
        let why = format!("{:?} is not a duration, such as 250ms, 2s or 1m", text.get_ref());
        scope.wrong(field, text, why)
    })
}
