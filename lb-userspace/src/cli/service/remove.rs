//! `lb service remove`.

use clap::Args;

use crate::{
    cli::{console::Console, failure::Failure},
    model::ServiceName,
    state::Change,
};

/// Remove a service and its backends; nothing when it is not there.
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// Its name.
    name: ServiceName,
}

impl Remove {
    pub(crate) async fn run(self, console: &Console) -> Result<(), Failure> {
        console.change(Change::RemoveService { name: self.name }).await
    }
}
