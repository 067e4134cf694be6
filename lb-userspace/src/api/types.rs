//! Changes, and what is said when something cannot be done.

use serde::{Deserialize, Serialize};

use crate::state::{Change, Difference, Refusal};

/// The body of `POST /v1/change`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeRequest {
    /// The wish.
    pub change: Change,
    /// Say what would change, and change nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// Pass the guards that would refuse it.
    #[serde(default)]
    pub force: bool,
}

impl From<Change> for ChangeRequest {
    fn from(change: Change) -> Self {
        Self { change, dry_run: false, force: false }
    }
}

/// What a change made different, or would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeResponse {
    /// One for each thing; empty when everything was so already.
    pub differences: Vec<Difference>,
    /// True when nothing was changed because only the differences were asked for.
    pub dry_run: bool,
}

/// The body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{error}")]
pub struct ErrorBody {
    /// One sentence for people.
    pub error: String,
    /// The sort of error, for programs.
    pub kind: ErrorKind,
}

/// The sorts of error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// What was named is not there: HTTP 404.
    NotFound,
    /// It contradicts itself or what is there: HTTP 400.
    Invalid,
    /// A guard stands in its way: HTTP 409.
    Guarded,
    /// The daemon could not do it: HTTP 500.
    Internal,
}

impl ErrorBody {
    /// What was named is not there.
    pub fn not_found(error: impl Into<String>) -> Self {
        Self { error: error.into(), kind: ErrorKind::NotFound }
    }

    /// The request contradicts itself or what is there.
    pub fn invalid(error: impl Into<String>) -> Self {
        Self { error: error.into(), kind: ErrorKind::Invalid }
    }

    /// The daemon could not do it.
    pub fn internal(error: impl Into<String>) -> Self {
        Self { error: error.into(), kind: ErrorKind::Internal }
    }
}

impl From<Refusal> for ErrorBody {
    fn from(refusal: Refusal) -> Self {
        let (error, kind) = match refusal {
            Refusal::NotFound(error) => (error, ErrorKind::NotFound),
            Refusal::Invalid(error) => (error, ErrorKind::Invalid),
            Refusal::Guarded(error) => (error, ErrorKind::Guarded),
        };
        Self { error, kind }
    }
}
