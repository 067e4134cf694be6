//! Where in the file something is wrong.

use std::{fmt::Display, io, ops::Range};

use toml::Spanned;

/// Why a config file was refused; one line.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{file}: cannot be read: {source}")]
    Read {
        /// The file.
        file: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// Something in the file is wrong.
    #[error("{file}:{line}: {message}")]
    Wrong {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// The field, its value and what is allowed.
        message: String,
    },
    /// The file is fine, but says not where packets come in.
    #[error(
        "{file}: interfaces: is missing: the names of one interface or more, such as [\"eth0\"]"
    )]
    NoInterface {
        /// The file.
        file: String,
    },
}

/// A file and its text.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
}

impl Place<'_> {
    /// The line of a byte in the text.
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().iter().take(span.start);
        before.filter(|byte| **byte == b'\n').count() + 1
    }

    /// What is wrong with a value.
    pub(super) fn wrong<T>(&self, value: &Spanned<T>, message: impl Display) -> ConfigError {
        let line = self.line(&value.span());
        ConfigError::Wrong { file: self.file.to_owned(), line, message: message.to_string() }
    }

    /// What TOML or the shape of the file has against it. The key it is about comes last there, and
    /// first here.
    pub(super) fn toml(&self, mut error: toml::de::Error) -> ConfigError {
        error.set_input(None);
        let text = error.to_string();
        let mut lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
        let key = lines.last().and_then(|l| l.strip_prefix("in `")?.strip_suffix('`'));
        if key.is_some() {
            lines.pop();
        }
        let mut message = lines.join(", ");
        // The words of Rust for what TOML calls otherwise.
        for (word, meant) in
            [("i64", "a whole number"), ("a sequence", "a list"), ("a boolean", "true or false")]
        {
            message = message.replace(&format!("expected {word}"), &format!("expected {meant}"));
        }
        let name = error.span().and_then(|span| self.text.get(span));
        if let (Some(name), "duplicate key") = (name, message.as_str()) {
            message = format!("{name}: {message}");
        }
        let message = key.map_or_else(|| message.clone(), |key| format!("{key}: {message}"));
        let line = error.span().map_or(1, |span| self.line(&span));
        ConfigError::Wrong { file: self.file.to_owned(), line, message }
    }
}

/// A line's field and, around it, whose it is: `service "web": backend "192.0.2.21": weight`.
#[derive(Clone)]
pub(super) struct Scope<'a> {
    place: Place<'a>,
    prefix: String,
}

impl<'a> Scope<'a> {
    pub(super) fn whole(place: Place<'a>) -> Self {
        Self { place, prefix: String::new() }
    }

    pub(super) fn within(&self, what: impl Display) -> Self {
        Self { place: self.place, prefix: format!("{}{what}: ", self.prefix) }
    }

    /// What is wrong with a field.
    pub(super) fn wrong<T>(
        &self,
        field: &str,
        value: &Spanned<T>,
        why: impl Display,
    ) -> ConfigError {
        self.place.wrong(value, format_args!("{}{field}: {why}", self.prefix))
    }

    /// The line of a value. It is counted from the first, so ask only for a message's sake.
    pub(super) fn line<T>(&self, value: &Spanned<T>) -> usize {
        self.place.line(&value.span())
    }

    /// A field's number, if it is in the range.
    pub(super) fn number<T>(
        &self,
        field: &str,
        value: &Spanned<i64>,
        (least, most): (T, T),
    ) -> Result<T, ConfigError>
    where
        T: TryFrom<i64> + PartialOrd + Display + Copy,
    {
        T::try_from(*value.get_ref())
            .ok()
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| {
                let why = format!("{} is not allowed: {least} to {most}", value.get_ref());
                self.wrong(field, value, why)
            })
    }

    /// A field's text as what it stands for.
    pub(super) fn parsed<T>(&self, field: &str, value: &Spanned<String>) -> Result<T, ConfigError>
    where
        T: std::str::FromStr<Err: Display>,
    {
        value.get_ref().parse().map_err(|why| self.wrong(field, value, why))
    }

    /// A field's word as one of a few.
    pub(super) fn choice<T: clap::ValueEnum>(
        &self,
        field: &str,
        value: &Spanned<String>,
    ) -> Result<T, ConfigError> {
        let word = value.get_ref();
        T::from_str(word, false).map_err(|_| {
            let words: Vec<String> = T::value_variants().iter().map(crate::state::named).collect();
            self.wrong(field, value, format_args!("{word:?} is not one of: {}", words.join(", ")))
        })
    }
}
