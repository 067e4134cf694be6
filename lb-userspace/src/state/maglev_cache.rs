//! Keeps each service's Maglev table until its members change, and builds many at once.

use std::{collections::BTreeMap, num::NonZeroUsize, sync::Arc, thread};

use lb_common::backend::BackendId;

use crate::{
    maglev::{Home, Member},
    model::{ServiceName, TableSize},
    rotation::{Order, rotation},
};

/// A Maglev table and a rotation; none where no backend serves.
type Table = (Option<Arc<[BackendId]>>, Option<Arc<[BackendId]>>);

/// The tables of the last plan, by service. With it or without it a plan is the same.
#[derive(Debug, Clone, Default)]
pub struct MaglevCache {
    tables: BTreeMap<ServiceName, Cached>,
}

#[derive(Debug, Clone)]
struct Cached {
    size: TableSize,
    members: Vec<Member>,
    order: Option<Order>,
    table: Table,
}

/// What a service's table is to be made of.
pub(super) struct TableWish<'a> {
    pub(super) service: &'a ServiceName,
    pub(super) size: TableSize,
    pub(super) members: Vec<Member>,
    pub(super) order: Option<Order>,
}

impl MaglevCache {
    /// The table of each wish, in the order of the wishes. Tables of other services are forgotten.
    pub(super) fn tables(&mut self, wishes: Vec<TableWish<'_>>) -> Vec<Table> {
        let mut known: Vec<Option<Table>> = wishes.iter().map(|wish| self.known(wish)).collect();
        build_missing(&wishes, &mut known);
        let tables: Vec<Table> = known.into_iter().map(Option::unwrap_or_default).collect();
        self.tables = wishes
            .into_iter()
            .zip(&tables)
            .map(|(TableWish { service, size, members, order }, table)| {
                (service.clone(), Cached { size, members, order, table: table.clone() })
            })
            .collect();
        tables
    }

    fn known(&self, wish: &TableWish<'_>) -> Option<Table> {
        let cached = self.tables.get(wish.service)?;
        (cached.size == wish.size && cached.members == wish.members && cached.order == wish.order)
            .then(|| cached.table.clone())
    }
}

/// Builds what is not known, on every CPU when there is enough to do.
fn build_missing(wishes: &[TableWish<'_>], known: &mut [Option<Table>]) {
    let mut missing: Vec<_> =
        wishes.iter().zip(known).filter(|(_, table)| table.is_none()).collect();
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let each = missing.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        let mut chunks = missing.chunks_mut(each);
        let own = chunks.next();
        for chunk in chunks {
            scope.spawn(|| build_all(chunk));
        }
        if let Some(own) = own {
            build_all(own);
        }
    });
}

fn build_all(wishes: &mut [(&TableWish<'_>, &mut Option<Table>)]) {
    for (wish, table) in wishes {
        **table = Some((
            Home::new(wish.size, &wish.members).table(&wish.members),
            wish.order.and_then(|order| rotation(order, &wish.members)),
        ));
    }
}
