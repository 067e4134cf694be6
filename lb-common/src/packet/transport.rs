//! What an IP packet carries: TCP (RFC 9293), UDP (RFC 768), or an echo request.

use network_types::{tcp::TcpHdr, udp::UdpHdr};

use super::{Family, Frame, icmp};
use crate::{flow::entry::Signal, verdict::Verdict, wire::Wire};

// SAFETY: a header of byte arrays, 20 bytes and thus without padding.
unsafe impl Wire for TcpHdr {}
const _: () = assert!(size_of::<TcpHdr>() == 20);

// SAFETY: a header of byte arrays, 8 bytes and thus without padding.
unsafe impl Wire for UdpHdr {}
const _: () = assert!(size_of::<UdpHdr>() == 8);

/// IANA protocol number of TCP.
pub const TCP: u8 = 6;
/// IANA protocol number of UDP.
pub const UDP: u8 = 17;

/// What the packet is to a load balancer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// A segment or datagram, to be sent to a backend.
    Ports {
        /// [`TCP`] or [`UDP`].
        protocol: u8,
        /// Source and destination port, each in network byte order.
        ports: [u8; 4],
        /// What it means for its flow.
        signal: Signal,
    },
    /// An ICMP or ICMPv6 echo request, to be answered.
    Echo,
}

/// True of a protocol that a balancer reads beyond the IP header.
#[inline(always)]
pub(super) const fn is_known(family: Family, protocol: u8) -> bool {
    matches!(protocol, TCP | UDP) || protocol == icmp::protocol(family)
}

/// Reads the header at `offset`; the packet ends at `end`.
#[inline(always)]
pub(super) fn parse<F: Frame>(
    frame: &F,
    family: Family,
    protocol: u8,
    offset: usize,
    end: u32,
) -> Result<Transport, Verdict> {
    match protocol {
        TCP => tcp(frame, offset, end).ok_or(Verdict::Malformed),
        UDP => udp(frame, offset, end).ok_or(Verdict::Malformed),
        _ if protocol == icmp::protocol(family) => icmp::parse(frame, family, offset, end),
        _ => Err(Verdict::NoService),
    }
}

#[inline(always)]
fn tcp<F: Frame>(frame: &F, offset: usize, end: u32) -> Option<Transport> {
    let header: TcpHdr = frame.read(offset)?;
    let length = u32::from(header.doff()) * 4;
    if length < TcpHdr::LEN as u32 || offset as u32 + length > end {
        return None;
    }
    let signal = if header.rst() != 0 || header.fin() != 0 {
        Signal::Ends
    } else if header.syn() != 0 && header.ack() == 0 {
        Signal::Opens
    } else {
        Signal::Continues
    };
    let ports = ports(header.source, header.dest);
    Some(Transport::Ports { protocol: TCP, ports, signal })
}

#[inline(always)]
fn udp<F: Frame>(frame: &F, offset: usize, end: u32) -> Option<Transport> {
    let header: UdpHdr = frame.read(offset)?;
    let length = u32::from(header.len());
    if length < UdpHdr::LEN as u32 || offset as u32 + length > end {
        return None;
    }
    let ports = ports(header.src, header.dst);
    Some(Transport::Ports { protocol: UDP, ports, signal: Signal::Continues })
}

#[inline(always)]
const fn ports(source: [u8; 2], destination: [u8; 2]) -> [u8; 4] {
    [source[0], source[1], destination[0], destination[1]]
}
