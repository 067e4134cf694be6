//! Packets as a client sends them, and as a backend should get them, made by another
//! implementation than the one that is tested.

use std::net::SocketAddr;

use etherparse::{
    IpFragOffset, IpHeaders, IpNumber, Ipv4Header, Ipv6Header, PacketBuilder, PacketBuilderStep,
    ip_number,
};

use super::{BALANCER, NEXT_HOP};

/// MAC address of the router that clients' packets come from.
pub const ROUTER: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// An Ethernet frame from the router to the balancer around an IP packet, behind 802.1Q tags.
pub fn frame(vlans: &[u16], packet: &[u8]) -> Vec<u8> {
    ethernet(BALANCER, ROUTER, vlans, packet)
}

/// An Ethernet frame from the balancer to a backend's next hop around an IP packet.
pub fn sent(vlans: &[u16], packet: &[u8]) -> Vec<u8> {
    ethernet(NEXT_HOP, BALANCER, vlans, packet)
}

fn ethernet(to: [u8; 6], from: [u8; 6], vlans: &[u16], packet: &[u8]) -> Vec<u8> {
    let mut frame = [to, from].concat();
    for vlan in vlans {
        frame.extend([0x81, 0x00]);
        frame.extend(vlan.to_be_bytes());
    }
    frame.extend(if packet[0] >> 4 == 4 { [0x08, 0x00] } else { [0x86, 0xdd] });
    frame.extend(packet);
    frame
}

/// An Ethernet frame with VLAN tags put in, outermost first: each a TPID and a TCI.
pub fn behind_tags(frame: &[u8], tags: &[(u16, u16)]) -> Vec<u8> {
    let bytes = |(tpid, tci): &(u16, u16)| [tpid.to_be_bytes(), tci.to_be_bytes()].concat();
    let tags: Vec<u8> = tags.iter().flat_map(bytes).collect();
    [&frame[..12], &tags, &frame[12..]].concat()
}

/// A TCP segment with these flags of `SAFRP`, and some payload.
pub fn tcp(from: &str, to: &str, flags: &str) -> Vec<u8> {
    let (from, to) = (address(from), address(to));
    let mut step = ip(from, to).tcp(from.port(), to.port(), 1000, 65535);
    for flag in flags.chars() {
        step = match flag {
            'S' => step.syn(),
            'A' => step.ack(2000),
            'F' => step.fin(),
            'R' => step.rst(),
            'P' => step.psh(),
            other => panic!("{other} is no flag of TCP"),
        };
    }
    let mut packet = Vec::new();
    step.write(&mut packet, b"hello").expect("a packet");
    packet
}

/// A UDP datagram.
pub fn udp(from: &str, to: &str, payload: &[u8]) -> Vec<u8> {
    let (from, to) = (address(from), address(to));
    let mut packet = Vec::new();
    let step = ip(from, to).udp(from.port(), to.port());
    step.write(&mut packet, payload).expect("a packet");
    packet
}

/// An echo request, or with `reply` its answer, which starts a way of its own: its hop limit is 64.
pub fn echo(from: &str, to: &str, reply: bool) -> Vec<u8> {
    let (from, to) = (address(&format!("{from}:0")), address(&format!("{to}:0")));
    let step = ip_with_hops(from, to, if reply { 64 } else { HOPS });
    let mut packet = Vec::new();
    let written = match (from.is_ipv4(), reply) {
        (true, false) => step.icmpv4_echo_request(7, 9).write(&mut packet, b"are you there?"),
        (true, true) => step.icmpv4_echo_reply(7, 9).write(&mut packet, b"are you there?"),
        (false, false) => step.icmpv6_echo_request(7, 9).write(&mut packet, b"are you there?"),
        (false, true) => step.icmpv6_echo_reply(7, 9).write(&mut packet, b"are you there?"),
    };
    written.expect("a packet");
    packet
}

/// What a backend should get: the packet behind an outer header from the balancer.
pub fn tunnelled(from: &str, to: &str, packet: &[u8]) -> Vec<u8> {
    let (from, to) = (address(&format!("{from}:0")), address(&format!("{to}:0")));
    let v4 = packet[0] >> 4 == 4;
    let protocol = if v4 { ip_number::IPV4 } else { ip_number::IPV6 };
    let class = if v4 { packet[1] } else { packet[0] << 4 | packet[1] >> 4 };
    [outer(from, to, protocol, class, packet.len()), packet.to_vec()].concat()
}

fn outer(from: SocketAddr, to: SocketAddr, inner: IpNumber, class: u8, length: usize) -> Vec<u8> {
    match (from, to) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => {
            let (from, to) = (from.ip().octets(), to.ip().octets());
            let mut header = Ipv4Header::new(length as u16, 64, inner, from, to).expect("a length");
            header.dscp = (class >> 2).try_into().expect("six bits");
            header.ecn = (class & 3).try_into().expect("two bits");
            header.dont_fragment = true;
            header.fragment_offset = IpFragOffset::ZERO;
            header.header_checksum = header.calc_header_checksum();
            header.to_bytes().to_vec()
        }
        (SocketAddr::V6(from), SocketAddr::V6(to)) => {
            let header = Ipv6Header {
                traffic_class: class,
                payload_length: length as u16,
                next_header: inner,
                hop_limit: 64,
                source: from.ip().octets(),
                destination: to.ip().octets(),
                ..Ipv6Header::default()
            };
            header.to_bytes().to_vec()
        }
        _ => panic!("{from} and {to} are of two families"),
    }
}

/// TTL or hop limit of a client's packet.
const HOPS: u8 = 61;

fn ip(from: SocketAddr, to: SocketAddr) -> PacketBuilderStep<IpHeaders> {
    ip_with_hops(from, to, HOPS)
}

fn ip_with_hops(from: SocketAddr, to: SocketAddr, hops: u8) -> PacketBuilderStep<IpHeaders> {
    match (from, to) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => {
            PacketBuilder::ipv4(from.ip().octets(), to.ip().octets(), hops)
        }
        (SocketAddr::V6(from), SocketAddr::V6(to)) => {
            PacketBuilder::ipv6(from.ip().octets(), to.ip().octets(), hops)
        }
        _ => panic!("{from} and {to} are of two families"),
    }
}

/// `198.51.100.7:40000` or `[2001:db8:1::7]:40000`; an IPv6 address may lack its brackets when a
/// port follows the last colon.
fn address(text: &str) -> SocketAddr {
    text.parse()
        .or_else(|_| {
            let (ip, port) = text.rsplit_once(':').expect("an address and a port");
            format!("[{ip}]:{port}").parse()
        })
        .expect("an address and a port")
}
