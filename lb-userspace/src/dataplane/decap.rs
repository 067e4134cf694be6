//! The backends' side: a program that strips the outer header of packets from listed balancers.

mod unattached;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::Path,
};

use aya::{
    EbpfLoader,
    maps::{HashMap, Map, MapData, MapError, PerCpuArray},
};
use lb_common::{
    address::Address,
    decap::{MAX_SOURCES, Outcome},
};

use super::{
    DataplaneError, XdpMode,
    attach::{self as links, Place},
    counters, interface,
    limits::Shape,
    load::{self, Plain},
    pin::{self, Pins},
};
use crate::config::Mode;

pub use unattached::Unattached;

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/decap.o"));
const PROGRAM: &str = "decap";
const LINK: &str = "link";
const SOURCES: &str = "SOURCES";
const COUNTERS: &str = "DECAP_COUNTERS";
type Sources = HashMap<MapData, Plain<Address>, u8>;

/// The backend's side on one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecapStatus {
    /// The interface.
    pub interface: String,
    /// The mode in force; none when the interface is gone.
    pub mode: Option<XdpMode>,
    /// The balancers that tunnels are taken from.
    pub from: Vec<IpAddr>,
    /// Packets, by how they ended.
    pub counters: BTreeMap<Outcome, u64>,
}

/// Strips the outer header of packets that come in by an interface from one of these balancers.
/// Done again with others, the list changes in place.
pub fn attach(
    interface: &str,
    from: &[IpAddr],
    mode: Mode,
    pin_dir: &Path,
) -> Result<(), DataplaneError> {
    let pins = Pins::new(pin_dir);
    let index = interface::index(interface)?;
    let dir = pins.decap_on(interface);
    pin::prepare(pin_dir, &dir)?;
    let place = Place { interface: interface.to_owned(), index, pin: dir.join(LINK) };
    let is_first = !place.pin.exists();
    let attached = attach_at(&place, &dir, from, mode);
    if attached.is_err() && is_first {
        remove(&dir)?;
    }
    attached
}

fn attach_at(place: &Place, dir: &Path, from: &[IpAddr], mode: Mode) -> Result<(), DataplaneError> {
    let mut loader = EbpfLoader::new();
    for shape in shapes() {
        load::check_pinned(dir, &shape)?;
        loader.map_pin_path(shape.name, dir.join(shape.name));
    }
    let mut ebpf = load::load(&mut loader, OBJECT, PROGRAM)?;
    let mut sources: Sources = counters::take(&mut ebpf, SOURCES)?;
    list(&mut sources, from)?;
    links::attach(load::xdp(&mut ebpf, PROGRAM)?, std::slice::from_ref(place), mode)?;
    Ok(())
}

/// Takes the program off an interface; false when it was not there.
pub fn detach(interface: &str, pin_dir: &Path) -> Result<bool, DataplaneError> {
    remove(&Pins::new(pin_dir).decap_on(interface))
}

/// The backend's side on every interface that has it.
pub fn status(pin_dir: &Path) -> Result<Vec<DecapStatus>, DataplaneError> {
    let decap = Pins::new(pin_dir).decap();
    let read = |name: &String| status_of(&pin::interface(name), &decap.join(name));
    pin::names(&decap)?.iter().map(read).collect()
}

fn status_of(interface: &str, dir: &Path) -> Result<DecapStatus, DataplaneError> {
    let reading = |name: &str| format!("reading {}", dir.join(name).display());
    let sources = MapData::from_pin(dir.join(SOURCES)).map(Map::HashMap);
    let sources = sources.and_then(Sources::try_from).and_then(|sources| held(&sources));
    let sources = sources.map_err(DataplaneError::bpf(reading(SOURCES)))?;
    let counters = MapData::from_pin(dir.join(COUNTERS)).map(Map::PerCpuArray);
    let counters = counters.and_then(PerCpuArray::try_from).and_then(|map| sums(&map));
    let mode = match interface::index(interface) {
        Ok(index) => interface::attached(index)
            .map_err(DataplaneError::io(format!("looking at {interface}")))?
            .map(|attached| attached.mode),
        Err(_) => None,
    };
    Ok(DecapStatus {
        interface: interface.to_owned(),
        mode,
        from: sources.into_iter().map(IpAddr::from).collect(),
        counters: counters.map_err(DataplaneError::bpf(reading(COUNTERS)))?,
    })
}

fn sums(map: &PerCpuArray<MapData, u64>) -> Result<BTreeMap<Outcome, u64>, MapError> {
    let sum = |outcome: &Outcome| Ok((*outcome, map.get(&(*outcome as u32), 0)?.iter().sum()));
    Outcome::ALL.iter().map(sum).collect()
}

/// New balancers first: a packet of one that stays on the list is never refused.
fn list(sources: &mut Sources, from: &[IpAddr]) -> Result<(), DataplaneError> {
    let wanted: BTreeSet<Address> = from.iter().map(|ip| Address::from(*ip)).collect();
    let listing = |address: &Address| format!("listing balancer {}", IpAddr::from(*address));
    for address in &wanted {
        let inserted = sources.insert(Plain(*address), 1, 0);
        inserted.map_err(DataplaneError::bpf(listing(address)))?;
    }
    let held = held(sources).map_err(DataplaneError::bpf("reading SOURCES"))?;
    for address in held.difference(&wanted) {
        sources.remove(&Plain(*address)).map_err(DataplaneError::bpf(listing(address)))?;
    }
    Ok(())
}

fn held(sources: &Sources) -> Result<BTreeSet<Address>, MapError> {
    sources.keys().map(|key| key.map(|Plain(address)| address)).collect()
}

fn shapes() -> [Shape; 2] {
    [
        Shape { name: SOURCES, key: 16, value: 1, entries: Some(MAX_SOURCES as u32), limit: None },
        Shape {
            name: COUNTERS,
            key: 4,
            value: 8,
            entries: Some(Outcome::ALL.len() as u32),
            limit: None,
        },
    ]
}

fn remove(dir: &Path) -> Result<bool, DataplaneError> {
    let was_attached = links::remove(&dir.join(LINK))?;
    for name in pin::names(dir)? {
        pin::remove(&dir.join(name))?;
    }
    pin::remove_dir(dir)?;
    Ok(was_attached)
}
