//! Test traffic: which packet is that of flow number N.
//!
//! Nothing of the data path passes through here. A generator (`lb-ebpf/src/generate`) makes millions
//! of packets out of one [`Template`] for a program under test, all alike but for the client they
//! come from; the host makes the very same ones, and so can say what the program should have done.

use network_types::eth::EtherType;

use crate::{
    forward::checksum,
    packet::{
        Frame,
        transport::{TCP, UDP},
    },
    wire::plain_old_data,
};

/// Bytes of an Ethernet header.
const ETHERNET: usize = 14;
/// Words behind it that a template has room for.
const WORDS: usize = 15;

/// The packet that all others are made of: an Ethernet frame without tags. Read-only data of the
/// generator; words are little-endian.
///
/// What is written is written in the words in which the data path reads it. A processor hands a
/// store on to a load that lies within it; a load that straddles two stores waits for both, which no
/// packet of a driver does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Template {
    /// The first eight bytes of the MAC addresses, and the last four.
    macs_front: u64,
    macs_back: u32,
    ether_type: u16,
    /// Bytes of the frame.
    length: u16,
    /// What follows the Ethernet header.
    words: [u64; WORDS],
    /// Of those, how many are written anew for each packet.
    restored: u16,
    /// Where the word lies that ends in the source address, or in its last four bytes.
    source_at: u16,
    /// Where the word lies that begins with the source port; 0 where there are no ports.
    ports_at: u16,
    /// IPv4: the one's-complement sum of the header without source and checksum. A sum of words with
    /// swapped bytes is the sum with swapped bytes (RFC 1071, section 2).
    sum: u16,
    /// The word at `source_at`, without what is written there.
    source: u64,
    /// The word at `ports_at`, without the source port.
    ports: u64,
    /// 1 for IPv4, 0 for IPv6.
    has_checksum: u64,
}

/// Which flow the next packet belongs to: from the first to the last of a range, and around again.
/// Written by the generator, and by userspace while no packet is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Progress {
    /// The next flow.
    pub next: u64,
    /// The first flow of the range.
    pub first: u64,
    /// The flow behind the range.
    pub end: u64,
    /// Packets made.
    pub packets: u64,
    /// When the last one was made, by the kernel's clock.
    pub jiffies: u64,
}

plain_old_data! { Template = 168, Progress = 40 }

impl Progress {
    /// Takes the next flow.
    #[inline(always)]
    pub fn advance(&mut self, jiffies: u64) -> u64 {
        let flow = self.next;
        let next = flow.wrapping_add(1);
        self.next = if next == self.end { self.first } else { next };
        self.packets = self.packets.wrapping_add(1);
        self.jiffies = jiffies;
        flow
    }
}

/// Where the packets of a flow come from: source address, or its last four bytes, and source port,
/// as a header has them. The first 2⁴⁸ flows have a source each, in no visible order.
pub const fn source(flow: u64) -> ([u8; 4], [u8; 2]) {
    let source = scatter(flow);
    ((source as u32).to_le_bytes(), ((source >> 32) as u16).to_le_bytes())
}

/// Address and port of a flow's source, as 48 bits. Each step has an inverse, so that no two flows
/// meet.
#[inline(always)]
const fn scatter(flow: u64) -> u64 {
    let flow = flow.wrapping_mul(0x9e37_79b9_7f4b).wrapping_add(0x7f4a_7c15_0b5d) & SOURCE;
    let flow = (flow ^ flow >> 24).wrapping_mul(0xbf58_476d_1ce5) & SOURCE;
    flow ^ flow >> 24
}

const SOURCE: u64 = 0xffff_ffff_ffff;
const HALF: u64 = 0xffff_ffff;
const QUARTER: u64 = 0xffff;

impl Template {
    /// Stands where the loader puts a template.
    pub const EMPTY: Self = Self {
        macs_front: 0,
        macs_back: 0,
        ether_type: 0,
        length: 0,
        words: [0; WORDS],
        restored: 0,
        source_at: 0,
        ports_at: 0,
        sum: 0,
        source: 0,
        ports: 0,
        has_checksum: 0,
    };

