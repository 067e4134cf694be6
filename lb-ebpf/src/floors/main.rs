//! What the balancer's cost is held against: XDP programs that do a known part of its work, or all
//! of it in another way. They run through the same generator as the balancer does.
#![no_std]
#![no_main]
#![allow(
    clippy::inline_always,
    reason = "the kernel gets one program: a call that is left costs a stack frame, and the verifier less knowledge"
)]
#![allow(clippy::needless_pass_by_value, reason = "what the macro hands over")]

mod encapsulation;
mod line;
mod peer;

use aya_ebpf::{
    bindings::xdp_action::{XDP_ABORTED, XDP_TX},
    macros::xdp,
    programs::XdpContext,
};
use lb_ebpf::frame::XdpFrame;

/// Nothing: what is left is the cost of the run itself.
#[xdp]
fn transmit(_: XdpContext) -> u32 {
    XDP_TX
}

/// The least that a tunnel costs: room in front, and both headers in it.
#[xdp]
fn encapsulate(context: XdpContext) -> u32 {
    verdict(encapsulation::encapsulate(&mut XdpFrame::new(&context)))
}

/// The least that a table of flows costs: one cache line of memory.
#[xdp]
fn read_line(_: XdpContext) -> u32 {
    verdict(line::read())
}

/// A balancer as others build it, with the kernel's hash maps.
#[xdp]
fn peer(context: XdpContext) -> u32 {
    verdict(peer::balance(&mut XdpFrame::new(&context)))
}

/// Aborted packets tell that a program did not do its work.
#[inline(always)]
const fn verdict(done: Option<()>) -> u32 {
    if done.is_some() { XDP_TX } else { XDP_ABORTED }
}

/// The kernel lends its helpers to programs under the GPL only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 4] = *b"GPL\0";
