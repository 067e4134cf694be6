//! What the data path and the control plane of `lb` share.
//!
//! Two things live here: the **ABI** of the BPF maps ([`service`], [`backend`], [`counters`],
//! [`settings`]), and every **pure decision** made for a packet, from its bytes ([`packet`]) to the
//! [`verdict`] ([`pipeline`]). The functions that run in the kernel are the very functions that the
//! host's tests and fuzzers run: nothing here knows a kernel. [`generate`] stands apart: the packets
//! that tests and benchmarks send through the data path.
#![no_std]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]
#![allow(
    clippy::inline_always,
    reason = "the kernel gets one program: a call that is left costs a stack frame, and the verifier less knowledge"
)]
#![forbid(unsafe_op_in_unsafe_fn)]

pub mod address;
pub mod backend;
pub mod branchless;
pub mod counters;
pub mod decap;
pub mod flow;
pub mod forward;
pub mod generate;
pub mod maglev;
pub mod packet;
pub mod pipeline;
pub mod rotation;
pub mod schedule;
pub mod service;
pub mod settings;
pub mod track;
pub mod verdict;
pub mod wire;

/// Names the pin directory (`/sys/fs/bpf/lb/v2`), so that a program never meets maps of another
/// shape. Raise it with every change of a map's key, value or meaning.
pub const ABI_VERSION: u32 = 2;