    /// The template that a frame is. `None` unless it holds an IPv4 packet, or an IPv6 packet without
    /// extension headers, in up to 134 bytes.
    pub fn of(frame: &[u8]) -> Option<Self> {
        let packet = frame.get(ETHERNET..)?;
        let ether_type = (word(frame, 12)? & QUARTER) as u16;
        let is_v4 = ether_type == EtherType::Ipv4 as u16;
        let (source_at, protocol, header) = if is_v4 {
            (8, packet.get(9)?, usize::from(packet.first()? & 0xf) * 4)
        } else if ether_type == EtherType::Ipv6 as u16 {
            (16, packet.get(6)?, 40)
        } else {
            return None;
        };
        let has_ports = matches!(*protocol, TCP | UDP);
        let (whole, _) = packet.as_chunks::<8>();
        let mut words = [0; WORDS];
        for (word, bytes) in words.get_mut(..whole.len())?.iter_mut().zip(whole) {
            *word = u64::from_le_bytes(*bytes);
        }
        let kept = if is_v4 { QUARTER } else { HALF };
        Some(Self {
            macs_front: word(frame, 0)?,
            macs_back: (word(frame, 4)? >> 32) as u32,
            ether_type,
            length: frame.len() as u16,
            words,
            // What is neither TCP nor UDP is answered in place, which changes its headers.
            restored: if has_ports { 0 } else { whole.len() as u16 },
            source_at: (ETHERNET + source_at) as u16,
            ports_at: if has_ports { (ETHERNET + header) as u16 } else { 0 },
            sum: if is_v4 { sum_without_source(packet.get(..header)?)? } else { 0 },
            source: word(packet, source_at)? & kept,
            ports: if has_ports { word(packet, header)? & !QUARTER } else { 0 },
            has_checksum: u64::from(is_v4),
        })
    }

    /// Makes a frame the packet of a flow. The template was copied to it once; since then, a program
    /// may have made it longer at its front.
    #[inline(always)]
    pub fn render<F: Frame>(&self, frame: &mut F, flow: u64) -> Option<()> {
        // Called when there is nothing to do as well, so that a program does not pay for its undoing.
        frame.shrink_front(frame.length().checked_sub(usize::from(self.length))?)?;
        frame.write(0, self.macs_front)?;
        frame.write(8, self.macs_back)?;
        frame.write(12, self.ether_type)?;
        if self.restored > 0 {
            self.restore(frame)?;
        }
        let source = scatter(flow);
        frame.write(usize::from(self.source_at), self.with_address(source & HALF))?;
        if self.ports_at > 0 {
            frame.write(usize::from(self.ports_at), self.ports | source >> 32)?;
        }
        Some(())
    }

    #[inline(always)]
    fn restore<F: Frame>(&self, frame: &mut F) -> Option<()> {
        for (at, word) in self.words.iter().enumerate() {
            if at < usize::from(self.restored) {
                frame.write(ETHERNET + at * 8, *word)?;
            }
        }
        Some(())
    }

