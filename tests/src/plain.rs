//! The types of `lb-common` in maps.

use aya::Pod;
use lb_common::wire::Wire;

/// Lets aya read and write the ABI's types.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Plain<T>(pub(crate) T);

// SAFETY: a `Wire` type is plain bytes without padding, and this has its representation.
unsafe impl<T: Wire> Pod for Plain<T> {}
