//! The XDP program of a backend: strips the tunnel of listed balancers, so that the kernel sees the
//! client's own packet. The glue between the kernel and [`lb_common::decap`].
#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::{HashMap, PerCpuArray},
    macros::{btf_map, xdp},
    programs::XdpContext,
};
use lb_common::{
    address::Address,
    decap::{self, MAX_SOURCES, Outcome},
};
use lb_ebpf::{frame::XdpFrame, xdp_action};

/// The balancers whose tunnels are accepted: addresses of outer headers.
#[btf_map]
static SOURCES: HashMap<Address, u8, { MAX_SOURCES }> = HashMap::new();

/// Packets by [`Outcome`].
#[btf_map]
static DECAP_COUNTERS: PerCpuArray<u64, { Outcome::ALL.len() }> = PerCpuArray::new();

/// Unwraps one packet; what is no tunnel passes untouched.
#[xdp]
#[expect(clippy::needless_pass_by_value, reason = "what the macro hands over")]
fn decap(context: XdpContext) -> u32 {
    let mut frame = XdpFrame::new(&context);
    // SAFETY: only whether the key is there matters, not the value, which nobody changes.
    let outcome = decap::unwrap(&mut frame, |source| unsafe { SOURCES.get(source) }.is_some());
    if let Some(count) = DECAP_COUNTERS.get_ptr_mut(outcome as u32) {
        // SAFETY: this CPU's own value, and XDP programs on one CPU do not interrupt each other.
        unsafe { *count += 1 };
    }
    xdp_action(outcome.action())
}

/// The kernel lends its helpers to programs under the GPL only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 4] = *b"GPL\0";
