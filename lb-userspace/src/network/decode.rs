//! From netlink's messages to what matters of them here.

use std::net::IpAddr;

use rtnetlink::packet_route::{
    AddressFamily, RouteNetlinkMessage,
    link::{
        InfoData, InfoKind, InfoVlan, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType,
        LinkMessage, VlanProtocol,
    },
    neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage},
    route::{RouteAddress, RouteAttribute, RouteMessage, RouteMetric, RouteType, RouteVia},
};

use super::{
    resolve::{Route, Unresolved},
    view::{Link, Neighbour, NeighbourKey, Vlan},
};

/// Something changed in the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// A link is as given, or gone.
    Link(u32, Option<Link>),
    /// A neighbour is as given, or gone.
    Neighbour(NeighbourKey, Option<Neighbour>),
    /// A route to this prefix came, changed or went.
    Route(Prefix),
    /// An address or a rule came or went, which may change any route.
    AnyRoute,
}

/// A destination of routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefix {
    address: IpAddr,
    length: u8,
}

impl Prefix {
    /// True of an address whose route may be to this prefix.
    pub(super) fn contains(&self, other: IpAddr) -> bool {
        let length = u32::from(self.length);
        match (self.address, other) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => {
                let differing = ours.to_bits() ^ other.to_bits();
                differing.leading_zeros() >= length.min(u32::BITS)
            }
            (IpAddr::V6(ours), IpAddr::V6(other)) => {
                let differing = ours.to_bits() ^ other.to_bits();
                differing.leading_zeros() >= length.min(u128::BITS)
            }
            _ => false,
        }
    }
}

/// What a notification means; none for one that changes no next hop.
pub(super) fn event(message: RouteNetlinkMessage) -> Option<Event> {
    use RouteNetlinkMessage as M;
    match message {
        M::NewLink(message) => {
            let (index, link) = link(&message)?;
            Some(Event::Link(index, Some(link)))
        }
        // A bridge tells of a port that leaves it in the same words as of a link that ends.
        M::DelLink(message) if message.header.interface_family == AddressFamily::Unspec => {
            Some(Event::Link(message.header.index, None))
        }
        M::NewNeighbour(message) => {
            let (key, neighbour) = neighbour(&message)?;
            Some(Event::Neighbour(key, Some(neighbour)))
        }
        M::DelNeighbour(message) => {
            let (key, _) = neighbour(&message)?;
            Some(Event::Neighbour(key, None))
        }
        M::NewRoute(message) | M::DelRoute(message) => prefix(&message).map(Event::Route),
        M::NewAddress(_) | M::DelAddress(_) | M::NewRule(_) | M::DelRule(_) => {
            Some(Event::AnyRoute)
        }
        _ => None,
    }
}

/// A link and its index; none for what a bridge says of its ports.
pub(super) fn link(message: &LinkMessage) -> Option<(u32, Link)> {
    let header = &message.header;
    if header.interface_family != AddressFamily::Unspec {
        return None;
    }
    let mut link = Link {
        name: format!("interface {}", header.index),
        up: header.flags.contains(LinkFlags::Up),
        carrier: header.flags.contains(LinkFlags::LowerUp),
        mac: None,
        mtu: u32::from(u16::MAX),
        vlan: None,
    };
    let ethernet = header.link_layer_type == LinkLayerType::Ether;
    let (mut parent, mut elsewhere) = (None, false);
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            LinkAttribute::Address(mac) if ethernet => link.mac = mac.as_slice().try_into().ok(),
            LinkAttribute::Link(index) => parent = Some(*index),
            LinkAttribute::LinkNetNsId(_) => elsewhere = true,
            LinkAttribute::LinkInfo(info) => link.vlan = vlan(info),
            _ => {}
        }
    }
    if let Some(vlan) = &mut link.vlan {
        vlan.parent = parent.filter(|_| !elsewhere);
    }
    Some((header.index, link))
}

