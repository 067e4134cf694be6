//! The XDP program that balances: the glue between the kernel and [`lb_common::pipeline`].
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]
#![allow(
    clippy::inline_always,
    reason = "the kernel gets one program: a call that is left costs a stack frame, and the verifier less knowledge"
)]

mod maps;
mod run;
mod steps;
mod tables;

use aya_ebpf::{macros::xdp, programs::XdpContext};
use lb_ebpf::{frame::XdpFrame, xdp_action};

/// Balances one packet: a packet for a service leaves for a backend, a ping of a VIP is answered,
/// everything else passes to the kernel.
#[xdp]
#[expect(clippy::needless_pass_by_value, reason = "what the macro hands over")]
fn balance(context: XdpContext) -> u32 {
    let mut frame = XdpFrame::new(&context);
    xdp_action(run::run(&context, &mut frame).action())
}

/// The kernel lends its helpers to programs under the GPL only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 4] = *b"GPL\0";
