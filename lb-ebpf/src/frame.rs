//! [`Frame`] over the driver's buffer: the only pointer arithmetic on packets.

use core::mem::MaybeUninit;

use aya_ebpf::{
    bindings::xdp_md,
    helpers::{bpf_xdp_adjust_head, bpf_xdp_adjust_tail},
    programs::XdpContext,
};
use lb_common::{packet::Frame, wire::Wire};

/// A frame as the driver handed it over. Its ends are read anew for each access: a helper that moves
/// them makes older pointers void, and the verifier knows.
pub struct XdpFrame {
    context: *mut xdp_md,
}

/// Room for a header, aligned for the widest load.
#[repr(C, align(8))]
struct Aligned<T>(MaybeUninit<T>);

impl XdpFrame {
    /// The frame of this run of the program.
    #[inline(always)]
    pub fn new(context: &XdpContext) -> Self {
        Self::of(context.ctx)
    }

    /// The frame of a context that the kernel gave.
    #[inline(always)]
    pub fn of(context: *mut xdp_md) -> Self {
        Self { context }
    }

    #[inline(always)]
    fn start(&self) -> usize {
        // SAFETY: the kernel gives the program a live context.
        unsafe { (*self.context).data as usize }
    }

    #[inline(always)]
    fn end(&self) -> usize {
        // SAFETY: the kernel gives the program a live context.
        unsafe { (*self.context).data_end as usize }
    }

    /// The address of `length` bytes at `offset`, in the form in which the verifier accepts a bounds
    /// check: one comparison of the pointer with the frame's end.
    #[inline(always)]
    fn at(&self, offset: usize, length: usize) -> Option<usize> {
        let address = self.start() + offset;
        if address + length > self.end() { None } else { Some(address) }
    }

    #[inline(always)]
    fn adjust(&mut self, delta: i32) -> Option<()> {
        // SAFETY: the helper checks the new start against the buffer.
        let result = unsafe { bpf_xdp_adjust_head(self.context, delta) };
        if result == 0 { Some(()) } else { None }
    }
}

/// Copies in the widest steps, wherever the bytes lie: BPF has no alignment for packets, and x86-64
/// and arm64 do not mind. Bytes at a time would be several instructions for each address.
#[inline(always)]
unsafe fn copy(from: usize, to: usize, length: usize) {
    let mut done = 0;
    macro_rules! step {
        ($word:ty) => {
            while length - done >= size_of::<$word>() {
                // SAFETY: as the caller promises, and `done` stays below `length`.
                let word = unsafe { ((from + done) as *const $word).read() };
                // SAFETY: as above.
                unsafe { ((to + done) as *mut $word).write(word) };
                done += size_of::<$word>();
            }
        };
    }
    step!(u64);
    step!(u32);
    step!(u16);
    step!(u8);
}

impl Frame for XdpFrame {
    #[inline(always)]
    fn length(&self) -> usize {
        self.end() - self.start()
    }

    #[inline(always)]
    fn read<T: Wire>(&self, offset: usize) -> Option<T> {
        let address = self.at(offset, size_of::<T>())?;
        let mut value = Aligned(MaybeUninit::<T>::uninit());
        let to = (&raw mut value) as usize;
        // SAFETY: the frame has the bytes, and `value` has room for them.
        unsafe { copy(address, to, size_of::<T>()) };
        // SAFETY: every byte was written, and any bytes are a `Wire`.
        Some(unsafe { value.0.assume_init() })
    }

    #[inline(always)]
    fn write<T: Wire>(&mut self, offset: usize, value: T) -> Option<()> {
        let address = self.at(offset, size_of::<T>())?;
        let value = Aligned(MaybeUninit::new(value));
        // SAFETY: the frame has room for the bytes, and `value` has them.
        unsafe { copy((&raw const value) as usize, address, size_of::<T>()) };
        Some(())
    }

    #[inline(always)]
    fn grow_front(&mut self, bytes: usize) -> Option<()> {
        self.adjust((bytes as u32).cast_signed().wrapping_neg())
    }

    #[inline(always)]
    fn truncate(&mut self, length: usize) -> Option<()> {
        let delta = (length as u32).wrapping_sub(self.length() as u32).cast_signed();
        // SAFETY: the helper checks the new end against the buffer.
        let result = unsafe { bpf_xdp_adjust_tail(self.context, delta) };
        if delta <= 0 && result == 0 { Some(()) } else { None }
    }

    #[inline(always)]
    fn shrink_front(&mut self, bytes: usize) -> Option<()> {
        self.adjust((bytes as u32).cast_signed())
    }
}
