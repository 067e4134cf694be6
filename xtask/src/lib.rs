//! The part of `cargo xtask` that build scripts use: building the BPF objects.

pub mod bpf;
