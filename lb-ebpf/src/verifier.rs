//! What the verifier must see, whatever the compiler knows.

/// Keeps the bits of `MASK` by an instruction of its own, just before the value is an index. The
/// compiler drops a mask that it can prove idle; the verifier of Linux 6.1 cannot, once the value has
/// been on the stack.
#[inline(always)]
pub fn bounded<const MASK: usize>(index: usize) -> usize {
    let mut bounded = index;
    // SAFETY: arithmetic on one register.
    unsafe {
        core::arch::asm!(
            "{0} &= {1}",
            inout(reg) bounded,
            const MASK,
            options(pure, nomem, nostack)
        );
    }
    bounded
}
