//! IP addresses as the data path compares them.

use core::{
    mem::transmute,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::wire::plain_old_data;

/// An IPv4 or IPv6 address in 16 bytes of network order; IPv4 is mapped (`::ffff:a.b.c.d`).
///
/// The words hold the bytes as they lie in memory, so that two of them compare in two instructions
/// and a header's bytes are copied without being swapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct Address {
    words: [u64; 2],
}

plain_old_data! { Address = 16 }

/// `::ffff:0:0` in the second word, as it lies in memory.
const MAPPED: u64 = u64::from_ne_bytes([0, 0, 0xff, 0xff, 0, 0, 0, 0]);

impl Address {
    /// The address of an IPv4 header field.
    #[inline(always)]
    pub const fn v4(octets: [u8; 4]) -> Self {
        let [a, b, c, d] = octets;
        Self { words: [0, MAPPED | u64::from_ne_bytes([0, 0, 0, 0, a, b, c, d])] }
    }

    /// The address of an IPv6 header field.
    #[inline(always)]
    pub const fn v6(octets: [u8; 16]) -> Self {
        // SAFETY: any 16 bytes are two integers.
        Self { words: unsafe { transmute::<[u8; 16], [u64; 2]>(octets) } }
    }

    /// The address as an IPv6 header field, an IPv4 address mapped.
    #[inline(always)]
    pub const fn octets(self) -> [u8; 16] {
        // SAFETY: two integers are 16 bytes.
        unsafe { transmute::<[u64; 2], [u8; 16]>(self.words) }
    }

    /// The last four bytes: an IPv4 header field when [`Self::is_v4`].
    #[inline(always)]
    pub const fn octets_v4(self) -> [u8; 4] {
        let [_, _, _, _, a, b, c, d] = self.words[1].to_ne_bytes();
        [a, b, c, d]
    }

    /// True of an IPv4 address.
    #[inline(always)]
    pub const fn is_v4(self) -> bool {
        self.words[0] == 0
            && (self.words[1] & u64::from_ne_bytes([255, 255, 255, 255, 0, 0, 0, 0])) == MAPPED
    }

    /// The first bits of the address, `bits4` of an IPv4 one and `bits6` of an IPv6 one; the others 0.
    #[inline(always)]
    #[must_use]
    pub const fn prefix(self, bits4: u8, bits6: u8) -> Self {
        let bits = if self.is_v4() { 96 + bits4 as u32 } else { bits6 as u32 };
        let [high, low] = self.words;
        Self { words: [high & first_bits(bits), low & first_bits(bits.saturating_sub(64))] }
    }

    /// The four 32-bit words, each as it lies in memory.
    #[inline(always)]
    pub const fn words(self) -> [u32; 4] {
        // SAFETY: two integers are four of half their size.
        unsafe { transmute::<[u64; 2], [u32; 4]>(self.words) }
    }
}

/// A word in memory order whose first bits, at most all of them, are 1.
#[inline(always)]
const fn first_bits(bits: u32) -> u64 {
    let others = match u64::MAX.checked_shr(bits) {
        Some(others) => others,
        None => 0,
    };
    (!others).to_be()
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::v4(v4.octets()),
            IpAddr::V6(v6) => Self::v6(v6.octets()),
        }
    }
}

impl From<Address> for IpAddr {
    fn from(address: Address) -> Self {
        if address.is_v4() {
            Ipv4Addr::from(address.octets_v4()).into()
        } else {
            Ipv6Addr::from(address.octets()).into()
        }
    }
}
