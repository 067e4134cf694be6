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
mod tables;

use aya_ebpf::{macros::xdp, programs::XdpContext};
use aya_log_ebpf::info;
use lb_common::{address::Address, packet::Packet, verdict::Verdict};
use lb_ebpf::{frame::XdpFrame, xdp_action};

/// Balances one packet as `balance` does, and logs how it ended: who sent it, for which VIP, and which
/// backend got it, `::` for none.
#[xdp]
#[expect(clippy::needless_pass_by_value, reason = "what the macro hands over")]
fn traced(context: XdpContext) -> u32 {
    let mut frame = XdpFrame::new(&context);
    let [client, vip] = ends(&frame);
    let verdict = run::run(&context, &mut frame);
    let is_sent = matches!(verdict, Verdict::Transmitted | Verdict::Redirected);
    let backend = if is_sent { ends(&frame)[1] } else { Address::default() };
    if verdict != Verdict::NotOurs {
        // One call, of fields that each have one length: the verifier walks every combination.
        info!(
            &context,
            target: "trace",
            "{} {:i} -> {:i} by {:i}",
            verdict.name(),
            client.octets(),
            vip.octets(),
            backend.octets()
        );
    }
    xdp_action(verdict.action())
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
