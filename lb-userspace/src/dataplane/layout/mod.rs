//! What the arrays hold, and the steps from there to what they shall hold: no kernel in here.

mod held;
mod plan;
mod plan_backends;
mod step;
#[cfg(test)]
mod tests;

pub(super) use held::Held;
pub(super) use plan::plan;
pub(super) use step::Step;

/// How much fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Capacity {
    /// Services, each with a VIP of its own at worst.
    pub(super) services: u32,
    /// Backends; their ids go from 1 to this.
    pub(super) backends: u32,
    /// Elements of `ARENA`.
    pub(super) chunks: u32,
}

/// What does not fit; nothing of it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// More services than `limits.services`.
    #[error("{wanted} services are more than limits.services = {limit}: raise it")]
    Services {
        /// How many there shall be.
        wanted: usize,
        /// The limit.
        limit: u32,
    },
    /// No slot near a key's home is free.
    #[error("no free slot for {service} in the service table: raise limits.services")]
    Slots {
        /// What has no place.
        service: String,
    },
    /// A backend's id lies outside of `BACKENDS`.
    #[error("backend {id} is not within limits.backends = {limit}: raise it")]
    Backends {
        /// The id.
        id: u16,
        /// The limit.
        limit: u32,
    },
    /// No free region in the arena is large enough.
    #[error(
        "no room for a table of {wanted} slots: a change holds the old and the new table for a \
         moment; raise limits.maglev_slots = {limit}"
    )]
    Arena {
        /// Slots of the table.
        wanted: usize,
        /// The limit.
        limit: u64,
    },
    /// A Maglev table's length is no power of two from 32 to 1,048,576.
    #[error("a Maglev table cannot have {slots} slots: a power of two from 32 to 1048576")]
    TableSize {
        /// Its slots.
        slots: usize,
    },
    /// A rotation has no turn, or more than 65,536.
    #[error("a rotation cannot have {turns} turns: 1 to 65536")]
    Rotation {
        /// Its turns.
        turns: usize,
    },
}
