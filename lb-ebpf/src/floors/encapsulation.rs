//! An IPv4 tunnel header and an Ethernet header in front of a packet, whatever it is.

use lb_common::{
    forward::{checksum, ipip::IPV4},
    packet::Frame,
};
use lb_ebpf::frame::XdpFrame;

const ETHERNET: usize = 14;
const LENGTH: usize = 20;

/// As `balance` writes it, without length and checksum.
const HEADER: [u8; LENGTH] =
    [0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, IPV4, 0, 0, 192, 0, 2, 11, 192, 0, 2, 21];
const MACS: [u8; 12] = [2, 0, 0, 0, 0, 0xbe, 2, 0, 0, 0, 0, 0x1b];

#[inline(always)]
pub(crate) fn encapsulate(frame: &mut XdpFrame) -> Option<()> {
    let length = (frame.length() - ETHERNET + LENGTH) as u32;
    frame.grow_front(LENGTH)?;
    frame.write(ETHERNET, header(length))?;
    frame.write(0, MACS)?;
    frame.write(12, [0x08u8, 0x00])
}

#[inline(always)]
fn header(length: u32) -> [u8; LENGTH] {
    const SUM: u32 = sum();
    let mut header = HEADER;
    [header[2], header[3]] = (length as u16).to_be_bytes();
    [header[10], header[11]] = (!checksum::fold(SUM + length)).to_be_bytes();
    header
}

/// The sum of the header's words.
const fn sum() -> u32 {
    let (words, _) = HEADER.as_chunks();
    let (mut sum, mut at) = (0, 0);
    while at < words.len() {
        sum += u16::from_be_bytes(words[at]) as u32;
        at += 1;
    }
    sum
}
