//! The flow table: which backend a flow has, in eight bytes a flow.

pub mod bucket;
pub mod entry;
pub mod hash;

pub use entry::{Entry, Epoch, State};
