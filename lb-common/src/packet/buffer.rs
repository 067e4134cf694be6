//! A frame in ordinary memory, for the host: tests, fuzzers, and questions such as "where would this
//! packet go".

use super::Frame;
use crate::wire::Wire;

/// Room in front of a frame that XDP drivers leave: `XDP_PACKET_HEADROOM`.
pub const HEADROOM: usize = 256;

/// A frame inside a larger buffer, with room to grow at its front.
#[derive(Debug)]
pub struct Buffer<'a> {
    bytes: &'a mut [u8],
    start: usize,
}

impl<'a> Buffer<'a> {
    /// The frame is what follows the first `headroom` bytes; all of them when there are fewer.
    pub fn new(bytes: &'a mut [u8], headroom: usize) -> Self {
        let start = headroom.min(bytes.len());
        Self { bytes, start }
    }

    /// The bytes of the frame.
    pub fn frame(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    fn range(&self, offset: usize, length: usize) -> Option<core::ops::Range<usize>> {
        let from = self.start.checked_add(offset)?;
        let to = from.checked_add(length)?;
        if to <= self.bytes.len() { Some(from..to) } else { None }
    }
}

impl Frame for Buffer<'_> {
    fn length(&self) -> usize {
        self.bytes.len() - self.start
    }

    fn read<T: Wire>(&self, offset: usize) -> Option<T> {
        let bytes = &self.bytes[self.range(offset, size_of::<T>())?];
        // SAFETY: the slice is as long as `T`, and any bytes are a `Wire`.
        Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
    }

    fn write<T: Wire>(&mut self, offset: usize, value: T) -> Option<()> {
        let range = self.range(offset, size_of::<T>())?;
        let bytes = &mut self.bytes[range];
        // SAFETY: the slice is as long as `T`.
        unsafe { bytes.as_mut_ptr().cast::<T>().write_unaligned(value) };
        Some(())
    }

    fn grow_front(&mut self, bytes: usize) -> Option<()> {
        self.start = self.start.checked_sub(bytes)?;
        Some(())
    }

    fn truncate(&mut self, length: usize) -> Option<()> {
        if length > self.length() {
            return None;
        }
        let bytes = core::mem::take(&mut self.bytes);
        self.bytes = &mut bytes[..self.start + length];
        Some(())
    }

    fn shrink_front(&mut self, bytes: usize) -> Option<()> {
        if bytes > self.length() {
            return None;
        }
        self.start += bytes;
        Some(())
    }
}
