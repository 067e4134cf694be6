//! BPF arrays mapped into memory, read and written as 64-bit words.
//!
//! The kernel's programs read the same memory at any time. Every access here is an atomic one of
//! an aligned word, so that none is torn and none is left out.

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsRawFd as _, BorrowedFd},
    ptr, slice,
    sync::atomic::AtomicU64,
};

use lb_common::wire::Wire;
use memmap2::{MmapOptions, MmapRaw};

/// Words in a cache line, the size of a value in every array but `GUARD`.
pub(super) const LINE_WORDS: usize = 8;

/// A cache line as words.
pub(super) type Line = [u64; LINE_WORDS];

/// An array map, mapped.
#[derive(Debug)]
pub(super) struct Words {
    map: MmapRaw,
}

impl Words {
    /// Maps an array of that many bytes, a multiple of 8. Its map has `BPF_F_MMAPABLE`.
    pub(super) fn map(fd: BorrowedFd<'_>, bytes: usize) -> io::Result<Self> {
        Ok(Self { map: MmapOptions::new().len(bytes).map_raw(fd.as_raw_fd())? })
    }

    /// Memory of nobody else's, zeroed.
    #[cfg(test)]
    pub(super) fn anonymous(bytes: usize) -> Self {
        Self { map: MmapOptions::new().len(bytes).map_anon().unwrap().into() }
    }

    /// All words.
    #[expect(clippy::cast_ptr_alignment, reason = "a mapping begins on a page")]
    pub(super) fn all(&self) -> &[AtomicU64] {
        let words = self.map.as_mut_ptr().cast::<AtomicU64>();
        // SAFETY: the mapping begins on a page, is that long, is writable, lives as long as
        // `self`, and is accessed by atomics alone.
        unsafe { slice::from_raw_parts(words, self.map.len() / size_of::<u64>()) }
    }

    /// The words of one line.
    pub(super) fn line(&self, index: usize) -> &[AtomicU64] {
        &self.all()[index * LINE_WORDS..][..LINE_WORDS]
    }

    /// A value as packets see it. It must not be written while the reference lives.
    #[cfg(test)]
    pub(super) fn value<T: Wire>(&self, index: usize) -> Option<&T> {
        let words = self.all().chunks_exact(size_of::<T>() / size_of::<u64>()).nth(index)?;
        let value = words.as_ptr().cast::<T>();
        assert!(value.is_aligned());
        // SAFETY: the words are as long as `T`, aligned for it, and any bytes are a `Wire`.
        Some(unsafe { &*value })
    }

    /// How many lines there are.
    pub(super) fn lines(&self) -> usize {
        self.all().len() / LINE_WORDS
    }
}

/// A value of a cache line's size as words.
pub(super) fn to_line<T: Wire>(value: &T) -> Line {
    const { assert!(size_of::<T>() == size_of::<Line>()) };
    // SAFETY: `Wire` types are plain bytes without padding, and the sizes are equal.
    unsafe { ptr::from_ref(value).cast::<Line>().read_unaligned() }
}

/// A value of a cache line's size from its words.
pub(super) fn from_line<T: Wire>(line: Line) -> T {
    const { assert!(size_of::<T>() == size_of::<Line>()) };
    let mut value = MaybeUninit::<T>::uninit();
    let bytes = value.as_mut_ptr().cast::<Line>();
    // SAFETY: the sizes are equal.
    unsafe { bytes.write_unaligned(line) };
    // SAFETY: every bit pattern is a value of a `Wire` type, and all bits were written.
    unsafe { value.assume_init() }
}
