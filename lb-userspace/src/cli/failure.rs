//! How a command fails: one sentence, and an exit code that scripts can rely on.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use crate::api::{ErrorKind, client::ClientError};

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The daemon refused, or is not there.
    #[error(transparent)]
    Daemon(#[from] ClientError),
    /// What was named is not on this machine.
    #[error("{0}")]
    NotFound(String),
    /// Arguments that contradict each other.
    #[error("{0}")]
    Usage(String),
    /// Arguments that are none of ours, or a wish for help.
    #[error(transparent)]
    Arguments(#[from] clap::Error),
    /// Anything else.
    #[error("{}", chain(_0))]
    Other(#[from] anyhow::Error),
    /// Whoever read our output has had enough: no failure to speak of.
    #[error("nobody reads the output")]
    ReaderLeft,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Other(error.into())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Other(error.into())
    }
}

impl Failure {
    /// The exit code: 0 done, 1 failed, 2 usage, 3 not found, 4 guarded, 5 no daemon.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::ReaderLeft => 0,
            Self::Daemon(ClientError::Refused(refused)) => match refused.kind {
                ErrorKind::NotFound => 3,
                ErrorKind::Guarded => 4,
                ErrorKind::Invalid | ErrorKind::Internal => 1,
            },
            Self::Daemon(ClientError::Garbled { .. }) | Self::Other(_) => 1,
            Self::Usage(_) => 2,
            Self::NotFound(_) => 3,
            Self::Arguments(error) => u8::try_from(error.exit_code()).unwrap_or(2),
            Self::Daemon(_) => 5,
        }
    }

    /// What is wrong, on one line.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Arguments(error) => usage(&error.render().to_string()),
            failure => one_line(&failure.to_string()),
        }
    }

    /// Says on stderr what is wrong, and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        // Where even stderr is gone, the exit code still speaks.
        let _ = match self {
            Self::ReaderLeft => Ok(()),
            Self::Arguments(error) if is_help(error) => error.print(),
            failure => writeln!(io::stderr(), "lb: {}", failure.sentence()),
        };
        ExitCode::from(self.code())
    }
}

fn is_help(error: &clap::Error) -> bool {
    use clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    !error.use_stderr() || error.kind() == DisplayHelpOnMissingArgumentOrSubcommand
}

/// What clap says about wrong arguments, without its paragraphs on usage and help.
fn usage(rendered: &str) -> String {
    let paragraphs = rendered.split("\n\n").map(str::trim);
    let said: Vec<_> = paragraphs
        .filter(|text| !text.starts_with("Usage:") && !text.starts_with("For more information"))
        .map(one_line)
        .collect();
    let said = said.join("; ");
    said.strip_prefix("error: ").unwrap_or(&said).to_owned()
}

/// An error and its causes, each said once: many errors quote their cause themselves.
fn chain(error: &anyhow::Error) -> String {
    error.chain().skip(1).map(ToString::to_string).fold(error.to_string(), |said, cause| {
        // Such as `EACCES: Permission denied`, of which an error quotes the words.
        let words = cause.split_once(": ").map_or(cause.as_str(), |(_, words)| words);
        if said.contains(words) { said } else { format!("{said}: {cause}") }
    })
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ErrorBody;

    #[test]
    fn scripts_can_tell_by_the_exit_code_what_went_wrong() {
        let refused = |kind| {
            Failure::from(ClientError::Refused(ErrorBody { error: String::new(), kind })).code()
        };
        assert_eq!(refused(ErrorKind::Invalid), 1);
        assert_eq!(refused(ErrorKind::Internal), 1);
        assert_eq!(refused(ErrorKind::NotFound), 3);
        assert_eq!(refused(ErrorKind::Guarded), 4);
        assert_eq!(Failure::from(ClientError::NoDaemon("/x".into())).code(), 5);
        assert_eq!(Failure::from(ClientError::Silent("/x".into())).code(), 5);
        assert_eq!(Failure::Usage(String::new()).code(), 2);
        assert_eq!(Failure::from(anyhow::anyhow!("x")).code(), 1);
    }

    #[test]
    fn a_cause_that_its_error_quotes_is_said_once() {
        let source = io::Error::from_raw_os_error(2);
        let quoted = format!("lb.toml: cannot be read: {source}");
        let error = anyhow::Error::from(source).context(quoted.clone());
        assert_eq!(Failure::from(error).sentence(), quoted);
        let error =
            anyhow::anyhow!("EACCES: Permission denied").context("socket: Permission denied");
        assert_eq!(Failure::from(error).sentence(), "socket: Permission denied");
        let error = anyhow::anyhow!("EACCES: Permission denied")
            .context("socket: Permission denied: run as root");
        assert_eq!(Failure::from(error).sentence(), "socket: Permission denied: run as root");
    }

    #[test]
    fn a_chain_of_causes_is_one_line() {
        let error = anyhow::anyhow!("line 3:\n  no such\n").context("lb.toml");
        assert_eq!(Failure::from(error).sentence(), "lb.toml: line 3: no such");
    }
}
