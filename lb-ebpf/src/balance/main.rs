//! The XDP program that balances: the glue between the kernel and [`lb_common::pipeline`].
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]
#![allow(
    clippy::inline_always,
    reason = "the kernel gets one program: a call that is left costs a stack frame, and the verifier less knowledge"
)]

mod maps;
mod steps;
mod tables;

use aya_ebpf::{bindings::xdp_action::XDP_DROP, macros::xdp, programs::XdpContext};
use lb_common::{
    packet::Frame as _,
    pipeline::{self, Ending},
    verdict::{Action, Verdict},
};
use lb_ebpf::{frame::XdpFrame, xdp_action};

use crate::tables::Tables;

/// Balances one packet: a packet for a service leaves for a backend, a ping of a VIP is answered,
/// everything else passes to the kernel.
#[xdp]
#[expect(clippy::needless_pass_by_value, reason = "what the macro hands over")]
fn balance(context: XdpContext) -> u32 {
    let mut frame = XdpFrame::new(&context);
    let bytes = frame.length() as u64;
    let tables = Tables::new(&context);
    let verdict = redirect(pipeline::balance(&mut frame, &tables));
    tables::count_verdict(verdict, bytes);
    xdp_action(verdict.action())
}

/// Tells the kernel where a redirected packet goes; an interface it cannot go to is no next hop.
#[inline(always)]
fn redirect(ending: Ending) -> Verdict {
    let redirects = ending.verdict.action() == Action::Redirect;
    if redirects && maps::EGRESS.redirect(ending.egress, u64::from(XDP_DROP)).is_err() {
        return Verdict::NextHopUnresolved;
    }
    ending.verdict
}

/// The kernel lends its helpers to programs under the GPL only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 4] = *b"GPL\0";
