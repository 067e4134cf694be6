//! What every command has: the daemon to ask, and a terminal or a program to answer.

use std::{
    io::{ErrorKind, Write},
    path::Path,
};

use clap::ValueEnum;
use serde::Serialize;

use super::failure::Failure;
use crate::{
    api::{ChangeRequest, ChangeResponse, client::Client},
    state::Difference,
};

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Output {
    /// Tables for people.
    #[default]
    Table,
    /// The daemon's answer, for programs.
    Json,
}

/// Where a command asks and answers.
#[derive(Debug)]
pub(crate) struct Console {
    output: Output,
    /// The daemon.
    pub(crate) daemon: Client,
}

impl Console {
    pub(crate) fn new(socket: &Path, output: Output) -> Self {
        Self { output, daemon: Client::new(socket) }
    }

    /// True when tables are printed.
    pub(crate) fn for_people(&self) -> bool {
        self.output == Output::Table
    }

    /// Prints a result the way that was asked for.
    pub(crate) fn show<T: Serialize + ?Sized>(
        &self,
        result: &T,
        for_people: impl FnOnce(&T) -> String,
    ) -> Result<(), Failure> {
        match self.output {
            Output::Table => print(&for_people(result)),
            Output::Json => Self::show_json(result),
        }
    }

    /// Prints a result for programs.
    pub(crate) fn show_json<T: Serialize + ?Sized>(result: &T) -> Result<(), Failure> {
        print(&serde_json::to_string(result)?)
    }

    /// Asks the daemon for a change, and prints what it changed.
    pub(crate) async fn change(&self, request: impl Into<ChangeRequest>) -> Result<(), Failure> {
        let response = self.daemon.change(&request.into()).await?;
        self.show(&response, changes)
    }
}

/// Prints to stdout, with one newline at the end.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    print_raw(&format!("{}\n", text.trim_end_matches('\n')))
}

/// Prints to stdout as it is.
pub(crate) fn print_raw(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::ReaderLeft,
        _ => Failure::Other(anyhow::Error::new(error).context("cannot write the result")),
    })
}

fn changes(response: &ChangeResponse) -> String {
    if response.differences.is_empty() {
        return "nothing to change".to_owned();
    }
    let mut lines: Vec<String> = response.differences.iter().map(line).collect();
    if response.dry_run {
        lines.push("dry run: nothing was changed".to_owned());
    }
    lines.join("\n")
}

fn line(difference: &Difference) -> String {
    let Difference { service, backend, what } = difference;
    match backend {
        Some(backend) => format!("{service}: {backend} {what}"),
        None => format!("{service}: {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(backend: Option<&str>, what: &str) -> Difference {
        Difference {
            service: "web".parse().unwrap(),
            backend: backend.map(|address| address.parse().unwrap()),
            what: what.to_owned(),
        }
    }

    #[test]
    fn a_change_says_what_it_changed_one_line_each() {
        let differences =
            vec![difference(None, "added"), difference(Some("192.0.2.21:443"), "weight 1 -> 5")];
        let response = ChangeResponse { differences, dry_run: false };
        assert_eq!(changes(&response), "web: added\nweb: 192.0.2.21:443 weight 1 -> 5");
        let rehearsed = ChangeResponse { dry_run: true, ..response };
        assert!(changes(&rehearsed).ends_with("\ndry run: nothing was changed"));
    }

    #[test]
    fn a_change_that_changes_nothing_says_so() {
        let response = ChangeResponse { differences: Vec::new(), dry_run: true };
        assert_eq!(changes(&response), "nothing to change");
    }
}
