//! One random cache line of a large array, after the other.

use aya_ebpf::{Global, bindings::BPF_F_MMAPABLE, btf_maps::Array, macros::btf_map};
use lb_common::flow::{bucket::LANES, hash::HashKey};

/// Lines less one; the number is a power of two.
#[unsafe(no_mangle)]
static LINE_MASK: Global<u64> = Global::new(0);

/// Laid out like the flow table: it begins on a page.
#[btf_map]
static LINES: Array<[u64; LANES], 1, { BPF_F_MMAPABLE as usize }> = Array::new();

/// Where the next line lies: one value.
#[btf_map]
static NEXT: Array<u64, 1> = Array::new();

/// Each index depends on what was read last: reads that do not wait for each other would overlap in
/// the processor, and cost a third.
#[inline(always)]
pub(crate) fn read() -> Option<()> {
    // SAFETY: a live value that nobody else writes.
    let next = unsafe { &mut *NEXT.get_ptr_mut(0)? };
    let index = (*next >> 32) & LINE_MASK.load();
    let [first, ..] = LINES.get(index as u32)?;
    *next = next.wrapping_add(*first).wrapping_mul(HashKey::MULTIPLIER).wrapping_add(1);
    Some(())
}
