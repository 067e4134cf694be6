//! An XDP program that makes test traffic for another: the glue between the kernel and
//! [`lb_common::generate`].
//!
//! `BPF_PROG_TEST_RUN` runs a program many times over one frame and restores nothing, so that a
//! program that changes its frame soon works on its own output. Run through this one, it meets a
//! packet of the next flow each time.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]
#![allow(
    clippy::inline_always,
    reason = "the kernel gets one program: a call that is left costs a stack frame, and the verifier less knowledge"
)]

use aya_ebpf::{
    Global,
    bindings::xdp_action::XDP_ABORTED,
    btf_maps::{Array, ProgramArray},
    helpers::bpf_jiffies64,
    macros::{btf_map, xdp},
    programs::XdpContext,
};
use lb_common::generate::{Progress, Template};
use lb_ebpf::{frame::XdpFrame, read_only};

/// What packets are made of.
#[unsafe(no_mangle)]
static TEMPLATE: Global<Template> = Global::new(Template::EMPTY);

/// How far it has come: one value.
#[btf_map]
static PROGRESS: Array<Progress, 1> = Array::new();

/// The program under test: one entry.
#[btf_map]
static TARGET: ProgramArray<1> = ProgramArray::new();

/// Makes a packet of the next flow and hands it to the program under test, whose verdict becomes
/// this one's; aborted without one.
#[xdp]
#[expect(clippy::needless_pass_by_value, reason = "what the macro hands over")]
fn generate(context: XdpContext) -> u32 {
    if render(&context).is_some() {
        // SAFETY: nothing here is left to be dropped.
        unsafe { TARGET.tail_call(&context, 0) };
    }
    XDP_ABORTED
}

#[inline(always)]
fn render(context: &XdpContext) -> Option<()> {
    let progress = PROGRESS.get_ptr_mut(0)?;
    // SAFETY: a live value that nobody else writes while packets are made, one after the other.
    let progress = unsafe { &mut *progress };
    // SAFETY: a helper without arguments.
    let flow = progress.advance(unsafe { bpf_jiffies64() });
    let template = read_only!(TEMPLATE as Template);
    template.render(&mut XdpFrame::new(context), flow)
}

/// The kernel lends its helpers to programs under the GPL only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 4] = *b"GPL\0";
