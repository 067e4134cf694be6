//! One flow in 64 bits: `tag:34 | backend:16 | state:2 | epoch:12`.

use crate::{
    backend::BackendId,
    branchless::{less, select},
};

/// Coarse time, counted modulo 4,096. With an epoch of about four seconds it wraps after four and a
/// half hours; idle time-outs stay below [`Epoch::LONGEST_IDLE`], so that userspace has swept an
/// expired entry before it could be taken for a fresh one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Epoch(u16);

impl Epoch {
    /// The longest idle time-out, in epochs: a quarter of the cycle is left for the sweep.
    pub const LONGEST_IDLE: u16 = 3072;

    const MASK: u64 = 0xfff;
    /// Epochs after which they begin anew.
    const CYCLE: u16 = 4096;
    /// Epochs by which two clocks may differ.
    const CLOCK_SKEW: u16 = 4;

    /// The epoch of a time that counts up in epochs.
    #[inline(always)]
    pub const fn new(count: u64) -> Self {
        Self((count & Self::MASK) as u16)
    }

    /// The epoch as it lies in an entry: below 4,096.
    #[inline(always)]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Epochs from `earlier` to this one.
    #[inline(always)]
    pub const fn since(self, earlier: Self) -> u16 {
        self.0.wrapping_sub(earlier.0) & Self::MASK as u16
    }
}

/// How far a flow has come, as seen from the client's side alone: with direct server return no
/// reply passes by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum State {
    /// A TCP SYN came; nothing since.
    Opening = 0,
    /// A packet other than a SYN came, in one epoch only: anybody can forge that.
    Fresh = 1,
    /// The flow has lived over an epoch's end: new flows never evict it.
    Established = 2,
    /// A FIN or RST came.
    Closing = 3,
}

impl State {
    #[inline(always)]
    const fn from_bits(bits: u64) -> Self {
        match bits & 3 {
            0 => Self::Opening,
            1 => Self::Fresh,
            2 => Self::Established,
            _ => Self::Closing,
        }
    }
}

/// What a packet means for its flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Signal {
    /// TCP: SYN without ACK.
    Opens = 0,
    /// Any packet of a flow under way; every UDP datagram.
    Continues = 1,
    /// TCP: FIN or RST.
    Ends = 2,
}

/// A lane of a bucket. The word 0 is a free lane: no entry has backend 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry(u64);

/// A flow that was not heard of for so many epochs has been silent for a whole one at least.
pub(super) const SILENT: u16 = 2;

const TAG_SHIFT: u32 = 30;
const BACKEND_SHIFT: u32 = 14;
const STATE_SHIFT: u32 = 12;

impl Entry {
    /// An entry for the flow with this hash.
    #[inline(always)]
    pub const fn new(hash: u64, backend: BackendId, state: State, epoch: Epoch) -> Self {
        Self(
            (hash >> TAG_SHIFT) << TAG_SHIFT
                | (backend as u64) << BACKEND_SHIFT
                | (state as u64) << STATE_SHIFT
                | epoch.0 as u64,
        )
    }

    /// The entry of a lane; `None` for a free one.
    #[inline(always)]
    pub const fn from_word(word: u64) -> Option<Self> {
        if word == 0 { None } else { Some(Self(word)) }
    }

    /// The word to store in a lane.
    #[inline(always)]
    pub const fn word(self) -> u64 {
        self.0
    }

    /// 0 when the word is, but for a chance of 2⁻³⁴, the entry of the flow with this hash; else any
    /// number below 2³⁴.
    #[inline(always)]
    pub const fn distance(word: u64, hash: u64) -> u64 {
        (word ^ hash) >> TAG_SHIFT
    }

    /// 0 for a free lane, else any number below 2¹⁶.
    #[inline(always)]
    pub const fn occupied(word: u64) -> u64 {
        word >> BACKEND_SHIFT & BackendId::MAX as u64
    }

    /// The backend that has one live flow by this word; 0 for none. A flow is live until it closes.
    #[inline(always)]
    pub fn live(word: u64) -> BackendId {
        let closing = less(word >> STATE_SHIFT & 3 ^ State::Closing as u64, 1);
        select(closing, 0, Self::occupied(word)) as BackendId
    }

    /// The number of a lane's [`State`], and the epochs since it changed.
    #[inline(always)]
    pub const fn state_and_age(word: u64, now: Epoch) -> (u64, u64) {
        (word >> STATE_SHIFT & 3, now.since(Epoch::new(word)) as u64)
    }

    /// Its backend; 0 never occurs in a table that this code wrote.
    #[inline(always)]
    pub const fn backend(self) -> BackendId {
        (self.0 >> BACKEND_SHIFT) as BackendId
    }

    /// How far the flow has come.
    #[inline(always)]
    pub const fn state(self) -> State {
        State::from_bits(self.0 >> STATE_SHIFT)
    }

    /// When its last packet came.
    #[inline(always)]
    pub const fn epoch(self) -> Epoch {
        Epoch::new(self.0)
    }

    /// True when nothing came for longer than its state allows.
    #[inline(always)]
    pub fn is_idle(self, now: Epoch, idle: &[u16; 4]) -> bool {
        now.since(self.epoch()) > idle[self.state() as usize & 3]
    }

    /// True when a packet came in this epoch or the one before it.
    #[inline(always)]
    pub const fn is_recent(self, now: Epoch) -> bool {
        now.since(self.epoch()) < SILENT
    }

    /// Epochs since its last packet, by a clock that may be behind the data path's: a moment that
    /// lies a little ahead of it is not one of the cycle before.
    pub const fn silent_for(self, now: Epoch) -> u16 {
        let silent = now.since(self.epoch());
        if silent < Epoch::CYCLE - Epoch::CLOCK_SKEW { silent } else { 0 }
    }

    /// [`Self::is_idle`] by such a clock.
    pub const fn is_expired(self, now: Epoch, idle: u16) -> bool {
        self.silent_for(now) > idle
    }

    /// The entry after one more packet of its flow. Equal to the old one for most packets: it
    /// changes when the state or the epoch does. A SYN does not undo what a flow has earned, as
    /// anybody can forge one.
    #[inline(always)]
    #[must_use]
    pub const fn after(self, signal: Signal, now: Epoch) -> Self {
        let state = match (signal, self.state()) {
            (Signal::Opens, State::Established) => return self,
            (Signal::Opens, _) => State::Opening,
            (Signal::Ends, _) | (Signal::Continues, State::Closing) => State::Closing,
            (Signal::Continues, State::Opening) => State::Fresh,
            (Signal::Continues, State::Fresh) if now.since(self.epoch()) == 0 => State::Fresh,
            (Signal::Continues, State::Fresh | State::Established) => State::Established,
        };
        Self::new(self.0, self.backend(), state, now)
    }
}
