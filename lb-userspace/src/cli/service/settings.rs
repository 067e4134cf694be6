//! The flags that `service add` and `service set` share.

use clap::Args;

use super::policy_args::PolicyArgs;
use crate::{
    cli::{check_args::CheckArgs, failure::Failure, values::table_size},
    model::{Forward, Scheduler, TableSize},
    state::ServiceSettings,
};

/// Settings of a service.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// How a new flow's backend is chosen.
    #[arg(long, value_enum)]
    scheduler: Option<Scheduler>,
    /// How packets reach the backends.
    #[arg(long, value_enum, value_name = "METHOD")]
    forward: Option<Forward>,
    /// Slots of the Maglev table: a power of two from 32 to 1048576.
    #[arg(long, value_name = "SLOTS", value_parser = table_size)]
    table_size: Option<TableSize>,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    check: CheckArgs,
}

impl Settings {
    pub(crate) fn resolve(self) -> Result<ServiceSettings, Failure> {
        let Self { scheduler, forward, table_size, policy, check } = self;
        let check = check.check()?.map(Some);
        let settings =
            ServiceSettings { scheduler, forward, table_size, check, ..ServiceSettings::default() };
        Ok(policy.applied(settings))
    }
}
