//! What can go wrong between userspace and the kernel, and what to do about it.

use std::{io, path::PathBuf};

use lb_common::ABI_VERSION;

use super::{XdpMode, layout::Full};
use crate::config::Mode;

/// Why the data path is not as it was asked to be.
#[derive(Debug, thiserror::Error)]
pub enum DataplaneError {
    /// No permission to use BPF.
    #[error(
        "{action} is not permitted: run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"
    )]
    NotPermitted {
        /// What was tried.
        action: String,
    },
    /// No permission to mount a BPF file system.
    #[error(
        "mounting a BPF file system on {mount_point} is not permitted: run as root or with \
         CAP_SYS_ADMIN, or have root run `mount -t bpf bpf {mount_point}` first",
        mount_point = .0.display()
    )]
    MayNotMount(PathBuf),
    /// No permission to read or write where pins are.
    #[error("{action} is not permitted: run as root, or have root give this user the directory")]
    MayNotPin {
        /// What was tried.
        action: String,
    },
    /// There is no BPF file system to pin to.
    #[error(
        "{path} is not on a BPF file system ({reason}): run `mount -t bpf bpf {mount_point}`",
        path = path.display(),
        mount_point = mount_point.display()
    )]
    NoBpffs {
        /// Where maps and links are pinned.
        path: PathBuf,
        /// Where to mount one.
        mount_point: PathBuf,
        /// Why it was not mounted.
        reason: String,
    },
    /// Another daemon runs what is pinned there.
    #[error(
        "another lb daemon runs the data path that is pinned in {path}: stop that daemon, or give \
         this one `pins`, `state` and `interfaces` of its own",
        path = path.display()
    )]
    Claimed {
        /// Where maps and links are pinned.
        path: PathBuf,
    },
    /// A configured interface does not exist.
    #[error("there is no interface {name}; {there}")]
    NoInterface {
        /// Its name.
        name: String,
        /// Which there are.
        there: String,
    },
    /// An `lb` with maps of another shape runs on these interfaces.
    #[error(
        "{} runs on {}, and this lb needs maps of version v{ABI_VERSION}: take it off with `lb detach`, \
         and start again",
        path.display(), interfaces.join(", ")
    )]
    OtherVersion {
        /// Its maps.
        path: PathBuf,
        /// Where its program is attached.
        interfaces: Vec<String>,
    },
    /// Another program holds the interface.
    #[error(
        "another XDP program (id {program}) is attached to {interface}: take it off with \
         `ip link set dev {interface} xdp off`, or by the tool that attached it"
    )]
    InterfaceTaken {
        /// The interface.
        interface: String,
        /// The program's id; 0 when it cannot be told.
        program: u32,
    },
    /// The driver or kernel does not attach in the mode asked for.
    #[error("{interface} does not take XDP in {mode} mode ({reason}){remedy}", remedy = remedy(*mode))]
    ModeRefused {
        /// The interface.
        interface: String,
        /// The mode asked for.
        mode: XdpMode,
        /// The kernel's reason.
        reason: String,
    },
    /// The program is attached in another mode than configured.
    #[error(
        "{interface} runs in {running} mode, the config asks for {wanted}: set mode = \
         \"{running}\" or \"auto\", or run `lb detach` first"
    )]
    OtherMode {
        /// The interface.
        interface: String,
        /// The mode in force.
        running: XdpMode,
        /// The mode asked for.
        wanted: Mode,
    },
    /// A pinned map has another shape than this start asks for.
    #[error(
        "the pinned map {map} has {pinned}, this start needs {needed}: restore {limit} or run \
         `lb detach` first"
    )]
    OtherShape {
        /// The map.
        map: &'static str,
        /// Its shape.
        pinned: String,
        /// The shape asked for.
        needed: String,
        /// What decides it.
        limit: &'static str,
    },
    /// The pinned tables were laid out by another hash key.
    #[error(
        "the pinned service table was laid out with another hash key: set `hash_key` back to what it \
         was, or run `lb detach` first"
    )]
    OtherHashKey,
    /// The kernel is too old.
    #[error("Linux {release} is too old: lb needs 5.15 or newer ({reason})")]
    OldKernel {
        /// The kernel's release.
        release: String,
        /// What it refused.
        reason: String,
    },
    /// The verifier refused the program.
    #[error("the kernel's verifier refuses the program {program}: {reason}")]
    Refused {
        /// The program.
        program: String,
        /// The verifier's last word.
        reason: String,
    },
    /// The wanted tables do not fit.
    #[error(transparent)]
    Full(#[from] Full),
    /// An operation on BPF objects failed.
    #[error("{action}: {source}")]
    Bpf {
        /// What was tried.
        action: String,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A system call failed.
    #[error("{action}: {source}")]
    Io {
        /// What was tried.
        action: String,
        /// Why it failed.
        source: io::Error,
    },
}

impl DataplaneError {
    pub(super) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| match source.kind() {
            io::ErrorKind::PermissionDenied => Self::NotPermitted { action },
            _ => Self::Io { action, source },
        }
    }

    /// Of a directory or file where pins are: no capability of BPF's opens it.
    pub(super) fn file(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| match source.kind() {
            io::ErrorKind::PermissionDenied => Self::MayNotPin { action },
            _ => Self::Io { action, source },
        }
    }

    pub(super) fn bpf<E>(action: impl Into<String>) -> impl FnOnce(E) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let action = action.into();
        move |source| {
            if is_permission(&source) {
                Self::NotPermitted { action }
            } else {
                Self::Bpf { action, source: source.into() }
            }
        }
    }
}

fn remedy(mode: XdpMode) -> &'static str {
    match mode {
        XdpMode::Native => ": set mode = \"auto\" or \"generic\"",
        XdpMode::Generic => "",
    }
}

/// The operating system's error at the bottom of an error of aya's.
pub(super) fn os_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a io::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io);
        }
        if let Some(aya::sys::SyscallError { io_error, .. }) = error.downcast_ref() {
            return Some(io_error);
        }
        cause = error.source();
    }
    None
}

fn is_permission(error: &(dyn std::error::Error + 'static)) -> bool {
    os_error(error).is_some_and(|io| io.kind() == io::ErrorKind::PermissionDenied)
}
