//! Words that userspace and other CPUs change under our eyes.

use core::intrinsics::{AtomicOrdering, atomic_cxchg};

/// Loads a word in one instruction. LLVM cannot select a relaxed atomic load for BPF; an aligned
/// volatile one is a single instruction as well.
///
/// # Safety
/// `word` points into a live map value and is aligned to 8.
#[inline(always)]
pub unsafe fn load(word: *const u64) -> u64 {
    // SAFETY: as the caller promises.
    unsafe { word.read_volatile() }
}

/// Stores `new` if `word` still holds `old`, in one instruction; tells whether it did.
///
/// # Safety
/// `word` points into a live map value and is aligned to 8.
#[inline(always)]
pub unsafe fn exchange(word: *mut u64, old: u64, new: u64) -> bool {
    // SAFETY: as the caller promises.
    let (_, stored) = unsafe {
        atomic_cxchg::<u64, { AtomicOrdering::AcqRel }, { AtomicOrdering::Acquire }>(word, old, new)
    };
    stored
}