fn vlan(info: &[LinkInfo]) -> Option<Vlan> {
    if !info.iter().any(|info| matches!(info, LinkInfo::Kind(InfoKind::Vlan))) {
        return None;
    }
    let mut vlan = Vlan { id: 0, parent: None, dot1q: true };
    for data in info {
        let LinkInfo::Data(InfoData::Vlan(attributes)) = data else { continue };
        for attribute in attributes {
            match attribute {
                InfoVlan::Id(id) => vlan.id = *id,
                InfoVlan::Protocol(protocol) => vlan.dot1q = *protocol == VlanProtocol::Ieee8021Q,
                _ => {}
            }
        }
    }
    Some(vlan)
}

/// A neighbour of an IP address; none for the other tables, such as a bridge's.
pub(super) fn neighbour(message: &NeighbourMessage) -> Option<(NeighbourKey, Neighbour)> {
    let (mut address, mut mac) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(v4)) => {
                address = Some(IpAddr::V4(*v4));
            }
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(v6)) => {
                address = Some(IpAddr::V6(*v6));
            }
            NeighbourAttribute::LinkLayerAddress(bytes) => mac = bytes.as_slice().try_into().ok(),
            _ => {}
        }
    }
    let key = NeighbourKey { link: message.header.ifindex, address: address? };
    Some((key, Neighbour { state: message.header.state, mac }))
}

fn prefix(message: &RouteMessage) -> Option<Prefix> {
    let any = match message.header.address_family {
        AddressFamily::Inet => IpAddr::from([0; 4]),
        AddressFamily::Inet6 => IpAddr::from([0; 16]),
        _ => return None,
    };
    let destination = message.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(address) => ip(address),
        _ => None,
    });
    let length = message.header.destination_prefix_length;
    Some(Prefix { address: destination.unwrap_or(any), length })
}

/// The kernel's answer to a question for the route to `address`.
pub(super) fn route(address: IpAddr, message: &RouteMessage) -> Result<Route, Unresolved> {
    match message.header.kind {
        RouteType::Unicast => {}
        RouteType::Local => return Err(Unresolved::Local(address)),
        RouteType::Unreachable | RouteType::Throw => return Err(Unresolved::NoRoute(address)),
        RouteType::BlackHole | RouteType::Prohibit => return Err(Unresolved::Dropped(address)),
        _ => return Err(Unresolved::NotUnicast(address)),
    }
    let (mut link, mut gateway, mut source, mut mtu) = (None, None, None, None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Oif(index) => link = Some(*index),
            RouteAttribute::Gateway(address) => gateway = ip(address),
            RouteAttribute::Via(RouteVia::Inet6(v6)) => gateway = Some(IpAddr::V6(*v6)),
            RouteAttribute::Via(RouteVia::Inet(v4)) => gateway = Some(IpAddr::V4(*v4)),
            RouteAttribute::PrefSource(address) => source = ip(address),
            RouteAttribute::Metrics(metrics) => mtu = metrics.iter().find_map(route_mtu),
            RouteAttribute::Encap(_) => return Err(Unresolved::Tunnel(address)),
            _ => {}
        }
    }
    let link = link.ok_or(Unresolved::NoRoute(address))?;
    Ok(Route { link, gateway, source, mtu })
}

