//! The parts of the pipeline that the verifier checks one by one.
//!
//! Each is a *global* function: it is checked once, for any arguments, and its callers know nothing
//! of its result but that it is a number. Inlined, every way through one would meet every way through
//! the next and to every kind of outer header, far more than a million steps. All are off the way of an
//! established flow.

use aya_ebpf::bindings::xdp_md;
use lb_common::{
    backend::BackendId,
    flow::{Entry, Epoch, bucket::Admission, entry::Signal, hash::FlowKey},
    packet::{Frame, icmp, reset},
    pipeline::{Arrival, Steps, Table},
    rotation::Rotation,
    schedule,
    service::ServiceSlot,
    track::{self, NewFlow},
    verdict::Verdict,
};
use lb_ebpf::frame::XdpFrame;

use crate::tables::Tables;

const SIGNAL_BITS: u32 = 2;
const SIGNAL: u64 = 3;
const ARRIVAL_SHIFT: u32 = 16;
const REFUSAL_SHIFT: u32 = 32;

/// The backend of a new flow and what the packet is to its counters, or one more than the verdict
/// when there is none, in one word.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn assign(
    service: *const ServiceSlot,
    key: *const FlowKey,
    hash: u64,
    held: u64,
    lane_and_signal: u64,
) -> u64 {
    // SAFETY: the verifier lets pointers to whole values in here, or null.
    let service = unsafe { service.as_ref() };
    // SAFETY: as above.
    let key = unsafe { key.as_ref() };
    let (Some(service), Some(key)) = (service, key) else { return refuse(Verdict::NoBackend) };
    let lane = (lane_and_signal >> SIGNAL_BITS) as usize;
    let signal = match lane_and_signal & SIGNAL {
        0 => Signal::Opens,
        1 => Signal::Continues,
        _ => Signal::Ends,
    };
    let held = Entry::from_word(held).map(|entry| (lane, entry));
    match track::assign(&Tables::without_packet(), service, &NewFlow { key, hash, held, signal }) {
        Ok((id, arrival)) => u64::from(id) | (arrival as u64) << ARRIVAL_SHIFT,
        Err(verdict) => refuse(verdict),
    }
}

const fn refuse(verdict: Verdict) -> u64 {
    (verdict as u64 + 1) << REFUSAL_SHIFT
}

/// The word that a newcomer's lane held, or [`FULL`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn admit(table: u32, entry: u64, hash: u64, now: u32) -> u64 {
    let table = if table == Table::Flows as u32 { Table::Flows } else { Table::Affinity };
    let Some(entry) = Entry::from_word(entry) else { return FULL };
    match track::admit(&Tables::without_packet(), table, entry, hash, Epoch::new(now.into())) {
        Admission::Stored(evicted) => evicted,
        Admission::Full => FULL,
    }
}

/// No lane holds this word: there are not so many backends.
const FULL: u64 = u64::MAX;

/// The least busy backend of a rotation; 0 for none.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn least_flows(rotation: u64, start: u32) -> u64 {
    let rotation = Rotation::from_word(rotation);
    let tables = Tables::without_packet();
    rotation
        .and_then(|rotation| schedule::least_flows(&tables, rotation, start))
        .map_or(0, u64::from)
}

/// Answers an echo request; 0 when it does.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn echo(context: *mut xdp_md) -> u64 {
    icmp::reply(&mut XdpFrame::of(context)).is_err().into()
}

/// Answers a TCP segment by a reset; 0 when it does, else one more than the verdict.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn reset(context: *mut xdp_md) -> u64 {
    match reset::reply(&mut XdpFrame::of(context)) {
        Ok(()) => 0,
        Err(verdict) => verdict as u64 + 1,
    }
}

impl Steps for Tables {
    #[inline(always)]
    fn assign(
        &self,
        service: &ServiceSlot,
        flow: &NewFlow<'_>,
    ) -> Result<(BackendId, Arrival), Verdict> {
        let (lane, held) = flow.held.map_or((0, 0), |(lane, entry)| (lane as u64, entry.word()));
        let lane_and_signal = lane << SIGNAL_BITS | flow.signal as u64;
        let word = assign(service, flow.key, flow.hash, held, lane_and_signal);
        if word >> REFUSAL_SHIFT == Verdict::BackendsFull as u64 + 1 {
            return Err(Verdict::BackendsFull);
        }
        if word >> REFUSAL_SHIFT != 0 {
            return Err(Verdict::NoBackend);
        }
        let arrival = match word >> ARRIVAL_SHIFT & 3 {
            0 => Arrival::Known,
            1 => Arrival::New,
            _ => Arrival::Untracked,
        };
        Ok((word as BackendId, arrival))
    }

    #[inline(always)]
    fn admit(&self, table: Table, entry: Entry, hash: u64, now: Epoch) -> Admission {
        match admit(table as u32, entry.word(), hash, now.number().into()) {
            FULL => Admission::Full,
            evicted => Admission::Stored(evicted),
        }
    }

    #[inline(always)]
    fn least_flows(&self, rotation: Rotation, start: u32) -> Option<BackendId> {
        match least_flows(rotation.word(), start) {
            0 => None,
            id => Some(id as BackendId),
        }
    }

    #[inline(always)]
    fn echo<F: Frame>(&self, _: &mut F) -> Result<(), Verdict> {
        if echo(self.context()) == 0 { Ok(()) } else { Err(Verdict::Malformed) }
    }

    #[inline(always)]
    fn reset<F: Frame>(&self, _: &mut F) -> Result<(), Verdict> {
        match reset(self.context()) {
            0 => Ok(()),
            word if word == Verdict::NoBackend as u64 + 1 => Err(Verdict::NoBackend),
            _ => Err(Verdict::Malformed),
        }
    }
}
