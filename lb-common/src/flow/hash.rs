//! The keyed hash of a flow and of an address.
//!
//! NH of UMAC (RFC 4418, section 5.2) over 32-bit words with 64-bit keys: pairs of words are added
//! to pairs of keys, multiplied and summed. Two different inputs collide with a chance of about
//! 2⁻³² at worst and 2⁻⁶⁴ as a rule, whoever chose them, as long as the key is secret. A final mix
//! spreads the sum over all bits.

use crate::{address::Address, wire::plain_old_data};

/// The secret of a deployment, expanded by userspace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct HashKey {
    words: [u64; 12],
}

plain_old_data! { HashKey = 96 }

/// A client's five-tuple as its packets carry it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct FlowKey {
    /// The client.
    pub source: Address,
    /// The VIP.
    pub destination: Address,
    /// Source and destination port as the four bytes lie in the header.
    pub ports: u32,
    /// IANA protocol number.
    pub protocol: u32,
}

plain_old_data! { FlowKey = 40 }

impl HashKey {
    /// 2⁶⁴ divided by the golden ratio, made odd.
    pub const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

    /// A key of secret, uniformly random words.
    pub const fn new(words: [u64; 12]) -> Self {
        Self { words }
    }

    #[inline(always)]
    fn pair(&self, at: usize, first: u32, second: u32) -> u64 {
        let left = self.words[at].wrapping_add(u64::from(first));
        let right = self.words[at + 1].wrapping_add(u64::from(second));
        left.wrapping_mul(right)
    }

    /// The hash of a flow: its low bits pick the bucket, its high bits are the tag and the slot.
    #[inline(always)]
    pub fn flow(&self, flow: &FlowKey) -> u64 {
        let [s0, s1, s2, s3] = flow.source.words();
        let [d0, d1, d2, d3] = flow.destination.words();
        let mut sum = self.pair(0, s3, d3).wrapping_add(self.pair(2, flow.ports, flow.protocol));
        if !flow.destination.is_v4() {
            sum = sum
                .wrapping_add(self.pair(4, s0, d0))
                .wrapping_add(self.pair(6, s1, d1))
                .wrapping_add(self.pair(8, s2, d2));
        }
        mix(sum)
    }

    /// The hash of an address alone.
    #[inline(always)]
    pub fn address(&self, address: Address) -> u64 {
        let [a0, a1, a2, a3] = address.words();
        let mut sum = self.pair(10, a3, a2);
        if !address.is_v4() {
            sum = sum.wrapping_add(self.pair(8, a0, a1));
        }
        mix(sum)
    }
}

/// Spreads every bit over all: the sum's high bits come down, a multiplication carries low bits up,
/// and its high bits come down again.
#[inline(always)]
const fn mix(sum: u64) -> u64 {
    let sum = (sum ^ (sum >> 32)).wrapping_mul(HashKey::MULTIPLIER);
    sum ^ (sum >> 32)
}
