//! `lb detach`.

use std::path::PathBuf;

use clap::Args;

use super::{console::Console, failure::Failure, machine};

/// Take the data path off every interface, and remove all it has pinned.
#[derive(Debug, Args)]
pub(crate) struct Detach {
    /// Where the daemon pins its maps and links.
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/bpf/lb")]
    pin_dir: PathBuf,
}

impl Detach {
    pub(crate) fn run(self, console: &Console) -> Result<(), Failure> {
        let interfaces = machine::detach(&self.pin_dir)?;
        console.show(&interfaces, |interfaces| match interfaces.as_slice() {
            [] => "nothing to detach".to_owned(),
            some => {
                some.iter().map(|one| format!("{one}: detached")).collect::<Vec<_>>().join("\n")
            }
        })
    }
}
