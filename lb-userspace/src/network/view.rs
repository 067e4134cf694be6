//! What the kernel has told of its links and neighbours.

use std::{collections::HashMap, net::IpAddr};

use rtnetlink::packet_route::neighbour::NeighbourState;

/// An Ethernet address as it lies in a frame.
pub(super) type Mac = [u8; 6];

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) name: String,
    /// The administrator wants it up.
    pub(super) up: bool,
    /// Frames can leave it.
    pub(super) carrier: bool,
    /// None on anything but Ethernet.
    pub(super) mac: Option<Mac>,
    pub(super) mtu: u32,
    /// Of a VLAN device, how it tags.
    pub(super) vlan: Option<Vlan>,
}

/// How a VLAN device tags its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Vlan {
    pub(super) id: u16,
    /// Index of the device that sends the tagged frames; none when another namespace has it.
    pub(super) parent: Option<u32>,
    /// Tags with 802.1Q's protocol number, as the data path does.
    pub(super) dot1q: bool,
}

/// Names a neighbour entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct NeighbourKey {
    pub(super) link: u32,
    pub(super) address: IpAddr,
}

/// An entry of the kernel's neighbour table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Neighbour {
    pub(super) state: NeighbourState,
    pub(super) mac: Option<Mac>,
}

/// What to ask of the kernel for a neighbour that backends are behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    /// It is known, or the kernel is finding out, or the administrator has said.
    None,
    /// It is known from long ago. Packets of the data path never make the kernel ask again, as
    /// those of its own stack would.
    Refresh,
    /// The kernel has no entry.
    Create,
    /// The kernel has given up.
    Retry,
}

impl Neighbour {
    /// Where to send frames, when the kernel would send its own there.
    pub(super) fn usable_mac(&self) -> Option<Mac> {
        use NeighbourState::{Delay, Noarp, Permanent, Probe, Reachable, Stale};
        match self.state {
            Reachable | Stale | Delay | Probe | Permanent | Noarp => self.mac,
            _ => None,
        }
    }
}

/// The kernel's links and neighbours, as far as it has told of them.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) links: HashMap<u32, Link>,
    pub(super) neighbours: HashMap<NeighbourKey, Neighbour>,
}

impl View {
    /// Takes over a link, or its end; true when something of it is different now.
    pub(super) fn set_link(&mut self, index: u32, link: Option<Link>) -> bool {
        match link {
            Some(link) => self.links.insert(index, link.clone()) != Some(link),
            None => self.links.remove(&index).is_some(),
        }
    }

    /// Takes over a neighbour, or its end; true when something of it is different now.
    pub(super) fn set_neighbour(&mut self, key: NeighbourKey, entry: Option<Neighbour>) -> bool {
        match entry {
            Some(entry) => self.neighbours.insert(key, entry) != Some(entry),
            None => self.neighbours.remove(&key).is_some(),
        }
    }

    /// What a neighbour needs. Entries set by hand are let be: asking the kernel to use one would
    /// take away that it is permanent.
    pub(super) fn care(&self, key: NeighbourKey) -> Care {
        match self.neighbours.get(&key).map(|neighbour| neighbour.state) {
            None => Care::Create,
            Some(NeighbourState::Stale) => Care::Refresh,
            Some(NeighbourState::Failed | NeighbourState::None) => Care::Retry,
            Some(_) => Care::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn a_neighbour_is_asked_for_when_it_is_unknown_silent_or_long_not_heard() {
        use NeighbourState::{Delay, Failed, Incomplete, Probe, Reachable, Stale};
        let key = NeighbourKey { link: 2, address: IpAddr::from([192, 0, 2, 1]) };
        let mut view = View::default();
        assert_eq!(view.care(key), Care::Create);
        for (state, care) in [
            (Failed, Care::Retry),
            (Stale, Care::Refresh),
            (Incomplete, Care::None),
            (Reachable, Care::None),
            (Delay, Care::None),
            (Probe, Care::None),
        ] {
            view.set_neighbour(key, Some(Neighbour { state, mac: None }));
            assert_eq!(view.care(key), care, "{state}");
        }
    }

    #[test]
    fn a_neighbour_set_by_hand_is_never_touched() {
        let key = NeighbourKey { link: 2, address: IpAddr::from([192, 0, 2, 1]) };
        let mut view = View::default();
        for state in [NeighbourState::Permanent, NeighbourState::Noarp] {
            view.set_neighbour(key, Some(Neighbour { state, mac: Some([2; 6]) }));
            assert_eq!(view.care(key), Care::None, "{state}");
        }
    }
}
