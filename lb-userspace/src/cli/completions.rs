//! `lb completions`.

use clap::{Args, CommandFactory, ValueEnum};

use super::{Cli, console, failure::Failure};

/// Print a completion script for a shell.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lb completions bash

To keep it: lb completions bash > /etc/bash_completion.d/lb")]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Completions {
    pub(crate) fn run(self) -> Result<(), Failure> {
        console::print(&self.script())
    }

    pub(crate) fn script(self) -> String {
        let shell = match self.shell {
            Shell::Bash => clap_complete::Shell::Bash,
            Shell::Zsh => clap_complete::Shell::Zsh,
            Shell::Fish => clap_complete::Shell::Fish,
        };
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "lb", &mut script);
        String::from_utf8_lossy(&script).into_owned()
    }
}
