//! A backend's side of a tunnel: what `forward` put around a packet is taken off.

use crate::{
    address::Address,
    forward::{
        checksum,
        ipip::{IPV4, IPV6},
    },
    packet::{Frame, Link, Packet},
    verdict::Action,
};
use network_types::{
    eth::EtherType,
    ip::{Ipv4Hdr, Ipv6Hdr},
};

/// How many balancers a backend can list.
pub const MAX_SOURCES: usize = 256;

/// How a packet ended at a backend.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
#[repr(u32)]
pub enum Outcome {
    /// A tunnel of a listed balancer; its inside goes on to the kernel.
    Decapsulated,
    /// No tunnel; it goes on to the kernel untouched.
    NotTunnel,
    /// A tunnel of somebody else.
    SourceRefused,
    /// A tunnel of a listed balancer whose inside is no whole IP packet.
    Malformed,
    /// Congestion was marked on a packet whose sender does not know the mark (RFC 6040, 4.2).
    CongestionUnknown,
}

impl Outcome {
    /// All of them, in the order of their counters.
    pub const ALL: &[Self] = &[
        Self::Decapsulated,
        Self::NotTunnel,
        Self::SourceRefused,
        Self::Malformed,
        Self::CongestionUnknown,
    ];

    /// The name that the command line and docs use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decapsulated => "decapsulated",
            Self::NotTunnel => "not_tunnel",
            Self::SourceRefused => "source_refused",
            Self::Malformed => "malformed",
            Self::CongestionUnknown => "congestion_unknown",
        }
    }

    /// What the kernel does with the packet.
    #[inline(always)]
    pub const fn action(self) -> Action {
        match self {
            Self::Decapsulated | Self::NotTunnel => Action::Pass,
            Self::SourceRefused | Self::Malformed | Self::CongestionUnknown => Action::Drop,
        }
    }
}

/// Takes the outer header off a tunnel packet whose source `allows` admits. A packet that is not
/// decapsulated is left as it came.
#[inline(always)]
pub fn unwrap<F: Frame>(frame: &mut F, allows: impl FnOnce(&Address) -> bool) -> Outcome {
    match open(frame, allows) {
        Ok(()) => Outcome::Decapsulated,
        Err(outcome) => outcome,
    }
}

#[inline(always)]
fn open<F: Frame>(frame: &mut F, allows: impl FnOnce(&Address) -> bool) -> Result<(), Outcome> {
    let outer = Packet::parse(frame).ok_or(Outcome::NotTunnel)?;
    let payload = outer.payload(frame).map_err(|_| Outcome::NotTunnel)?;
    let inner = match payload.protocol {
        IPV4 => EtherType::Ipv4,
        IPV6 => EtherType::Ipv6,
        _ => return Err(Outcome::NotTunnel),
    };
    if !allows(&outer.source) {
        return Err(Outcome::SourceRefused);
    }
    let end = outer.offset() as u32 + outer.length;
    let length = end.checked_sub(payload.offset as u32).ok_or(Outcome::Malformed)?;
    if payload.fragment || end > frame.length() as u32 {
        return Err(Outcome::Malformed);
    }
    match inner {
        EtherType::Ipv4 => check_v4(frame, payload.offset, length, outer.traffic_class)?,
        _ => check_v6(frame, payload.offset, length, outer.traffic_class)?,
    }
    let link = Link { ether_type: inner as u16, ..outer.link };
    let macs: [u8; 12] = frame.read(0).ok_or(Outcome::Malformed)?;
    frame.shrink_front(payload.offset - outer.offset()).ok_or(Outcome::Malformed)?;
    link.write(frame, macs).ok_or(Outcome::Malformed)
}

/// The two bits of explicit congestion notification (RFC 3168).
const ECN: u8 = 3;
/// "Not ECN-capable transport".
const NOT_CAPABLE: u8 = 0;
/// "ECN-capable transport", the two words for it.
const CAPABLE_1: u8 = 1;
const CAPABLE_0: u8 = 2;
/// "Congestion experienced".
const CONGESTED: u8 = 3;

/// Checks the inner header against the bytes it has, and hands down to it what the outer one's
/// traffic class says of congestion.
#[inline(always)]
fn check_v4<F: Frame>(
    frame: &mut F,
    offset: usize,
    length: u32,
    outer_class: u8,
) -> Result<(), Outcome> {
    let mut header: Ipv4Hdr = frame.read(offset).ok_or(Outcome::Malformed)?;
    let total = u32::from(u16::from_be_bytes(header.tot_len));
    let own = u32::from(header.vihl & 0xf) * 4;
    if header.vihl >> 4 != 4 || own < Ipv4Hdr::LEN as u32 || own > total || total > length {
        return Err(Outcome::Malformed);
    }
    let tos = handed_down(header.tos, outer_class)?;
    // What stays is left alone: its update could write the checksum's other zero.
    if tos != header.tos {
        header.check =
            checksum::update(header.check, [header.vihl, header.tos], [header.vihl, tos]);
        header.tos = tos;
        frame.write(offset, header).ok_or(Outcome::Malformed)?;
    }
    Ok(())
}

/// As [`check_v4`].
#[inline(always)]
fn check_v6<F: Frame>(
    frame: &mut F,
    offset: usize,
    length: u32,
    outer_class: u8,
) -> Result<(), Outcome> {
    let mut header: Ipv6Hdr = frame.read(offset).ok_or(Outcome::Malformed)?;
    let total = Ipv6Hdr::LEN as u32 + u32::from(u16::from_be_bytes(header.payload_len));
    if header.vcf[0] >> 4 != 6 || total > length {
        return Err(Outcome::Malformed);
    }
    // ECN and the two bits of DSCP above it.
    let low = header.vcf[1] >> 4;
    let handed_down = handed_down(low, outer_class)?;
    if handed_down != low {
        header.vcf[1] = handed_down << 4 | header.vcf[1] & 0xf;
        frame.write(offset, header).ok_or(Outcome::Malformed)?;
    }
    Ok(())
}

/// The inner header's class on its way out of the tunnel (RFC 6040, section 4.2).
#[inline(always)]
const fn handed_down(inner: u8, outer: u8) -> Result<u8, Outcome> {
    match (inner & ECN, outer & ECN) {
        (NOT_CAPABLE, CONGESTED) => Err(Outcome::CongestionUnknown),
        (_, CONGESTED) => Ok(inner | CONGESTED),
        (CAPABLE_0, CAPABLE_1) => Ok(inner ^ ECN),
        _ => Ok(inner),
    }
}
