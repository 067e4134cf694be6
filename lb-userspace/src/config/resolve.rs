//! From the file as it is written to what it means.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr},
    path::PathBuf,
};

use super::{
    Config, ConfigError, DaemonConfig, InterfaceName, Limits, Paths, Secret,
    file::{DaemonTable, File, LimitsTable, ServiceTable, Spanned, Text, TunnelTable},
    place::{Place, Scope},
    service,
};
use crate::{
    model::{ServiceAddress, ServiceName},
    state::{Desired, TunnelSources},
};

/// Largest flow table: 2 GiB.
const MOST_FLOWS: u32 = 1 << 28;
/// Largest room for Maglev tables: 1 GiB.
const MOST_MAGLEV_SLOTS: u32 = 1 << 29;

pub(super) fn resolve(place: Place<'_>, file: &File) -> Result<Config, ConfigError> {
    let scope = Scope::whole(place);
    let desired = services(&scope, &file.service)?;
    let limits = limits(&scope, &file.limits)?;
    admit(place, file, &limits, &desired)?;
    let daemon = DaemonConfig {
        interfaces: interfaces(&scope, file.interfaces.as_ref())?,
        mode: match &file.mode {
            Some(mode) => scope.choice("mode", mode)?,
            None => super::Mode::default(),
        },
        hash_key: match &file.hash_key {
            Some(key) if key.get_ref().is_empty() => {
                return Err(scope.wrong(
                    "hash_key",
                    key,
                    "is empty: a secret text, or no hash_key",
                ));
            }
            key => key.as_ref().map(|key| Secret(key.get_ref().clone())),
        },
        limits,
        tunnel: tunnel(&scope, &file.tunnel)?,
        paths: paths(&scope, &file.daemon)?,
    };
    Ok(Config { desired, daemon })
}

fn services(scope: &Scope<'_>, tables: &[Spanned<ServiceTable>]) -> Result<Desired, ConfigError> {
    let mut desired = Desired::default();
    let mut names: BTreeMap<ServiceName, &Text> = BTreeMap::new();
    let mut addresses: BTreeMap<ServiceAddress, ServiceName> = BTreeMap::new();
    for table in tables.iter().map(Spanned::get_ref) {
        let within = scope.within(format_args!("service {:?}", table.name.get_ref()));
        let name: ServiceName = scope.parsed("service.name", &table.name)?;
        if let Some(first) = names.insert(name.clone(), &table.name) {
            let why = format!("is the name of a service in line {} already", scope.line(first));
            return Err(within.wrong("name", &table.name, why));
        }
        let service = service::resolve(&within, table)?;
        if let Some(other) = addresses.insert(service.address, name.clone()) {
            let why = format!("{} is the address of service \"{other}\" already", service.address);
            return Err(within.wrong("address", &table.address, why));
        }
        desired.services.insert(name, service);
    }
    Ok(desired)
}

fn interfaces(
    scope: &Scope<'_>,
    list: Option<&Spanned<Vec<Text>>>,
) -> Result<Vec<InterfaceName>, ConfigError> {
    let Some(list) = list else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for text in list.get_ref() {
        let name = scope.parsed("interfaces", text)?;
        if names.contains(&name) {
            return Err(scope.wrong("interfaces", text, format_args!("{name} is listed twice")));
        }
        names.push(name);
    }
    if names.is_empty() {
        return Err(scope.wrong(
            "interfaces",
            list,
            "is empty: the names of one interface or more",
        ));
    }
    Ok(names)
}

fn limits(scope: &Scope<'_>, table: &LimitsTable) -> Result<Limits, ConfigError> {
    let mut limits = Limits::default();
    if let Some(flows) = &table.flows {
        limits.flows = scope.number("limits.flows", flows, (64, MOST_FLOWS))?.next_power_of_two();
    }
    if let Some(affinities) = &table.affinities {
        let affinities = scope.number("limits.affinities", affinities, (64, MOST_FLOWS))?;
        limits.affinities = affinities.next_power_of_two();
    }
    if let Some(services) = &table.services {
        limits.services = scope.number("limits.services", services, (1, u16::MAX))?;
    }
    if let Some(backends) = &table.backends {
        limits.backends = scope.number("limits.backends", backends, (1, u16::MAX))?;
    }
    if let Some(slots) = &table.maglev_slots {
        let slots = scope.number("limits.maglev_slots", slots, (64, MOST_MAGLEV_SLOTS))?;
        limits.maglev_slots = slots.next_power_of_two();
    }
    Ok(limits)
}

/// Refuses more than the maps have room for: at the limit's own line, or at the last service when
/// the limit is the default one.
fn admit(
    place: Place<'_>,
    file: &File,
    limits: &Limits,
    desired: &Desired,
) -> Result<(), ConfigError> {
    let Err(exceeded) = limits.admit(desired) else { return Ok(()) };
    let limit = match exceeded.field {
        "services" => &file.limits.services,
        "backends" => &file.limits.backends,
        _ => &file.limits.maglev_slots,
    };
    Err(match (limit, file.service.last()) {
        (None, Some(service)) => place.wrong(&service.get_ref().name, exceeded),
        (Some(limit), _) => place.wrong(limit, exceeded),
        (None, None) => place.wrong(&Spanned::new(0..0, ()), exceeded),
    })
}

fn tunnel(scope: &Scope<'_>, table: &TunnelTable) -> Result<TunnelSources, ConfigError> {
    let mut tunnel = TunnelSources::default();
    if let Some(source) = &table.source4 {
        let v4 = source.get_ref().parse().ok().filter(|v4: &Ipv4Addr| {
            !v4.is_unspecified() && !v4.is_multicast() && !v4.is_broadcast() && !v4.is_loopback()
        });
        tunnel.v4 = Some(v4.ok_or_else(|| {
            let why = format!("{:?} is not an IPv4 address of this host", source.get_ref());
            scope.wrong("tunnel.source4", source, why)
        })?);
    }
    if let Some(source) = &table.source6 {
        let v6 = source.get_ref().parse().ok().filter(|v6: &Ipv6Addr| {
            !v6.is_unspecified()
                && !v6.is_multicast()
                && !v6.is_loopback()
                && v6.to_ipv4_mapped().is_none()
        });
        tunnel.v6 = Some(v6.ok_or_else(|| {
            let why = format!("{:?} is not an IPv6 address of this host", source.get_ref());
            scope.wrong("tunnel.source6", source, why)
        })?);
    }
    Ok(tunnel)
}

fn paths(scope: &Scope<'_>, table: &DaemonTable) -> Result<Paths, ConfigError> {
    let mut paths = Paths::default();
    let given = [
        ("daemon.pins", &table.pins, &mut paths.pins),
        ("daemon.socket", &table.socket, &mut paths.socket),
        ("daemon.state", &table.state, &mut paths.state),
    ];
    for (field, text, path) in given {
        let Some(text) = text else { continue };
        *path = PathBuf::from(text.get_ref());
        if !path.is_absolute() || text.get_ref().contains('\0') {
            let why = format!("{:?} is not an absolute path", text.get_ref());
            return Err(scope.wrong(field, text, why));
        }
    }
    Ok(paths)
}
