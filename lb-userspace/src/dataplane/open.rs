//! Starting: what is pinned is adopted, what is missing is made.

use std::{
    collections::BTreeSet,
    io,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
};

use aya::{Ebpf, EbpfLoader, maps::Map};
use lb_common::{
    flow::hash::HashKey,
    service::{Selector, ServiceSlot},
    settings::Settings,
};

use super::{
    Dataplane, DataplaneError,
    attach::{self, Place},
    counters::{self, Counters},
    detach, interface,
    layout::Held,
    limits::Shape,
    load::{self, Plain},
    loads::Loads,
    mapped::Mapped,
    memory::Words,
    pin::{self, Pins},
    recall,
    tables::Arrays,
    turns::Turns,
};
use crate::{
    config::{Limits, Mode},
    state::{HashSeed, hash_key},
};

/// A program, in the object that the build made of it.
#[derive(Clone, Copy)]
pub(super) struct Program {
    pub(super) name: &'static str,
    object: &'static [u8],
}

/// The balancer's program.
pub(super) static BALANCE: Program = Program {
    name: "balance",
    object: aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/balance.o")),
};

/// The same, and it tells of each packet.
pub(super) static TRACED: Program = Program {
    name: "traced",
    object: aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/traced.o")),
};

/// How the data path is set up.
#[derive(Debug, Clone)]
pub struct DataplaneConfig {
    /// Where maps and links are pinned, such as `/sys/fs/bpf/lb`.
    pub pin_dir: PathBuf,
    /// The interfaces that packets for VIPs come in by.
    pub interfaces: Vec<String>,
    /// Where in the kernel the program runs.
    pub mode: Mode,
    /// Whether the log tells of each packet for a VIP.
    pub trace: bool,
    /// The sizes of the maps.
    pub limits: Limits,
    /// The seed of the key of every hash.
    pub hash_seed: HashSeed,
}

/// What a start found, and goes on with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Adopted {
    /// Services in the tables.
    pub services: usize,
    /// Backends in the tables.
    pub backends: usize,
    /// Interfaces on which the program was replaced.
    pub interfaces: Vec<String>,
    /// Interfaces that are no longer configured: the program was taken off.
    pub detached: Vec<String>,
}

impl Dataplane {
    /// Loads and attaches the data path, or takes over the one that runs.
    ///
    /// A first start that fails leaves nothing behind; a later one leaves what runs running.
    pub fn open(config: &DataplaneConfig) -> Result<(Self, Adopted), DataplaneError> {
        let pins = Pins::new(&config.pin_dir);
        let places = places(&pins, &config.interfaces)?;
        pins.refuse_other_versions()?;
        pin::prepare(&config.pin_dir, &pins.links())?;
        let is_first = pin::names(&pins.maps())?.len() == 1;
        let opened = open(config, &pins, &places);
        if opened.is_err()
            && is_first
            && let Err(error) = detach::detach(&config.pin_dir)
        {
            log::warn!("cleaning up after a start that failed: {error}");
        }
        opened
    }

    /// Loads the data path without attaching or pinning it, for
    /// [`run_packet`](Dataplane::run_packet) alone.
    pub fn unattached(limits: Limits, hash_key: HashKey) -> Result<Self, DataplaneError> {
        Self::unattached_with(&BALANCE, limits, hash_key)
    }

    pub(super) fn unattached_with(
        program: &Program,
        limits: Limits,
        hash_key: HashKey,
    ) -> Result<Self, DataplaneError> {
        let settings = limits.settings(hash_key);
        let loaded = load(program, limits, &settings, None)?;
        Self::assemble(program, loaded, limits, settings, None)
    }

