//! Config files, as an operator would write them.

use std::fmt::{Display, Write};

use crate::Backend;

/// A health check that judges fast: a backend is out after at most 0.9 s (`interval × fall +
/// timeout`) and back after two good probes.
pub const FAST_CHECK: &str = r#"{ type = "http", port = 80, path = "/healthz", interval = "300ms", timeout = "300ms", rise = 2, fall = 2 }"#;

/// A config file in the making.
#[derive(Debug, Clone)]
pub struct Config {
    toml: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { toml: "interfaces = [\"eth0\"]\n".to_owned() }
    }
}

impl Config {
    /// Without services.
    pub fn new() -> Self {
        Self::default()
    }

    /// With the usual service: `web` at an address, every backend with weight 1, no health check.
    pub fn web(address: impl Display, backends: &[Backend]) -> Self {
        Self::new().service("web", format!("tcp:{address}")).backends(backends)
    }

    /// A setting of what was stated last: a backend, a service, or the file itself.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.line(format_args!("{name} = {value}"));
        self
    }

    /// A service; what follows belongs to it.
    #[must_use]
    pub fn service(mut self, name: &str, address: impl Display) -> Self {
        self.line(format_args!("\n[[service]]\nname = \"{name}\"\naddress = \"{address}\""));
        self
    }

    /// The service's health check; before its backends, like all its settings.
    #[must_use]
    pub fn check(self, check: &str) -> Self {
        self.setting("check", check)
    }

    /// A backend of the service.
    #[must_use]
    pub fn backend(mut self, address: impl Display, weight: u16) -> Self {
        self.line(format_args!("[[service.backend]]\naddress = \"{address}\"\nweight = {weight}"));
        self
    }

    /// Backends of the service, each with weight 1.
    #[must_use]
    pub fn backends(self, backends: &[Backend]) -> Self {
        backends.iter().fold(self, |config, backend| config.backend(backend.v4(), 1))
    }

    /// The file's text.
    pub fn to_toml(&self) -> String {
        self.toml.clone()
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.toml, "{text}");
    }
}
