//! Keeps each service's Maglev tables until its members change, and builds many at once.

use std::{collections::BTreeMap, num::NonZeroUsize, sync::Arc, thread};

use lb_common::backend::BackendId;

use crate::{
    maglev::{Home, Member},
    model::{ServiceName, TableSize},
};

/// A table as [`Home::table`] makes it.
type Table = Option<Arc<[BackendId]>>;

/// The tables of the last plan, by service. With it or without it a plan is the same.
#[derive(Debug, Clone, Default)]
pub struct MaglevCache {
    services: BTreeMap<ServiceName, Cached>,
}

#[derive(Debug, Clone)]
struct Cached {
    size: TableSize,
    members: Vec<Member>,
    made: Made,
}

/// What is made for a service.
#[derive(Debug, Clone)]
struct Made {
    /// Stays as it is when members fail and return: only the slots of those are given out anew.
    home: Arc<Home>,
    table: Table,
}

/// What a service's table is to be made of.
pub(super) struct TableWish<'a> {
    pub(super) service: &'a ServiceName,
    pub(super) size: TableSize,
    pub(super) members: Vec<Member>,
}

impl MaglevCache {
    /// The table of each wish, in the order of the wishes. Tables of other services are forgotten.
    pub(super) fn tables(&mut self, wishes: Vec<TableWish<'_>>) -> Vec<Table> {
        let mut made: Vec<Option<Made>> = wishes.iter().map(|wish| self.known(wish)).collect();
        self.make_missing(&wishes, &mut made);
        let tables = made.iter().map(|made| made.as_ref()?.table.clone()).collect();
        self.services = wishes
            .into_iter()
            .zip(made)
            .filter_map(|(TableWish { service, size, members }, made)| {
                Some((service.clone(), Cached { size, members, made: made? }))
            })
            .collect();
        tables
    }

    fn known(&self, wish: &TableWish<'_>) -> Option<Made> {
        let cached = self.services.get(wish.service)?;
        (cached.size == wish.size && cached.members == wish.members).then(|| cached.made.clone())
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
        Made { table: home.table(&wish.members), home }
    }
}

#[cfg(test)]
mod tests;
