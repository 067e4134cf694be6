//! Millions of packets: what a flood does to flows that were there before, and what it does not.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, with the line")]

mod established;
mod generator;