    fn assemble(
        program: &Program,
        mut loaded: Ebpf,
        limits: Limits,
        settings: Settings,
        maps: Option<&Path>,
    ) -> Result<Self, DataplaneError> {
        let shapes = limits.shapes();
        let arrays = Arrays {
            guard: words(&loaded, &shapes, "GUARD")?,
            services: words(&loaded, &shapes, "SERVICES")?,
            backends: words(&loaded, &shapes, "BACKENDS")?,
            shadows: words(&loaded, &shapes, "SHADOWS")?,
            loads: Loads::new(words(&loaded, &shapes, "LOADS")?),
            arena: words(&loaded, &shapes, "ARENA")?,
        };
        let flow_table = words(&loaded, &shapes, "FLOWS")?;
        let affinity = words(&loaded, &shapes, "AFFINITY")?;
        let mapped = Mapped::adopt(settings, limits.capacity(), arrays, flow_table, affinity)
            .map_err(DataplaneError::io("waiting for packets under way"))?;
        if is_laid_out_otherwise(&mapped.held, &settings) {
            return Err(DataplaneError::OtherHashKey);
        }
        Ok(Self {
            mapped,
            turns: Turns::take(&mut loaded)?,
            counters: Counters::take(&mut loaded, limits, maps)?,
            egress: counters::take(&mut loaded, "EGRESS")?,
            interfaces: Vec::new(),
            loaded,
            program: program.name,
        })
    }
}

fn open(
    config: &DataplaneConfig,
    pins: &Pins,
    places: &[Place],
) -> Result<(Dataplane, Adopted), DataplaneError> {
    let settings = config.limits.settings(hash_key(config.hash_seed.as_bytes()));
    let maps = pins.maps();
    let program = if config.trace { &TRACED } else { &BALANCE };
    let loaded = load(program, config.limits, &settings, Some(&maps))?;
    let mut dataplane = Dataplane::assemble(program, loaded, config.limits, settings, Some(&maps))?;
    recall::keep_seed(&maps, config.hash_seed)?;
    let xdp = load::xdp(&mut dataplane.loaded, program.name)?;
    let interfaces = attach::attach(xdp, places, config.mode)?;
    let detached = attach::detach_others(&pins.links(), places)?;
    let place = |place: &Place| (place.interface.clone(), place.index);
    dataplane.interfaces = places.iter().map(place).collect();
    let services = dataplane.services().count();
    let backends = dataplane.mapped.held.backends.len();
    Ok((dataplane, Adopted { services, backends, interfaces, detached }))
}

fn places(pins: &Pins, interfaces: &[String]) -> Result<Vec<Place>, DataplaneError> {
    let place = |name: &String| {
        let index = interface::index(name)?;
        Ok(Place { interface: name.clone(), index, pin: pins.link(name) })
    };
    let names: BTreeSet<&String> = interfaces.iter().collect();
    names.into_iter().map(place).collect()
}

fn load(
    program: &Program,
    limits: Limits,
    settings: &Settings,
    maps: Option<&Path>,
) -> Result<Ebpf, DataplaneError> {
    let settings = Plain(*settings);
    let shapes = limits.shapes();
    let mut loader = EbpfLoader::new();
    loader.override_global("SETTINGS", &settings, true);
    for shape in &shapes {
        if let Some(entries) = shape.entries {
            loader.map_max_entries(shape.name, entries);
        }
        if let Some(maps) = maps {
            load::check_pinned(maps, shape)?;
            loader.map_pin_path(shape.name, maps.join(shape.name));
        }
    }
    load::load(&mut loader, program.object, program.name)
}

fn words(program: &Ebpf, shapes: &[Shape], name: &str) -> Result<Words, DataplaneError> {
    let shape = shapes.iter().find(|shape| shape.name == name);
    let (Some(Map::Array(map)), Some(shape)) = (program.map(name), shape) else {
        let missing = io::Error::from(io::ErrorKind::NotFound);
        return Err(DataplaneError::io(format!("map {name}"))(missing));
    };
    let bytes = shape.value as usize * shape.entries.unwrap_or(1) as usize;
    Words::map(map.fd().as_fd(), bytes).map_err(DataplaneError::io(format!("mapping {name}")))
}

/// With another key no service is found where it lies; damage makes only some unfindable.
fn is_laid_out_otherwise(held: &Held, settings: &Settings) -> bool {
    let is_live = |slot: &&ServiceSlot| slot.selector != Selector::RETIRED;
    let mut live = held.slots.values().filter(is_live).peekable();
    live.peek().is_some() && live.all(|slot| held.find(settings, slot.key()).is_none())
}
