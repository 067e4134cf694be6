//! Ethernet and its VLAN tags (IEEE 802.1Q, 802.1ad).

use network_types::{
    eth::{EthHdr, EtherType},
    vlan::VlanHdr,
};

use super::Frame;
use crate::wire::Wire;

// SAFETY: a header of integers and byte arrays, 14 bytes and thus without padding.
unsafe impl Wire for EthHdr {}
const _: () = assert!(size_of::<EthHdr>() == 14);

// SAFETY: a header of integers and byte arrays, 4 bytes and thus without padding.
unsafe impl Wire for VlanHdr {}
const _: () = assert!(size_of::<VlanHdr>() == 4);

/// What precedes a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link {
    /// The VLAN tags.
    pub tags: Tags,
    /// EtherType of what follows, network byte order.
    pub ether_type: u16,
}

/// Up to two VLAN tags, outermost first, each the four bytes of TPID and TCI as they lie in a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tags {
    /// How many there are: 0, 1 or 2.
    pub count: usize,
    /// The tags; 0 beyond `count`.
    pub words: [u32; 2],
}

impl Tags {
    /// Tags for these VLAN IDs, outermost first, up to the first 0: one is a C-tag, of two the outer
    /// is an S-tag (802.1ad).
    #[inline(always)]
    pub fn of(vlans: [u16; 2]) -> Self {
        match vlans {
            [0, _] => Self::default(),
            [vlan, 0] => Self { count: 1, words: [tag(EtherType::Ieee8021q, vlan), 0] },
            [outer, inner] => Self {
                count: 2,
                words: [tag(EtherType::Ieee8021ad, outer), tag(EtherType::Ieee8021q, inner)],
            },
        }
    }
}

#[inline(always)]
fn tag(tpid: EtherType, vlan: u16) -> u32 {
    let ([a, b], [c, d]) = ((tpid as u16).to_ne_bytes(), vlan.to_be_bytes());
    u32::from_ne_bytes([a, b, c, d])
}

#[inline(always)]
const fn is_tag(ether_type: u16) -> bool {
    ether_type == EtherType::Ieee8021q as u16 || ether_type == EtherType::Ieee8021ad as u16
}

impl Link {
    /// Bytes of the Ethernet header with its tags: the offset of what follows.
    #[inline(always)]
    pub const fn length(&self) -> usize {
        EthHdr::LEN + self.tags.count * VlanHdr::LEN
    }

    /// Reads the Ethernet header; a third tag is left standing as the EtherType of what follows.
    #[inline(always)]
    pub fn parse<F: Frame>(frame: &F) -> Option<Self> {
        let ethernet: EthHdr = frame.read(0)?;
        let mut link = Self { tags: Tags::default(), ether_type: ethernet.ether_type };
        if is_tag(link.ether_type) {
            link = link.behind_tag(frame, 0)?;
            if is_tag(link.ether_type) {
                link = link.behind_tag(frame, 1)?;
            }
        }
        Some(link)
    }

    #[inline(always)]
    fn behind_tag<F: Frame>(self, frame: &F, index: usize) -> Option<Self> {
        let header: VlanHdr = frame.read(EthHdr::LEN + index * VlanHdr::LEN)?;
        let ([a, b], [c, d]) = (self.ether_type.to_ne_bytes(), header.tci);
        let mut tags = self.tags;
        tags.count = index + 1;
        tags.words[index] = u32::from_ne_bytes([a, b, c, d]);
        Some(Self { tags, ether_type: header.ether_type })
    }

    /// Writes an Ethernet header and tags at the front of a frame. `macs`: destination, source.
    #[inline(always)]
    pub fn write<F: Frame>(&self, frame: &mut F, macs: [u8; 12]) -> Option<()> {
        frame.write(0, macs)?;
        if self.tags.count > 0 {
            frame.write(12, self.tags.words[0])?;
            if self.tags.count > 1 {
                frame.write(16, self.tags.words[1])?;
                return frame.write(20, self.ether_type);
            }
            return frame.write(16, self.ether_type);
        }
        frame.write(12, self.ether_type)
    }
}

/// Sends the frame back to where it came from: its MAC addresses change sides.
#[inline(always)]
pub(super) fn turn<F: Frame>(frame: &mut F) -> Option<()> {
    let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5]: [u8; 12] = frame.read(0)?;
    frame.write(0, [s0, s1, s2, s3, s4, s5, d0, d1, d2, d3, d4, d5])
}
