//! Values that userspace sets before the program is loaded.

/// A reference to the value of a [`Global`](aya_ebpf::Global), as the type it holds. The address is
/// loaded by hand, as the compiler would otherwise take what the object holds for the values that
/// the loader puts there.
#[macro_export]
macro_rules! read_only {
    ($global:path as $type:ty) => {{
        let address: *const $type;
        // SAFETY: loads the address of a static.
        unsafe {
            core::arch::asm!(
                "{0} = {1} ll",
                out(reg) address,
                sym $global,
                options(pure, nomem, nostack)
            );
        }
        let _: &aya_ebpf::Global<$type> = &$global;
        // SAFETY: the static is of this type, as the line above proves, and nobody writes it.
        unsafe { &*address }
    }};
}
