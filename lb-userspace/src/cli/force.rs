//! The flag of every command that a guard may refuse.

use clap::Args;

use crate::{api::ChangeRequest, state::Change};

/// Whether guards are passed.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Force {
    /// Do it even where it leaves a service fewer backends to serve new flows than its min_healthy.
    #[arg(long)]
    force: bool,
}

impl Force {
    /// Asks for a change.
    pub(crate) fn request(self, change: Change) -> ChangeRequest {
        ChangeRequest { force: self.force, ..change.into() }
    }
}
