//! Programs on interfaces: attached through links that are pinned, so that they stay when the
//! daemon goes, and replaced through them without a packet lost.

use std::{io, path::Path};

use aya::programs::{
    Xdp, XdpMode as AyaMode,
    links::{FdLink, PinnedLink},
};

use super::{
    DataplaneError, XdpMode,
    error::os_error,
    interface::{self, Attached},
    link, pin,
};
use crate::config::Mode;

/// An interface, and where its link is pinned.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) interface: String,
    pub(super) index: u32,
    pub(super) pin: std::path::PathBuf,
}

/// What became of a place.
#[derive(Debug)]
enum Link {
    /// It was there and goes on with the new program.
    Kept(FdLink),
    /// It is new.
    New(FdLink),
}

/// Puts the program on every place; all of them or, as far as they are new, none. Returns the
/// interfaces that had a program of ours before.
pub(super) fn attach(
    program: &mut Xdp,
    places: &[Place],
    choice: Mode,
) -> Result<Vec<String>, DataplaneError> {
    let mut links = Vec::new();
    for place in places {
        let link = match adoptable(place, choice)? {
            Some(link) => Link::Kept(link),
            None => Link::New(create(program, place, choice)?),
        };
        links.push((place, link));
    }
    let mut kept = Vec::new();
    for (place, link) in links {
        let failed = |what| format!("{what} {}", place.interface);
        match link {
            Link::Kept(link) => {
                let link = link.try_into();
                let link = link.map_err(DataplaneError::bpf(failed("opening the link of")))?;
                program
                    .attach_to_link(link)
                    .map_err(DataplaneError::bpf(failed("replacing the program on")))?;
                kept.push(place.interface.clone());
            }
            Link::New(link) => {
                link.pin(&place.pin).map_err(DataplaneError::bpf(failed("pinning the link of")))?;
            }
        }
    }
    Ok(kept)
}

/// The pinned link of a place; one that holds another interface, or none any more, is dropped.
fn adoptable(place: &Place, choice: Mode) -> Result<Option<FdLink>, DataplaneError> {
    if !place.pin.exists() {
        return Ok(None);
    }
    let opening = || format!("opening {}", place.pin.display());
    let held = link::ifindex(&place.pin).map_err(DataplaneError::io(opening()))?;
    if held != place.index {
        log::info!("the link of {} held interface {held}, which it was before", place.interface);
        remove(&place.pin)?;
        return Ok(None);
    }
    let running = on_interface(place)?;
    if let Some(Attached { mode, .. }) = running.filter(|running| !choice.allows(running.mode)) {
        return Err(DataplaneError::OtherMode {
            interface: place.interface.clone(),
            running: mode,
            wanted: choice,
        });
    }
    let link = PinnedLink::from_pin(&place.pin).map_err(DataplaneError::bpf(opening()))?;
    Ok(Some(link.into()))
}

fn create(program: &mut Xdp, place: &Place, choice: Mode) -> Result<FdLink, DataplaneError> {
    if let Some(Attached { program, .. }) = on_interface(place)? {
        return Err(DataplaneError::InterfaceTaken { interface: place.interface.clone(), program });
    }
    match choice {
        Mode::Native => create_in(program, place, XdpMode::Native),
        Mode::Generic => create_in(program, place, XdpMode::Generic),
        Mode::Auto => match create_in(program, place, XdpMode::Native) {
            Err(DataplaneError::ModeRefused { interface, reason, .. }) => {
                log::warn!(
                    "{interface} does not take XDP in native mode ({reason}): it runs in generic \
                     mode, which is several times slower"
                );
                create_in(program, place, XdpMode::Generic)
            }
            done => done,
        },
    }
}

fn create_in(program: &mut Xdp, place: &Place, mode: XdpMode) -> Result<FdLink, DataplaneError> {
    let flags = match mode {
        XdpMode::Native => AyaMode::Driver,
        XdpMode::Generic => AyaMode::Skb,
    };
    let interface = place.interface.clone();
    let refused = |reason: String| DataplaneError::ModeRefused {
        interface: place.interface.clone(),
        mode,
        reason,
    };
    let id = match program.attach_to_if_index(place.index, flags) {
        Ok(id) => id,
        Err(error) => {
            let taken = [io::ErrorKind::AlreadyExists, io::ErrorKind::ResourceBusy];
            return Err(match os_error(&error).map(io::Error::kind) {
                Some(kind) if taken.contains(&kind) => {
                    DataplaneError::InterfaceTaken { interface, program: 0 }
                }
                Some(io::ErrorKind::PermissionDenied) => {
                    DataplaneError::NotPermitted { action: format!("attaching to {interface}") }
                }
                Some(_) => refused(os_error(&error).map(ToString::to_string).unwrap_or_default()),
                None => refused(error.to_string()),
            });
        }
    };
    let link = program.take_link(id).map_err(DataplaneError::bpf("attaching"))?;
    // On EINVAL aya attaches without a link; such an attachment cannot be pinned, and ends here.
    link.try_into().map_err(|_| refused("the kernel makes no link for it".to_owned()))
}

fn on_interface(place: &Place) -> Result<Option<Attached>, DataplaneError> {
    interface::attached(place.index)
        .map_err(DataplaneError::io(format!("looking at {}", place.interface)))
}

/// Takes programs off the interfaces that are pinned in a directory and not to be kept; returns
/// their names.
pub(super) fn detach_others(dir: &Path, keep: &[Place]) -> Result<Vec<String>, DataplaneError> {
    let mut detached = Vec::new();
    for name in pin::names(dir)? {
        let path = dir.join(&name);
        if !keep.iter().any(|place| place.pin == path) && remove(&path)? {
            detached.push(pin::interface(&name));
        }
    }
    Ok(detached)
}

/// Takes the program off that is pinned as a link; false when there is no such pin.
pub(super) fn remove(link: &Path) -> Result<bool, DataplaneError> {
    if link.exists() {
        // Of an interface that is gone there is nothing to take off.
        link::detach(link).unwrap_or_else(|error| {
            log::debug!("detaching {}: {error}", link.display());
        });
    }
    pin::remove(link)
}
