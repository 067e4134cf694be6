//! What the daemon needs to know beside the services: fixed from its start to its end.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::ValueEnum;

use crate::{
    model::Service,
    state::{Desired, IdLimits, TunnelSources},
};

/// Everything in a config file that is not a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaemonConfig {
    /// Where packets for the VIPs come in; distinct. Empty only when the file names none, which
    /// [`super::Config::load_to_run`] refuses.
    pub interfaces: Vec<InterfaceName>,
    /// How the program is attached to them.
    pub mode: Mode,
    /// Shared by the balancers that serve the same VIPs; none for a random one of this host.
    pub hash_key: Option<Secret>,
    /// How large the maps are.
    pub limits: Limits,
    /// The source of outer headers.
    pub tunnel: TunnelSources,
    /// Where the daemon keeps what it shares and remembers.
    pub paths: Paths,
}

/// The name of a network interface: 1 to 15 bytes without `/` or white space.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceName(String);

impl InterfaceName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InterfaceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // What the kernel's dev_valid_name() takes, and ':' as ip(8) reserves it for aliases.
        let is_allowed = |c: char| !matches!(c, '/' | ':') && !c.is_whitespace() && !c.is_control();
        let is_directory = matches!(text, "." | "..");
        if (1..=15).contains(&text.len()) && text.chars().all(is_allowed) && !is_directory {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "{text:?} is not an interface name: 1 to 15 bytes without '/', ':' or white space"
            ))
        }
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// How the program is attached to an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Mode {
    /// In the driver, or where it cannot, as [`Mode::Generic`].
    #[default]
    Auto,
    /// In the driver, before the kernel allocates anything for a packet.
    Native,
    /// In the kernel's stack: works everywhere, several times slower.
    Generic,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Auto => "auto",
            Self::Native => "native",
            Self::Generic => "generic",
        })
    }
}

/// A text that no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub(super) String);

impl Secret {
    /// The bytes, for [`crate::state::hash_key`].
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// How large the maps are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Entries of the flow table, eight bytes each: a power of two from 64 to 2²⁸.
    pub flows: u32,
    /// Clients that services with affinity remember, eight bytes each: a power of two from 64 to 2²⁸.
    pub affinities: u32,
    /// Services, at least 1.
    pub services: u16,
    /// Backends of all services, at least 1.
    pub backends: u16,
    /// Slots of all Maglev tables, two bytes each: a power of two. While tables are replaced, the
    /// old ones and the new ones need a place.
    pub maglev_slots: u32,
}

impl Default for Limits {
    fn default() -> Self {
        // 8 MiB of flows; half a MiB of clients; 64 MiB of Maglev tables, which is 512 of the default
        // size.
        Self {
            flows: 1 << 20,
            affinities: 1 << 16,
            services: 1024,
            backends: 4096,
            maglev_slots: 1 << 25,
        }
    }
}

/// What goes beyond a limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("limits.{field}: {limit} is too few: {needed}")]
pub struct LimitExceeded {
    /// The field of `[limits]`.
    pub field: &'static str,
    limit: u32,
    needed: String,
}

impl Limits {
    /// Slots of `SERVICES`: a power of two.
    ///
    /// Each service, and each of its VIPs, needs one within eight of its home. With sixteen slots a
    /// service that is as good as sure even when every service has a VIP of its own; with four it
    /// would fail for a thousand of them.
    pub fn service_slots(&self) -> u32 {
        (u32::from(self.services) * 16).next_power_of_two()
    }

    /// How many numbers there are for services and backends.
    pub fn ids(&self) -> IdLimits {
        IdLimits { services: self.services, backends: self.backends }
    }

    /// Whether the maps have room for all that is desired.
    pub fn admit(&self, desired: &Desired) -> Result<(), LimitExceeded> {
        let services = desired.services.len();
        let backends: usize = desired.services.values().map(|service| service.backends.len()).sum();
        let sizes = || desired.services.values().map(slots);
        // A table is replaced by a new one beside it.
        let largest = sizes().max().unwrap_or(0);
        let slots = sizes().sum::<u64>() + largest;
        let exceeded = |field, limit, needed| Err(LimitExceeded { field, limit, needed });
        if services > usize::from(self.services) {
            let needed = format!("there are {services} services");
            exceeded("services", self.services.into(), needed)
        } else if backends > usize::from(self.backends) {
            let needed = format!("there are {backends} backends");
            exceeded("backends", self.backends.into(), needed)
        } else if slots > u64::from(self.maglev_slots) {
            let needed =
                format!("the services need {slots}, with {largest} to replace the largest table");
            exceeded("maglev_slots", self.maglev_slots, needed)
        } else {
            Ok(())
        }
    }
}

fn slots(service: &Service) -> u64 {
    service.table_size.slots() as u64
}

/// Where the daemon keeps what it shares and remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Pinned maps and links, on a BPF file system.
    pub pins: PathBuf,
    /// The API's Unix socket.
    pub socket: PathBuf,
    /// The state file.
    pub state: PathBuf,
}

impl Paths {
    /// Where `lb` is reached unless told otherwise.
    pub const SOCKET: &'static str = "/run/lb/lb.sock";
    /// Where `lb` pins unless told otherwise.
    pub const PINS: &'static str = "/sys/fs/bpf/lb";
    /// Where `lb` remembers unless told otherwise.
    pub const STATE: &'static str = "/var/lib/lb/state.json";
}

impl Default for Paths {
    fn default() -> Self {
        let [pins, socket, state] =
            [Self::PINS, Self::SOCKET, Self::STATE].map(|path| Path::new(path).to_owned());
        Self { pins, socket, state }
    }
}
