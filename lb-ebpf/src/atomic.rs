//! Words that userspace and other CPUs change under our eyes.

use core::intrinsics::{AtomicOrdering, atomic_cxchg, atomic_xadd};

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

/// Adds to a word in one instruction. What it held before is not to be had this way: where the result
/// of a relaxed add is used, LLVM 22 hands back the operand.
///
/// # Safety
/// `word` points into a live map value and is aligned to 8.
#[inline(always)]
pub unsafe fn add(word: *mut u64, change: i64) {
    // SAFETY: as the caller promises.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(word, change.cast_unsigned()) };
}
