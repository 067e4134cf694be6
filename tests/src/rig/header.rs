//! Packets with other IP headers than a builder gives them: options, extension headers, fragments.

use etherparse::Ipv4Header;

/// IANA number of IPv6's fragment header.
const FRAGMENT: u8 = 44;

/// An IPv6 extension header: its IANA number and its bytes, the first two of which, next header and
/// length, are filled in.
pub type Extension = (u8, [u8; 8]);

/// The packet with another TOS or traffic class.
pub fn with_class(packet: &[u8], class: u8) -> Vec<u8> {
    let mut packet = packet.to_vec();
    if packet[0] >> 4 == 4 {
        packet[1] = class;
        sum_v4(packet)
    } else {
        packet[0] = 0x60 | class >> 4;
        packet[1] = class << 4 | packet[1] & 0xf;
        packet
    }
}

/// The IPv4 packet with options, of a length that four divides.
pub fn with_options(packet: &[u8], options: &[u8]) -> Vec<u8> {
    let (mut header, payload) = Ipv4Header::from_slice(packet).expect("an IPv4 packet");
    header.options = options.try_into().expect("options");
    header.set_payload_len(payload.len()).expect("a length");
    header.header_checksum = header.calc_header_checksum();
    [&header.to_bytes()[..], payload].concat()
}

/// The IPv6 packet with extension headers of eight bytes each.
pub fn with_extensions(packet: &[u8], extensions: &[Extension]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    for (kind, bytes) in extensions.iter().rev() {
        let mut extension = *bytes;
        (extension[0], packet[6]) = (packet[6], *kind);
        extension[1] = 0;
        packet.splice(40..40, extension);
    }
    let length = (packet.len() - 40) as u16;
    packet[4..6].copy_from_slice(&length.to_be_bytes());
    packet
}

/// The packet as a piece of a larger one. `offset` counts eight bytes.
pub fn as_fragment(packet: &[u8], offset: u16, more_follow: bool) -> Vec<u8> {
    if packet[0] >> 4 == 4 {
        let mut packet = packet.to_vec();
        let word = offset | u16::from(more_follow) << 13;
        packet[6..8].copy_from_slice(&word.to_be_bytes());
        sum_v4(packet)
    } else {
        let [high, low] = (offset << 3 | u16::from(more_follow)).to_be_bytes();
        with_extensions(packet, &[(FRAGMENT, [0, 0, high, low, 1, 2, 3, 4])])
    }
}

fn sum_v4(mut packet: Vec<u8>) -> Vec<u8> {
    let (header, _) = Ipv4Header::from_slice(&packet).expect("an IPv4 packet");
    packet[10..12].copy_from_slice(&header.calc_header_checksum().to_be_bytes());
    packet
}