    #[inline(always)]
    const fn with_address(&self, address: u64) -> u64 {
        let word = self.source | address << 32;
        if self.has_checksum == 0 {
            return word;
        }
        let sum = self.sum as u32 + (address & QUARTER) as u32 + (address >> 16) as u32;
        word | (!checksum::fold(sum) as u64) << 16
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

fn sum_without_source(header: &[u8]) -> Option<u16> {
    let [before, after] = [header.get(..10)?, header.get(16..)?].map(checksum::sum);
    Some(checksum::fold(u32::from(before) + u32::from(after)).swap_bytes())
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::{collections::BTreeSet, vec::Vec};

    use proptest::prelude::*;

    use super::*;
    use crate::packet::{
        Packet,
        buffer::{Buffer, HEADROOM},
    };

    const LENGTH: usize = 60;

    /// An IPv4 TCP segment of 46 bytes.
    fn v4() -> [u8; LENGTH] {
        let mut frame = [7; LENGTH];
        frame[12..24].copy_from_slice(&[8, 0, 0x45, 0, 0, 46, 0, 0, 0x40, 0, 64, 6]);
        frame
    }

    /// An IPv6 UDP datagram without a payload, a byte less than a word longer than its headers.
    fn v6() -> [u8; LENGTH + 9] {
        let mut frame = [7; LENGTH + 9];
        frame[12..22].copy_from_slice(&[0x86, 0xdd, 0x60, 0, 0, 0, 0, 15, 17, 64]);
        frame
    }

    /// The packet of a flow, after a program has grown the frame and overwritten its front.
    fn rendered(frame: &[u8], grown: usize, flow: u64) -> Vec<u8> {
        let mut bytes = [&[0; HEADROOM][..], frame].concat();
        let mut buffer = Buffer::new(&mut bytes, HEADROOM);
        buffer.grow_front(grown).unwrap();
        for at in 0..grown + ETHERNET {
            buffer.write(at, 0xffu8).unwrap();
        }
        Template::of(frame).unwrap().render(&mut buffer, flow).unwrap();
        buffer.frame().to_vec()
    }

    proptest! {
        #[test]
        fn a_packet_is_the_template_but_for_the_source_of_its_flow(
            flow in any::<u64>(),
            grown in prop::sample::select(&[0usize, 20, 40][..]),
        ) {
            let (address, port) = source(flow);
            for (frame, address_at, ports_at) in [(&v4()[..], 26, 34), (&v6()[..], 34, 54)] {
                let packet = rendered(frame, grown, flow);
                let mut expected = frame.to_vec();
                expected[address_at..address_at + 4].copy_from_slice(&address);
                expected[ports_at..ports_at + 2].copy_from_slice(&port);
                if packet[13] == 0 {
                    expected[24..26].fill(0);
                    let sum = !checksum::sum(&expected[14..34]);
                    expected[24..26].copy_from_slice(&sum.to_be_bytes());
                }
                prop_assert_eq!(&packet, &expected);
                let parsed = Packet::parse(&Buffer::new(&mut expected, 0)).unwrap();
                prop_assert_eq!(&parsed.source.octets()[12..], &address);
            }
        }
    }

    #[test]
    fn flows_have_a_source_each() {
        let sources = |flows: core::ops::Range<u64>| flows.map(source).collect::<BTreeSet<_>>();
        assert_eq!(sources(0..100_000).len(), 100_000);
        let last = 1 << 48;
        assert_eq!(sources(last - 1000..last).union(&sources(0..1000)).count(), 2000);
        assert_eq!(source(last), source(0));
    }

    #[test]
    fn a_packet_that_is_answered_in_place_is_written_anew() {
        let mut frame = v4();
        frame[23] = 1;
        let template = Template::of(&frame).unwrap();
        let mut bytes = [0; LENGTH];
        bytes[LENGTH - 6..].copy_from_slice(&frame[LENGTH - 6..]);
        template.render(&mut Buffer::new(&mut bytes, 0), 5).unwrap();
        assert_eq!(bytes[..22], frame[..22]);
        assert_eq!(bytes[26..30], source(5).0);
        assert_eq!(bytes[30..], frame[30..]);
    }

    #[test]
    fn flows_come_in_a_circle() {
        let mut progress = Progress { next: 7, first: 5, end: 8, ..Progress::default() };
        let flows: Vec<u64> = (0..5).map(|jiffies| progress.advance(jiffies)).collect();
        assert_eq!(flows, [7, 5, 6, 7, 5]);
        assert_eq!((progress.packets, progress.jiffies), (5, 4));
    }

    #[test]
    fn what_is_no_ip_packet_or_too_long_is_no_template() {
        assert_eq!(Template::of(&[0; LENGTH]), None);
        assert_eq!(Template::of(&v4()[..33]), None);
        assert_eq!(Template::of(&[&v4()[..], &[0; 100]].concat()), None);
    }
}
