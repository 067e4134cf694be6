//! Types that are nothing but their bytes.

/// A type that may be read from, and written as, any bytes of its size.
///
/// # Safety
/// Every bit pattern is a value of the type, and the type has no padding.
pub unsafe trait Wire: Copy + 'static {}

/// Asserts at compile time that each type has the size the ABI promises, and marks it [`Wire`].
macro_rules! plain_old_data {
    ($($type:ty = $size:literal),+ $(,)?) => {
        $(
            const _: () = assert!(size_of::<$type>() == $size);
            // SAFETY: integers and arrays of them only, and the size above leaves no padding.
            unsafe impl $crate::wire::Wire for $type {}
        )+
    };
}
pub(crate) use plain_old_data;

// SAFETY: an integer.
unsafe impl Wire for u8 {}
// SAFETY: an integer.
unsafe impl Wire for u16 {}
// SAFETY: an integer.
unsafe impl Wire for u32 {}
// SAFETY: an integer.
unsafe impl Wire for u64 {}
// SAFETY: an array of what has no padding has none.
unsafe impl<T: Wire, const N: usize> Wire for [T; N] {}
