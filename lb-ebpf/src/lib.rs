//! What the XDP programs of `lb` share: how they touch a packet, and a word that others change.
#![no_std]
#![feature(asm_experimental_arch, core_intrinsics)]
#![expect(internal_features, reason = "core has no compare-exchange for BPF but the intrinsic")]
#![allow(
    clippy::inline_always,
    reason = "the kernel gets one program: a call that is left costs a stack frame, and the verifier less knowledge"
)]

pub mod atomic;
pub mod frame;
pub mod read_only;
pub mod verifier;

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX};
use lb_common::verdict::Action;

/// The kernel's number for an action.
#[inline(always)]
pub const fn xdp_action(action: Action) -> u32 {
    match action {
        Action::Pass => XDP_PASS,
        Action::Drop => XDP_DROP,
        Action::Transmit => XDP_TX,
        Action::Redirect => XDP_REDIRECT,
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // A BPF program cannot unwind: nothing in it can panic, and the verifier would refuse this loop.
    loop {}
}
