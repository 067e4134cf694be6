//! The flags that describe a health check.

use std::{num::NonZeroU16, time::Duration};

use clap::{Args, ValueEnum};

use super::{
    failure::Failure,
    values::{duration, number},
};
use crate::model::{Check, HttpCheck, Probe, Timing};

const HEADING: &str = "Health check";

/// A health check, stated whole: what is left out takes its default, whatever was before.
#[derive(Debug, Args)]
#[command(next_help_heading = HEADING)]
pub(crate) struct CheckArgs {
    /// Check backends by a TCP connection, or by an HTTP request.
    #[arg(long, value_enum, value_name = "TYPE")]
    check: Option<CheckType>,
    /// The port to check; the backend's own by default.
    #[arg(long, value_name = "PORT", requires = "check")]
    #[arg(value_parser = number(NonZeroU16::MIN..=NonZeroU16::MAX))]
    check_port: Option<NonZeroU16>,
    /// The path and query to request (http) [default: /].
    #[arg(long, value_name = "PATH", requires = "check")]
    check_path: Option<String>,
    /// The Host header to send (http) [default: the backend's address].
    #[arg(long, value_name = "HOST", requires = "check")]
    check_host: Option<String>,
    /// The statuses that are good (http) [default: 200 to 399].
    #[arg(long, value_name = "STATUS,…", value_delimiter = ',', requires = "check")]
    #[arg(value_parser = number(100..=599u16))]
    check_expect: Vec<u16>,
    /// Time from one probe to the next [default: 2s].
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "check")]
    check_interval: Option<Duration>,
    /// Time after which a probe has failed; at most the interval [default: 1s].
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "check")]
    check_timeout: Option<Duration>,
    /// Good probes in a row that bring a backend back [default: 2].
    #[arg(long, value_name = "N", value_parser = number(1..=u16::MAX), requires = "check")]
    rise: Option<u16>,
    /// Bad probes in a row that take a backend out [default: 3].
    #[arg(long, value_name = "N", value_parser = number(1..=u16::MAX), requires = "check")]
    fall: Option<u16>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum CheckType {
    Tcp,
    Http,
}

impl CheckArgs {
    /// The check that is described, if one is.
    pub(crate) fn check(self) -> Result<Option<Check>, Failure> {
        let probe = match self.check {
            None => return Ok(None),
            Some(CheckType::Tcp) => self.tcp()?,
            Some(CheckType::Http) => self.http(),
        };
        let usual = Timing::default();
        let timing = Timing {
            interval: self.check_interval.unwrap_or(usual.interval),
            timeout: self.check_timeout.unwrap_or(usual.timeout),
            rise: self.rise.unwrap_or(usual.rise),
            fall: self.fall.unwrap_or(usual.fall),
        };
        let check = Check::new(probe, self.check_port, timing);
        check.map(Some).map_err(|error| Failure::Usage(format!("--check: {error}")))
    }

    fn tcp(&self) -> Result<Probe, Failure> {
        let stray = [
            ("--check-path", self.check_path.is_some()),
            ("--check-host", self.check_host.is_some()),
            ("--check-expect", !self.check_expect.is_empty()),
        ];
        match stray.iter().find(|(_, given)| *given) {
            Some((flag, _)) => Err(Failure::Usage(format!("{flag} is for --check http alone"))),
            None => Ok(Probe::Tcp),
        }
    }

    fn http(&self) -> Probe {
        Probe::Http(HttpCheck {
            path: self.check_path.clone().unwrap_or_else(|| "/".to_owned()),
            host: self.check_host.clone(),
            expect: self.check_expect.clone(),
        })
    }
}
