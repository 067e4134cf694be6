//! From a route, links and neighbours to a next hop: the decision, and nothing else.

use std::net::IpAddr;

use super::view::{Care, Link, Neighbour, NeighbourKey, View};
use crate::state::NextHop;

/// Why there is no next hop, as a sentence without a full stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// The routing table has nothing for it.
    #[error("no route to {0}")]
    NoRoute(IpAddr),
    /// A `blackhole` or `prohibit` route.
    #[error("the route to {0} drops its packets")]
    Dropped(IpAddr),
    /// Packets would not leave this host.
    #[error("{0} is an address of this host")]
    Local(IpAddr),
    /// The address is no single host's.
    #[error("{0} is not a unicast address here")]
    NotUnicast(IpAddr),
    /// A route with `encap`: the kernel would wrap packets in a way that the data path does not.
    #[error("the route to {0} wraps packets in a tunnel")]
    Tunnel(IpAddr),
    /// This host has nothing to put in the source of a packet.
    #[error("this host has no address to reach {0} from")]
    NoSource(IpAddr),
    /// The route names an interface that nothing is known about.
    #[error("the route to {address} leaves by interface {link}, which is not there")]
    NoLink {
        /// The watched address.
        address: IpAddr,
        /// The interface's index.
        link: u32,
    },
    /// The administrator took the interface down.
    #[error("{0} is down")]
    Down(String),
    /// The interface is up, and nothing is connected to it.
    #[error("{0} has no carrier")]
    NoCarrier(String),
    /// The interface is not Ethernet.
    #[error("route leaves by {0}, which has no MAC address")]
    NoMac(String),
    /// The interface tags frames in a way that the data path does not.
    #[error("route leaves by VLAN device {link}, {why}")]
    Vlan {
        /// The VLAN device.
        link: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The next hop does not tell its MAC address.
    #[error("{address} on {link} does not answer {}", if address.is_ipv4() { "ARP" } else { "neighbour solicitations" })]
    NoAnswer {
        /// The gateway, or the address itself where it is on the link.
        address: IpAddr,
        /// The interface.
        link: String,
    },
    /// The kernel could not be asked for the route.
    #[error("cannot look up the route to {address}: {reason}")]
    LookUp {
        /// The watched address.
        address: IpAddr,
        /// What it said.
        reason: String,
    },
}

/// The kernel's route to one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    /// Index of the interface that packets leave by.
    pub(super) link: u32,
    /// None where the address is on the link. May be IPv6 for an IPv4 address.
    pub(super) gateway: Option<IpAddr>,
    /// The source that the kernel would choose.
    pub(super) source: Option<IpAddr>,
    /// Where the route knows a smaller one than its interface.
    pub(super) mtu: Option<u32>,
}

impl Route {
    /// The neighbour that packets to `address` are handed to.
    pub(super) fn neighbour(&self, address: IpAddr) -> NeighbourKey {
        NeighbourKey { link: self.link, address: self.gateway.unwrap_or(address) }
    }
}

/// What is known of the way to an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is so until something changes.
    Settled(Result<NextHop, Unresolved>),
    /// The kernel is asking the neighbour; if no answer comes, this is why there is no next hop.
    Waiting(Unresolved),
}

/// Decides on the way to `address`.
pub(super) fn resolve(address: IpAddr, route: &Result<Route, Unresolved>, view: &View) -> Answer {
    let route = match route {
        Ok(route) => route,
        Err(reason) => return Answer::Settled(Err(reason.clone())),
    };
    let egress = match egress(address, route, view) {
        Ok(egress) => egress,
        Err(reason) => return Answer::Settled(Err(reason)),
    };
    let key = route.neighbour(address);
    let neighbour = view.neighbours.get(&key);
    let Some(destination_mac) = neighbour.and_then(Neighbour::usable_mac) else {
        let no_answer =
            Unresolved::NoAnswer { address: key.address, link: egress.link.name.clone() };
        return match view.care(key) {
            Care::Retry => Answer::Settled(Err(no_answer)),
            _ => Answer::Waiting(no_answer),
        };
    };
    Answer::Settled(Ok(NextHop {
        egress: egress.index,
        destination_mac,
        source_mac: egress.mac,
        vlans: egress.vlans,
        mtu: egress.mtu,
        source: egress.source,
    }))
}

/// All of a next hop but the neighbour.
struct Egress<'a> {
    /// The interface that the route names.
    link: &'a Link,
    /// The one that frames leave by: another one only below a VLAN device.
    index: u32,
    mac: [u8; 6],
    vlans: [u16; 2],
    mtu: u16,
    source: IpAddr,
}