fn route_mtu(metric: &RouteMetric) -> Option<u32> {
    match metric {
        RouteMetric::Mtu(mtu) if *mtu > 0 => Some(*mtu),
        _ => None,
    }
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(v4) => Some(IpAddr::V4(*v4)),
        RouteAddress::Inet6(v6) => Some(IpAddr::V6(*v6)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vlan_message() -> LinkMessage {
        let mut message = LinkMessage::default();
        message.header.index = 7;
        message.header.link_layer_type = LinkLayerType::Ether;
        message.header.flags = LinkFlags::Up | LinkFlags::LowerUp;
        let data = vec![InfoVlan::Id(100), InfoVlan::Protocol(VlanProtocol::Ieee8021Q)];
        message.attributes = vec![
            LinkAttribute::IfName("eth0.100".into()),
            LinkAttribute::Mtu(1496),
            LinkAttribute::Address(vec![2, 0, 0, 0, 0, 1]),
            LinkAttribute::Link(2),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Vlan),
                LinkInfo::Data(InfoData::Vlan(data)),
            ]),
        ];
        message
    }

    #[test]
    fn a_vlan_device_is_known_by_its_tag_and_its_parent() {
        let expected = Link {
            name: "eth0.100".into(),
            up: true,
            carrier: true,
            mac: Some([2, 0, 0, 0, 0, 1]),
            mtu: 1496,
            vlan: Some(Vlan { id: 100, parent: Some(2), dot1q: true }),
        };
        assert_eq!(link(&vlan_message()), Some((7, expected)));
    }

    #[test]
    fn a_parent_in_another_namespace_is_not_taken_for_one_of_ours() {
        let mut message = vlan_message();
        message.attributes.push(LinkAttribute::LinkNetNsId(0));
        let (_, link) = link(&message).unwrap();
        assert_eq!(link.vlan.unwrap().parent, None);
    }

    #[test]
    fn the_address_of_a_device_that_is_not_ethernet_is_no_mac() {
        let mut message = vlan_message();
        message.header.link_layer_type = LinkLayerType::Tunnel6;
        assert_eq!(link(&message).unwrap().1.mac, None);
    }

    #[test]
    fn a_port_that_leaves_a_bridge_is_no_link_that_ends() {
        let mut message = vlan_message();
        message.header.interface_family = AddressFamily::Bridge;
        assert_eq!(event(RouteNetlinkMessage::DelLink(message)), None);
        let gone = event(RouteNetlinkMessage::DelLink(vlan_message()));
        assert_eq!(gone, Some(Event::Link(7, None)));
    }

    #[test]
    fn a_default_route_concerns_every_address_of_its_family() {
        let mut message = RouteMessage::default();
        message.header.address_family = AddressFamily::Inet;
        let Some(Event::Route(prefix)) = event(RouteNetlinkMessage::DelRoute(message)) else {
            panic!("a route that goes is of interest")
        };
        assert!(prefix.contains(IpAddr::from([203, 0, 113, 9])));
        assert!(!prefix.contains("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn a_gateway_of_the_other_family_is_understood() {
        let gateway = "fe80::1".parse().unwrap();
        let mut message = RouteMessage::default();
        message.header.kind = RouteType::Unicast;
        message.attributes =
            vec![RouteAttribute::Oif(2), RouteAttribute::Via(RouteVia::Inet6(gateway))];
        let route = route(IpAddr::from([203, 0, 113, 9]), &message).unwrap();
        assert_eq!(route.gateway, Some(IpAddr::V6(gateway)));
    }

    #[test]
    fn a_route_through_a_lightweight_tunnel_is_refused() {
        let address = IpAddr::from([203, 0, 113, 9]);
        let mut message = RouteMessage::default();
        message.header.kind = RouteType::Unicast;
        message.attributes = vec![RouteAttribute::Oif(2), RouteAttribute::Encap(vec![])];
        assert_eq!(route(address, &message), Err(Unresolved::Tunnel(address)));
    }

    proptest! {
        #[test]
        fn a_prefix_holds_the_addresses_that_begin_as_it_does(
            network: u32,
            other: u32,
            length in 0..=32_u8,
        ) {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            let near = (network & mask) | (other & !mask);
            let prefix = Prefix { address: IpAddr::from(network.to_be_bytes()), length };
            prop_assert!(prefix.contains(IpAddr::from(near.to_be_bytes())));
            let same = network & mask == other & mask;
            prop_assert_eq!(prefix.contains(IpAddr::from(other.to_be_bytes())), same);
        }
    }
}
