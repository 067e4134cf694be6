//! Tunnelled packets made by hand, from hosts that are no balancer.

use std::{
    fs::File,
    io,
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    os::fd::{FromRawFd, OwnedFd},
};

use anyhow::{Context, Result};

use crate::host::Host;

const IPPROTO_UDP: u8 = 17;

/// Sends a UDP datagram wrapped in IPv4 (RFC 2003) from a host to `to`.
pub fn send(
    host: &Host,
    to: Ipv4Addr,
    from: SocketAddrV4,
    destination: SocketAddrV4,
    payload: &[u8],
) -> Result<()> {
    let inner = datagram(from, destination, payload);
    let socket = host.inside(raw_socket)?.context("open a raw IPIP socket")?;
    // The kernel writes the outer header; a raw socket has no port.
    UdpSocket::from(socket).send_to(&inner, (to, 0)).context("send a tunnelled packet")?;
    Ok(())
}

fn raw_socket() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: takes and returns integers only.
    let fd = unsafe { libc::socket(libc::AF_INET, kind, libc::IPPROTO_IPIP) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
    let file = unsafe { File::from_raw_fd(fd) };
    Ok(file.into())
}

fn datagram(from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) -> Vec<u8> {
    let udp_length = 8 + payload.len() as u16;
    let mut packet = vec![0x45, 0];
    packet.extend((20 + udp_length).to_be_bytes());
    packet.extend([0, 0, 0x40, 0, 64, IPPROTO_UDP, 0, 0]);
    packet.extend(from.ip().octets());
    packet.extend(to.ip().octets());
    let checksum = ipv4_checksum(&packet);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet.extend(from.port().to_be_bytes());
    packet.extend(to.port().to_be_bytes());
    packet.extend(udp_length.to_be_bytes());
    // A UDP checksum of zero says that there is none.
    packet.extend([0, 0]);
    packet.extend(payload);
    packet
}

/// RFC 1071 over a header whose checksum field is zero.
fn ipv4_checksum(header: &[u8]) -> u16 {
    let words = header.chunks_exact(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}