fn egress<'a>(address: IpAddr, route: &Route, view: &'a View) -> Result<Egress<'a>, Unresolved> {
    let link = usable_link(address, route.link, view)?;
    let mac = link.mac.ok_or_else(|| Unresolved::NoMac(link.name.clone()))?;
    let (index, vlans) = untag(address, route.link, link, view)?;
    let mtu = route.mtu.map_or(link.mtu, |mtu| mtu.min(link.mtu));
    let mtu = u16::try_from(mtu).unwrap_or(u16::MAX);
    let source = route.source.ok_or(Unresolved::NoSource(address))?;
    Ok(Egress { link, index, mac, vlans, mtu, source })
}

fn usable_link(address: IpAddr, index: u32, view: &View) -> Result<&Link, Unresolved> {
    let link = view.links.get(&index).ok_or(Unresolved::NoLink { address, link: index })?;
    if !link.up {
        return Err(Unresolved::Down(link.name.clone()));
    }
    if !link.carrier {
        return Err(Unresolved::NoCarrier(link.name.clone()));
    }
    Ok(link)
}

/// Goes down from a VLAN device to the one below all VLANs; the tags on the way, outermost first.
fn untag(
    address: IpAddr,
    index: u32,
    link: &Link,
    view: &View,
) -> Result<(u32, [u16; 2]), Unresolved> {
    let refuse = |why| Unresolved::Vlan { link: link.name.clone(), why };
    let (mut index, mut below, mut vlans) = (index, link, [0, 0]);
    while let Some(vlan) = below.vlan {
        if vlans[1] != 0 {
            return Err(refuse("with more than two tags"));
        }
        if !vlan.dot1q {
            return Err(refuse("with tags other than 802.1Q"));
        }
        index = vlan.parent.ok_or_else(|| refuse("of another network namespace"))?;
        below = usable_link(address, index, view)?;
        // The device further down tags later, and so further out.
        vlans = [vlan.id, vlans[0]];
    }
    Ok((index, vlans))
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_route::neighbour::NeighbourState;

    use super::*;
    use crate::network::view::{Mac, Vlan};

    const BACKEND: &str = "192.0.2.21";
    const GATEWAY: &str = "198.51.100.1";
    const SOURCE: &str = "198.51.100.9";
    const OURS: Mac = [2, 0, 0, 0, 0, 1];
    const THEIRS: Mac = [2, 0, 0, 0, 0, 2];

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn link(name: &str) -> Link {
        Link { name: name.into(), up: true, carrier: true, mac: Some(OURS), mtu: 1500, vlan: None }
    }

    fn vlan(name: &str, id: u16, parent: u32) -> Link {
        Link { vlan: Some(Vlan { id, parent: Some(parent), dot1q: true }), ..link(name) }
    }

    fn route(link: u32) -> Route {
        Route { link, gateway: Some(ip(GATEWAY)), source: Some(ip(SOURCE)), mtu: None }
    }

    /// `eth0` is 2; `eth0.100` on it is 3; `eth0.100.200` on that is 4; `deep` on that is 5.
    fn view(state: NeighbourState) -> View {
        let links = [link("eth0"), vlan("eth0.100", 100, 2), vlan("eth0.100.200", 200, 3)];
        let links = links.into_iter().chain([vlan("deep", 300, 4)]);
        let neighbour = Neighbour { state, mac: Some(THEIRS) };
        View {
            links: (2..).zip(links).collect(),
            neighbours: (2..6)
                .map(|link| (NeighbourKey { link, address: ip(GATEWAY) }, neighbour))
                .collect(),
        }
    }

    fn resolve_by(route: Route, view: &View) -> Answer {
        resolve(ip(BACKEND), &Ok(route), view)
    }

    fn reason(answer: Answer) -> String {
        match answer {
            Answer::Settled(Err(reason)) | Answer::Waiting(reason) => reason.to_string(),
            Answer::Settled(Ok(next_hop)) => panic!("resolved: {next_hop:?}"),
        }
    }

    #[test]
    fn a_frame_goes_to_the_gateway_from_the_interface_that_the_route_names() {
        let expected = NextHop {
            egress: 2,
            destination_mac: THEIRS,
            source_mac: OURS,
            vlans: [0, 0],
            mtu: 1500,
            source: ip(SOURCE),
        };
        let answer = resolve_by(route(2), &view(NeighbourState::Reachable));
        assert_eq!(answer, Answer::Settled(Ok(expected)));
    }

    #[test]
    fn a_backend_on_the_link_is_its_own_next_hop() {
        let mut view = view(NeighbourState::Failed);
        let direct = Neighbour { state: NeighbourState::Stale, mac: Some(THEIRS) };
        view.set_neighbour(NeighbourKey { link: 2, address: ip(BACKEND) }, Some(direct));
        let answer = resolve_by(Route { gateway: None, ..route(2) }, &view);
        assert!(matches!(answer, Answer::Settled(Ok(NextHop { destination_mac: THEIRS, .. }))));
    }

    #[test]
    fn every_state_in_which_the_kernel_sends_is_good_enough() {
        use NeighbourState::{
            Delay, Failed, Incomplete, Noarp, None, Permanent, Probe, Reachable, Stale,
        };
        for state in [Reachable, Stale, Delay, Probe, Permanent, Noarp] {
            let answer = resolve_by(route(2), &view(state));
            assert!(matches!(answer, Answer::Settled(Ok(_))), "{state}");
        }
        for state in [Incomplete, Failed, None] {
            let why = reason(resolve_by(route(2), &view(state)));
            assert_eq!(why, "198.51.100.1 on eth0 does not answer ARP", "{state}");
        }
    }

    #[test]
    fn a_neighbour_being_asked_is_waited_for_and_a_silent_one_is_not() {
        let answer = resolve_by(route(2), &view(NeighbourState::Incomplete));
        assert!(matches!(answer, Answer::Waiting(_)));
        let unknown = View { links: view(NeighbourState::None).links, ..View::default() };
        assert!(matches!(resolve_by(route(2), &unknown), Answer::Waiting(_)));
        let answer = resolve_by(route(2), &view(NeighbourState::Failed));
        assert!(matches!(answer, Answer::Settled(Err(_))));
    }

    #[test]
    fn the_smaller_of_the_mtus_of_route_and_interface_counts() {
        let view = view(NeighbourState::Reachable);
        for (route_mtu, expected) in [(None, 1500), (Some(1400), 1400), (Some(9000), 1500)] {
            let answer = resolve_by(Route { mtu: route_mtu, ..route(2) }, &view);
            let Answer::Settled(Ok(next_hop)) = answer else { panic!("{answer:?}") };
            assert_eq!(next_hop.mtu, expected);
        }
    }

    #[test]
    fn below_vlan_devices_frames_leave_tagged_by_the_real_interface() {
        let view = view(NeighbourState::Reachable);
        for (link, vlans) in [(2, [0, 0]), (3, [100, 0]), (4, [100, 200])] {
            let answer = resolve_by(route(link), &view);
            let Answer::Settled(Ok(next_hop)) = answer else { panic!("{answer:?}") };
            assert_eq!((next_hop.egress, next_hop.vlans), (2, vlans));
        }
        assert_eq!(
            reason(resolve_by(route(5), &view)),
            "route leaves by VLAN device deep, with more than two tags"
        );
    }

    #[test]
    fn a_vlan_device_that_the_data_path_cannot_imitate_is_refused() {
        let mut view = view(NeighbourState::Reachable);
        let with = |vlan| Some(Link { vlan: Some(vlan), ..link("eth0.100") });
        view.set_link(3, with(Vlan { id: 100, parent: Some(2), dot1q: false }));
        assert!(reason(resolve_by(route(3), &view)).ends_with("with tags other than 802.1Q"));
        view.set_link(3, with(Vlan { id: 100, parent: None, dot1q: true }));
        assert!(reason(resolve_by(route(3), &view)).ends_with("of another network namespace"));
    }

    #[test]
    fn the_reason_names_the_interface_that_is_in_the_way() {
        let mut view = view(NeighbourState::Reachable);
        view.set_link(2, Some(Link { carrier: false, ..link("eth0") }));
        assert_eq!(reason(resolve_by(route(3), &view)), "eth0 has no carrier");
        view.set_link(2, Some(Link { up: false, ..link("eth0") }));
        assert_eq!(reason(resolve_by(route(2), &view)), "eth0 is down");
        view.set_link(2, Some(Link { mac: None, ..link("tun0") }));
        assert_eq!(
            reason(resolve_by(route(2), &view)),
            "route leaves by tun0, which has no MAC address"
        );
        view.set_link(2, None);
        assert_eq!(
            reason(resolve_by(route(2), &view)),
            "the route to 192.0.2.21 leaves by interface 2, which is not there"
        );
    }

    #[test]
    fn without_a_source_address_nothing_can_be_sent() {
        let view = view(NeighbourState::Reachable);
        assert_eq!(
            reason(resolve_by(Route { source: None, ..route(2) }, &view)),
            "this host has no address to reach 192.0.2.21 from"
        );
    }
}
