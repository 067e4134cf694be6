//! What becomes of a packet, byte for byte: packets in, verdicts and packets out.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, with the line")]

mod broken;
mod echo;
mod ends;
mod flows;
mod forwarding;
mod full;
mod headroom;
mod leaving;
mod mutated;
mod options;
mod passing;
mod redirect;
mod schedulers;
mod tags;
mod tunnels;
mod verdicts;
mod world;
