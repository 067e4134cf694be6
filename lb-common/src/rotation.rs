//! Where a service's rotation lies: the order in which its backends get new flows.
//!
//! It lies in the arena of the Maglev tables. Userspace interleaves the turns by weight, so that the
//! data path only steps through them; where it looks for the backend with the fewest flows, the
//! rotation has each backend once.

use crate::maglev::CHUNK_SLOTS;

/// The longest rotation.
pub const MAX_TURNS: usize = 1 << 16;

/// A rotation's place in the arena, packed so that one store replaces it.
///
/// Bits 0..32 the first chunk, 32..56 the number of turns, 56..64 a generation that is never 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord, Hash)]
pub struct Rotation(u64);

impl Rotation {
    /// `turns` is 1 to [`MAX_TURNS`]; `generation` is cut to 8 bits; 0 becomes 1.
    pub const fn new(first_chunk: u32, turns: usize, generation: u32) -> Self {
        let generation = generation as u8;
        let generation = if generation == 0 { 1 } else { generation };
        Self(first_chunk as u64 | (turns as u64 & 0xff_ffff) << 32 | (generation as u64) << 56)
    }

    /// The rotation of a word in the map; `None` for the word 0, which says that there is none.
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

    /// How many turns there are.
    #[inline(always)]
    pub const fn turns(self) -> u32 {
        (self.0 >> 32) as u32 & 0xff_ffff
    }

    /// Which rotation of the service this is; it changes with every new one.
    pub const fn generation(self) -> u32 {
        (self.0 >> 56) as u32
    }

    /// The turn that a count comes to.
    #[inline(always)]
    pub const fn turn(self, count: u32) -> Option<u32> {
        count.checked_rem(self.turns())
    }

    /// The chunk in the arena, and the slot in that chunk, of a turn.
    #[inline(always)]
    pub const fn place(self, turn: u32) -> (u32, usize) {
        let chunk = self.first_chunk().wrapping_add(turn / CHUNK_SLOTS as u32);
        (chunk, turn as usize % CHUNK_SLOTS)
    }
}
