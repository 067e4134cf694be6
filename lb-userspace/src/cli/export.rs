//! `lb export`.

use clap::Args;

use super::{
    console::{Console, print},
    failure::Failure,
    machine,
};

/// Print what the daemon was asked to do, as a config file.
#[derive(Debug, Args)]
pub(crate) struct Export {}

impl Export {
    pub(crate) async fn run(self, console: &Console) -> Result<(), Failure> {
        let desired = console.daemon.desired().await?;
        if console.for_people() {
            print(&machine::write_config(&desired))
        } else {
            Console::show_json(&desired)
        }
    }
}
