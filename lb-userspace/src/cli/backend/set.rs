//! `lb backend set`.

use clap::{Args, builder::TypedValueParser};

use super::Target;
use crate::{
    cli::{console::Console, failure::Failure},
    model::Weight,
    state::{BackendSettings, Change},
};

/// Change a backend's weight.
#[derive(Debug, Args)]
pub(crate) struct Set {
    #[command(flatten)]
    target: Target,
    /// Its share of new flows, relative to the other backends; 0 for none.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).map(Weight))]
    weight: Weight,
}

impl Set {
    pub(crate) async fn run(self, console: &Console) -> Result<(), Failure> {
        let Self { target, weight } = self;
        let settings = BackendSettings { weight: Some(weight), ..BackendSettings::default() };
        console.change(Change::SetBackend { backend: target.into(), settings }).await
    }
}
