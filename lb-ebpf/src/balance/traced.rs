//! The XDP program that balances and tells what became of each packet for a VIP: for people who look
//! for the cause of something. It is an object of its own, as a switch in the other one would cost
//! every packet a look at it.
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

use aya_ebpf::{
    bindings::xdp_md,
    btf_maps::PerCpuArray,
    macros::{btf_map, xdp},
    programs::XdpContext,
};
use aya_log_ebpf::info;
use lb_common::{address::Address, packet::Packet, verdict::Verdict};
use lb_ebpf::{frame::XdpFrame, xdp_action};

/// Client and VIP of the packet that a CPU is at: they would not fit on the stack beside the pipeline.
#[btf_map]
static ENDS: PerCpuArray<[Address; 2], 1> = PerCpuArray::new();

/// Balances one packet as `balance` does, and logs how it ended: who sent it, for which VIP, and which
/// backend got it, `::` for none.
#[xdp]
#[expect(clippy::needless_pass_by_value, reason = "what the macro hands over")]
fn traced(context: XdpContext) -> u32 {
    remember(context.ctx);
    let verdict = run::run(&context, &mut XdpFrame::new(&context));
    tell(context.ctx, verdict as u32);
    xdp_action(verdict.action())
}

/// Notes the ends of a packet before it is changed. A function that the verifier checks by itself, as is
/// [`tell`]: see [`steps`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn remember(context: *mut xdp_md) -> u64 {
    if let Some(noted) = ENDS.get_ptr_mut(0) {
        // SAFETY: this CPU's own value, and XDP programs on one CPU do not interrupt each other.
        unsafe { *noted = ends(&XdpFrame::of(context)) };
    }
    0
}

/// Logs how a packet ended.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn tell(context: *mut xdp_md, verdict: u32) -> u64 {
    let Some(verdict) = Verdict::ALL.get(verdict as usize).copied() else { return 0 };
    let Some(noted) = ENDS.get_ptr(0) else { return 0 };
    let is_sent = matches!(verdict, Verdict::Transmitted | Verdict::Redirected);
    let backend = if is_sent { ends(&XdpFrame::of(context))[1] } else { Address::default() };
    if verdict != Verdict::NotOurs {
        // SAFETY: this CPU's own value.
        let [client, vip] = unsafe { *noted };
        // One call, of fields that each have one length: the verifier walks every combination.
        info!(
            &XdpContext::new(context),
            target: "trace",
            "{} {:i} -> {:i} by {:i}",
            verdict.name(),
            client.octets(),
            vip.octets(),
            backend.octets()
        );
    }
    0
}

/// Source and destination of the frame's first IP header.
#[inline(always)]
fn ends(frame: &XdpFrame) -> [Address; 2] {
    Packet::parse(frame).map(|packet| [packet.source, packet.destination]).unwrap_or_default()
}

/// The kernel lends its helpers to programs under the GPL only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 4] = *b"GPL\0";
