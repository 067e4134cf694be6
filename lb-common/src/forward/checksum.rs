//! The Internet checksum (RFC 1071) and its incremental update (RFC 1624).

use network_types::{ip::Ipv4Hdr, tcp::TcpHdr};

use crate::{address::Address, packet::transport::TCP, wire::Wire};

/// Folds a sum of 16-bit words to 16 bits, carries added back in.
#[inline(always)]
pub const fn fold(sum: u32) -> u16 {
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}

/// The checksum field after one aligned 16-bit word it covers has changed. All in network byte
/// order.
#[inline(always)]
pub const fn update(field: [u8; 2], old: [u8; 2], new: [u8; 2]) -> [u8; 2] {
    let (field, old, new) =
        (u16::from_be_bytes(field), u16::from_be_bytes(old), u16::from_be_bytes(new));
    (!fold(!field as u32 + !old as u32 + new as u32)).to_be_bytes()
}

/// The one's-complement sum of the words of a header, each as it lies in memory: the sum of swapped
/// words is the swapped sum (RFC 1071, section 2).
#[inline(always)]
fn sum_of<T: Wire, const WORDS: usize>(header: &T) -> u32 {
    const { assert!(size_of::<T>() == WORDS * 2) };
    // SAFETY: a `Wire` type is plain bytes without padding, and the sizes are equal.
    let words = unsafe { core::ptr::from_ref(header).cast::<[u16; WORDS]>().read_unaligned() };
    words.into_iter().fold(0, |sum, word| sum + u32::from(word))
}

/// The checksum of an IPv4 header without options whose field is zero, as it lies in memory.
#[inline(always)]
pub fn of(header: &Ipv4Hdr) -> [u8; 2] {
    (!fold(sum_of::<_, 10>(header))).to_ne_bytes()
}

/// The checksum of a segment that is only a TCP header, whose field is zero, under the pseudo-header
/// of either family (RFC 9293, section 3.1; RFC 8200, section 8.1), as it lies in memory.
#[inline(always)]
pub fn of_segment(source: Address, destination: Address, header: &TcpHdr) -> [u8; 2] {
    let addresses = |address: Address| {
        let [a, b, c, d] = address.words();
        // Of an IPv4 address only the last word is in its pseudo-header.
        let others = if address.is_v4() { [0; 3] } else { [a, b, c] };
        halves(others[0]) + halves(others[1]) + halves(others[2]) + halves(d)
    };
    let protocol = u32::from(u16::from(TCP).to_be());
    let length = u32::from((TcpHdr::LEN as u16).to_be());
    let pseudo = addresses(source) + addresses(destination) + protocol + length;
    (!fold(pseudo + sum_of::<_, 10>(header))).to_ne_bytes()
}

#[inline(always)]
const fn halves(word: u32) -> u32 {
    (word & 0xffff) + (word >> 16)
}

/// The one's-complement sum of big-endian words, folded and not complemented; a last odd byte is
/// padded with 0.
pub fn sum(bytes: &[u8]) -> u16 {
    bytes.chunks(2).fold(0, |sum, word| {
        let word = u16::from_be_bytes([word[0], word.get(1).copied().unwrap_or(0)]);
        fold(u32::from(sum) + u32::from(word))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_updated_checksum_is_the_one_computed_anew(
            mut bytes in proptest::collection::vec(any::<u8>(), 20),
            word in 0usize..10,
            new in any::<[u8; 2]>(),
        ) {
            let field = (!sum(&bytes)).to_be_bytes();
            let old = [bytes[word * 2], bytes[word * 2 + 1]];
            bytes[word * 2..word * 2 + 2].copy_from_slice(&new);
            // 0 and 0xffff are the same number in one's complement.
            let whole = sum(&[&bytes[..], &update(field, old, new)[..]].concat());
            prop_assert!(whole == 0xffff || whole == 0);
        }
    }
}
