//! Keeps each service's Maglev table and rotation until its members change, and builds many at once.

use std::{collections::BTreeMap, num::NonZeroUsize, sync::Arc, thread};

use lb_common::backend::BackendId;

use crate::{
    maglev::{Home, Member},
    model::{ServiceName, TableSize},
    rotation::{Candidate, roster, rotation},
};

/// A backend for each slot or turn; none where nobody takes new flows.
type Table = Option<Arc<[BackendId]>>;

/// What a rotation goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Each backend in turn, weights aside; one that warms up less often.
    Turns,
    /// Each in proportion to its weight.
    WeightedTurns,
    /// Each once: they are compared, not gone through.
    Roster,
}

impl Order {
    fn rotation(self, members: &[Member]) -> Table {
        let candidate = |member: &Member| {
            let (weight, steps) = (u32::from(member.weight.0), u32::from(member.ramp.steps()));
            let weight = match self {
                Self::WeightedTurns => weight * steps,
                Self::Turns | Self::Roster if weight > 0 => steps,
                Self::Turns | Self::Roster => 0,
            };
            Candidate { id: member.id, address: member.address, weight }
        };
        let candidates: Vec<Candidate> = members.iter().map(candidate).collect();
        match self {
            Self::Turns | Self::WeightedTurns => rotation(&candidates),
            Self::Roster => roster(&candidates),
        }
    }
}

/// The tables of the last plan, by service. With it or without it a plan is the same.
#[derive(Debug, Clone, Default)]
pub struct TableCache {
    services: BTreeMap<ServiceName, Cached>,
}

#[derive(Debug, Clone)]
struct Cached {
    size: TableSize,
    members: Vec<Member>,
    order: Option<Order>,
    made: Made,
}

/// What is made for a service.
#[derive(Debug, Clone)]
struct Made {
    /// Stays as it is when members fail and return: only the slots of those are given out anew.
    home: Arc<Home>,
    maglev: Table,
    rotation: Table,
}

/// What a service's tables are to be made of.
pub(super) struct TableWish<'a> {
    pub(super) service: &'a ServiceName,
    pub(super) size: TableSize,
    pub(super) members: Vec<Member>,
    /// None for a service without a rotation.
    pub(super) order: Option<Order>,
}

impl TableCache {
    /// The Maglev table and the rotation of each wish, in the order of the wishes. Tables of other services are forgotten.
    pub(super) fn tables(&mut self, wishes: Vec<TableWish<'_>>) -> Vec<(Table, Table)> {
        let mut made: Vec<Option<Made>> = wishes.iter().map(|wish| self.known(wish)).collect();
        self.make_missing(&wishes, &mut made);
        let tables = made
            .iter()
            .map(|made| made.as_ref().map(|made| (made.maglev.clone(), made.rotation.clone())))
            .map(Option::unwrap_or_default)
            .collect();
        self.services = wishes
            .into_iter()
            .zip(made)
            .filter_map(|(TableWish { service, size, members, order }, made)| {
                Some((service.clone(), Cached { size, members, order, made: made? }))
            })
            .collect();
        tables
    }

    fn known(&self, wish: &TableWish<'_>) -> Option<Made> {
        let cached = self.services.get(wish.service)?;
        let is_same = cached.size == wish.size
            && cached.members == wish.members
            && cached.order == wish.order;
        is_same.then(|| cached.made.clone())
    }

    /// Makes what is not known, on every CPU when there is enough to do.
    fn make_missing(&self, wishes: &[TableWish<'_>], made: &mut [Option<Made>]) {
        let mut missing: Vec<_> =
            wishes.iter().zip(made).filter(|(_, made)| made.is_none()).collect();
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let each = missing.len().div_ceil(threads).max(1);
        thread::scope(|scope| {
            let mut chunks = missing.chunks_mut(each);
            let own = chunks.next();
            for chunk in chunks {
                scope.spawn(|| self.make_all(chunk));
            }
            if let Some(own) = own {
                self.make_all(own);
            }
        });
    }

    fn make_all(&self, missing: &mut [(&TableWish<'_>, &mut Option<Made>)]) {
        for (wish, made) in missing {
            **made = Some(self.make(wish));
        }
    }

    fn make(&self, wish: &TableWish<'_>) -> Made {
        let known = self.services.get(wish.service).map(|cached| &cached.made.home);
        let home = match known.filter(|home| home.is_of(wish.size, &wish.members)) {
            Some(home) => home.clone(),
            None => Arc::new(Home::new(wish.size, &wish.members)),
        };
        let rotation = wish.order.and_then(|order| order.rotation(&wish.members));
        Made { maglev: home.table(&wish.members), home, rotation }
    }
}

#[cfg(test)]
mod tests;
