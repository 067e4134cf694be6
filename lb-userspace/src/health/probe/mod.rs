//! One question to one backend. Each protocol is a file; whatever it opens is closed when its
//! future is dropped.

mod http;
mod tcp;

use std::{io, net::SocketAddr, time::Duration};

use humantime::format_duration;
use tokio::time::timeout;

use crate::model::Probe;

/// Why a probe was no success, as a few words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nobody listens.
    #[error("connection refused")]
    Refused,
    /// The whole probe took longer than it may.
    #[error("timed out after {}", format_duration(*.0))]
    TimedOut(Duration),
    /// The network says that there is no way.
    #[error("{0}")]
    Unreachable(String),
    /// The backend aborted the connection.
    #[error("connection reset")]
    Reset,
    /// The backend ended the connection too early.
    #[error("connection closed before an answer")]
    Closed,
    /// The answer is of another protocol.
    #[error("the answer is not {0}")]
    Malformed(&'static str),
    /// An HTTP status that is not expected.
    #[error("http {0}")]
    Status(u16),
    /// Something of this host, not of the backend.
    #[error("not probed: {0}")]
    NotProbed(String),
}

impl Failure {
    /// True when the backend could not even be asked, so that nothing follows about its health.
    pub const fn is_inconclusive(&self) -> bool {
        matches!(self, Self::NotProbed(_))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::ECONNREFUSED) => Self::Refused,
            Some(libc::ECONNRESET | libc::EPIPE) => Self::Reset,
            Some(
                libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS | libc::EADDRNOTAVAIL,
            ) => Self::NotProbed(words(&error)),
            _ => Self::Unreachable(words(&error)),
        }
    }
}

/// An error's text as the kernel words it: `No route to host`, not `No route to host (os error 113)`.
fn words(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => nix::errno::Errno::from_raw(code).desc().to_lowercase(),
        None => error.to_string(),
    }
}

/// Asks once, in at most `limit`.
pub async fn run(probe: &Probe, target: SocketAddr, limit: Duration) -> Result<(), Failure> {
    let asked = async {
        match probe {
            Probe::Tcp => tcp::probe(target).await,
            Probe::Http(check) => http::probe(target, check).await,
        }
    };
    timeout(limit, asked).await.unwrap_or(Err(Failure::TimedOut(limit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_host_lacks_is_not_held_against_a_backend() {
        for code in [libc::EMFILE, libc::EADDRNOTAVAIL, libc::ENOBUFS] {
            assert!(Failure::from(io::Error::from_raw_os_error(code)).is_inconclusive());
        }
        for code in [libc::ECONNREFUSED, libc::EHOSTUNREACH, libc::ETIMEDOUT, libc::ECONNRESET] {
            assert!(!Failure::from(io::Error::from_raw_os_error(code)).is_inconclusive());
        }
    }

    #[test]
    fn failures_read_as_a_person_would_say_them() {
        let of = |code| Failure::from(io::Error::from_raw_os_error(code)).to_string();
        assert_eq!(of(libc::ECONNREFUSED), "connection refused");
        assert_eq!(of(libc::EHOSTUNREACH), "no route to host");
        assert_eq!(of(libc::EMFILE), "not probed: too many open files");
        assert_eq!(Failure::TimedOut(Duration::from_secs(1)).to_string(), "timed out after 1s");
        assert_eq!(Failure::Status(503).to_string(), "http 503");
    }
}
