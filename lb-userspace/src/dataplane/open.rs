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

/// The balancer's object, as the build made it.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/balance.o"));

/// The balancer's program.
pub(super) const PROGRAM: &str = "balance";

/// How the data path is set up.
#[derive(Debug, Clone)]
pub struct DataplaneConfig {
    /// Where maps and links are pinned, such as `/sys/fs/bpf/lb`.
    pub pin_dir: PathBuf,
    /// The interfaces that packets for VIPs come in by.
    pub interfaces: Vec<String>,
    /// Where in the kernel the program runs.
    pub mode: Mode,
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
        let settings = limits.settings(hash_key);
        Self::assemble(limits, settings, load(limits, &settings, None)?)
    }

    fn assemble(
        limits: Limits,
        settings: Settings,
        mut program: Ebpf,
    ) -> Result<Self, DataplaneError> {
        let shapes = limits.shapes();
        let arrays = Arrays {
            guard: words(&program, &shapes, "GUARD")?,
            services: words(&program, &shapes, "SERVICES")?,
            backends: words(&program, &shapes, "BACKENDS")?,
            shadows: words(&program, &shapes, "SHADOWS")?,
            loads: Loads::new(words(&program, &shapes, "LOADS")?),
            arena: words(&program, &shapes, "ARENA")?,
        };
        let flow_table = words(&program, &shapes, "FLOWS")?;
        let affinity = words(&program, &shapes, "AFFINITY")?;
        let mapped = Mapped::adopt(settings, limits.capacity(), arrays, flow_table, affinity)
            .map_err(DataplaneError::io("waiting for packets under way"))?;
        if is_laid_out_otherwise(&mapped.held, &settings) {
            return Err(DataplaneError::OtherHashKey);
        }
        Ok(Self {
            mapped,
            turns: Turns::take(&mut program)?,
            counters: Counters::take(&mut program)?,
            egress: counters::take(&mut program, "EGRESS")?,
            interfaces: Vec::new(),
            program,
        })
    }
}

fn open(
    config: &DataplaneConfig,
    pins: &Pins,
    places: &[Place],
) -> Result<(Dataplane, Adopted), DataplaneError> {
    let settings = config.limits.settings(hash_key(config.hash_seed.as_bytes()));
    let program = load(config.limits, &settings, Some(&pins.maps()))?;
    let mut dataplane = Dataplane::assemble(config.limits, settings, program)?;
    recall::keep_seed(&pins.maps(), config.hash_seed)?;
    let xdp = load::xdp(&mut dataplane.program, PROGRAM)?;
    let interfaces = attach::attach(xdp, places, config.mode)?;
    let detached = attach::detach_others(&pins.links(), places)?;
    let place = |place: &Place| (place.interface.clone(), place.index);
    dataplane.interfaces = places.iter().map(place).collect();
    let held = &dataplane.mapped.held;
    let services = held.slots.values().filter(|slot| slot.selector.is_service()).count();
    let backends = held.backends.len();
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

fn load(limits: Limits, settings: &Settings, maps: Option<&Path>) -> Result<Ebpf, DataplaneError> {
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
    load::load(&mut loader, OBJECT, PROGRAM)
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
