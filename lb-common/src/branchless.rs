//! Choices by arithmetic.
//!
//! A loop that branches multiplies the paths which the verifier walks, as every outcome of one round
//! meets every outcome of the next; and where flows are many, the processor guesses wrong. A choice
//! by mask is one path.

/// All ones for a negative number, else 0. The instruction is spelled out, as the compiler would
/// turn a mask whose origin it knows back into a branch.
#[inline(always)]
fn sign(value: i64) -> u64 {
    #[cfg(target_arch = "bpf")]
    {
        let mut value = value;
        // SAFETY: arithmetic on one register.
        unsafe {
            core::arch::asm!("{0} s>>= 63", inout(reg) value, options(pure, nomem, nostack));
        }
        value.cast_unsigned()
    }
    #[cfg(not(target_arch = "bpf"))]
    (value >> 63).cast_unsigned()
}

/// All ones when `left < right`, else 0. Both are below 2⁶³.
#[inline(always)]
pub fn less(left: u64, right: u64) -> u64 {
    sign(left.wrapping_sub(right).cast_signed())
}

/// `yes` under a mask of ones, `no` under 0.
#[inline(always)]
pub const fn select(mask: u64, yes: u64, no: u64) -> u64 {
    no ^ ((no ^ yes) & mask)
}
