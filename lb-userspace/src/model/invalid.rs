//! A setting that cannot be.

/// Why a setting cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {why}")]
pub struct Invalid {
    /// The field that is wrong, as config files name it.
    pub field: &'static str,
    /// Its value and what is allowed.
    pub why: String,
}

impl Invalid {
    pub(super) fn new(field: &'static str, why: impl Into<String>) -> Self {
        Self { field, why: why.into() }
    }
}
