//! Where a service's Maglev table lies, and which slot of it a hash picks.
//!
//! All tables share one arena, `MAGLEV`: an array of [`Chunk`]s. Userspace builds a new table
//! beside the old one and then changes the service's [`Region`] in one store. The tables follow
//! Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer" (NSDI 2016), with
//! a power of two for the size, so that the index is a mask.

use crate::{backend::BackendId, wire::plain_old_data};

/// Slots in one element of the arena: a cache line.
pub const CHUNK_SLOTS: usize = 32;

/// Smallest table: one chunk.
pub const MIN_SIZE_LOG2: u8 = CHUNK_SLOTS.ilog2() as u8;
/// Largest table.
pub const MAX_SIZE_LOG2: u8 = 20;
/// Size of a table unless its service says otherwise: 65,536 slots.
pub const DEFAULT_SIZE_LOG2: u8 = 16;

/// One element of the arena.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C, align(64))]
pub struct Chunk {
    /// The backend of each slot.
    pub slots: [BackendId; CHUNK_SLOTS],
}

plain_old_data! { Chunk = 64 }

/// A table's place in the arena, packed so that one store replaces it.
///
/// Bits 0..32 the first chunk, 32..40 the logarithm of the slots, 40..64 a generation that is never 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord, Hash)]
pub struct Region(u64);

impl Region {
    /// `generation` is cut to 24 bits; 0 becomes 1.
    pub const fn new(first_chunk: u32, size_log2: u8, generation: u32) -> Self {
        let generation = generation & 0xff_ffff;
        let generation = if generation == 0 { 1 } else { generation };
        Self(first_chunk as u64 | (size_log2 as u64) << 32 | (generation as u64) << 40)
    }

    /// The region of a word in the map; `None` for the word 0, which says that no backend serves.
    #[inline(always)]
    pub const fn from_word(word: u64) -> Option<Self> {
        if word == 0 { None } else { Some(Self(word)) }
    }

    /// The word to store in the map.
    pub const fn word(self) -> u64 {
        self.0
    }

    /// Index of the first chunk in the arena.
    #[inline(always)]
    pub const fn first_chunk(self) -> u32 {
        self.0 as u32
    }

    /// Logarithm of the number of slots.
    #[inline(always)]
    pub const fn size_log2(self) -> u8 {
        (self.0 >> 32) as u8
    }

    /// Number of slots.
    pub const fn slots(self) -> usize {
        1 << self.size_log2()
    }

    /// Which table of the service this is; it changes with every new table.
    pub const fn generation(self) -> u32 {
        (self.0 >> 40) as u32
    }

    /// The chunk in the arena, and the slot in that chunk, that a flow's hash picks.
    #[inline(always)]
    pub const fn pick(self, hash: u64) -> (u32, usize) {
        let slot = (hash >> 32) as u32 & (1u32 << (self.size_log2() & 31)).wrapping_sub(1);
        (self.first_chunk().wrapping_add(slot / CHUNK_SLOTS as u32), slot as usize % CHUNK_SLOTS)
    }
}
