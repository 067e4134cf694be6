//! `lb backend drain`, `enable` and `disable`: the operator's word on a backend.

use super::Target;
use crate::{
    cli::{console::Console, failure::Failure},
    model::Admin,
    state::Change,
};

pub(crate) async fn run(target: Target, admin: Admin, console: &Console) -> Result<(), Failure> {
    console.change(Change::SetAdmin { backend: target.into(), admin }).await
}
