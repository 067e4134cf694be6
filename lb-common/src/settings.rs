//! What is fixed for a loaded program: written once by userspace into read-only data.

use crate::{address::Address, flow::hash::HashKey, service::ServiceKey, wire::plain_old_data};

/// Bits of the guard, [`Guard`]: 8 KiB.
pub const GUARD_BITS: u32 = 1 << 16;

/// A filter in front of `SERVICES`: the bit of every VIP is set. What finds its bit clear is not
/// ours and is passed without another look; written by userspace, read by the data path.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct Guard {
    /// Indexed by [`Settings::guard_bit`], 64 bits a word.
    pub words: [u64; GUARD_BITS as usize / 64],
}

/// Read-only data of the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Settings {
    /// The key of every hash. Balancers that serve the same VIPs share it.
    pub hash_key: HashKey,
    /// Buckets of the flow table less one; the number is a power of two.
    pub bucket_mask: u32,
    /// Slots of `SERVICES` less one; the number is a power of two.
    pub service_mask: u32,
    /// An epoch is this many doublings of a jiffy.
    pub epoch_shift: u32,
    /// Buckets of the affinity table less one; the number is a power of two.
    pub affinity_mask: u32,
}

plain_old_data! { Guard = 8192, Settings = 112 }

impl Settings {
    /// The guard's bit for an address.
    #[inline(always)]
    pub fn guard_bit(&self, address_hash: u64) -> u32 {
        (address_hash >> 48) as u32
    }

    /// Where the search for a key begins in `SERVICES`.
    #[inline(always)]
    pub fn service_home(&self, address_hash: u64, key: ServiceKey) -> u32 {
        let mixed =
            (address_hash ^ u64::from(key.selector.word())).wrapping_mul(HashKey::MULTIPLIER);
        (mixed >> 32) as u32 & self.service_mask
    }

    /// The hash of an address alone, for the two above.
    #[inline(always)]
    pub fn address_hash(&self, address: Address) -> u64 {
        self.hash_key.address(address)
    }
}
