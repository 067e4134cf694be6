//! The Internet checksum (RFC 1071) and its incremental update (RFC 1624).

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
