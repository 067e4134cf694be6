//! One packet's run through the pipeline, to its verdict.

use aya_ebpf::{bindings::xdp_action::XDP_DROP, programs::XdpContext};
use lb_common::{
    packet::Frame as _,
    pipeline::{self, Ending},
    verdict::{Action, Verdict},
};
use lb_ebpf::frame::XdpFrame;

use crate::{
    maps,
    tables::{self, Tables},
};

/// Balances one packet, and counts how it ended.
#[inline(always)]
pub(crate) fn run(context: &XdpContext, frame: &mut XdpFrame) -> Verdict {
    let bytes = frame.length() as u64;
    let tables = Tables::new(context);
    let verdict = redirect(pipeline::balance(frame, &tables));
    tables::count_verdict(verdict, bytes);
    verdict
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
