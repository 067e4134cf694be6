//! What `lb status -o json` says, as far as stories ask.

use std::net::IpAddr;

use serde_json::Value;

/// How things stand.
#[derive(Debug, Clone)]
pub struct Status {
    backends: Vec<BackendStatus>,
    problems: Vec<String>,
}

/// A backend of a service.
#[derive(Debug, Clone)]
pub struct BackendStatus {
    /// The service's name.
    pub service: String,
    /// The backend's address as it is written, with or without a port.
    pub address: String,
    /// What becomes of packets for it: `up`, `down`, `draining` …
    pub state: String,
    /// Its share of new flows, relative to the others of the service.
    pub weight: u64,
    /// Slots of the service's table that are its own.
    pub slots: u64,
    /// Its live flows.
    pub flows: u64,
}

impl Status {
    /// # Panics
    /// When the JSON is of another form.
    #[track_caller]
    pub(crate) fn new(json: &Value) -> Self {
        let backends = list(&json["services"]).iter().flat_map(|service| {
            let name = text(&service["name"]);
            list(&service["backends"]).iter().map(move |backend| BackendStatus {
                service: name.clone(),
                address: text(&backend["address"]),
                state: text(&backend["state"]),
                weight: number(&backend["weight"]),
                slots: number(&backend["slots"]),
                flows: number(&backend["flows"]),
            })
        });
        let problems = list(&json["problems"]).iter().map(text).collect();
        Self { backends: backends.collect(), problems }
    }

    /// Every backend of every service.
    pub fn backends(&self) -> impl Iterator<Item = &BackendStatus> {
        self.backends.iter()
    }

    /// What is wrong, one sentence each.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// The backend with that address, of the first service that has it.
    pub fn backend(&self, address: impl Into<IpAddr>) -> Option<&BackendStatus> {
        let address = address.into();
        self.backends.iter().find(|backend| backend.ip() == Some(address))
    }

    /// The state of the backend with that address; empty when there is none.
    pub fn state(&self, address: impl Into<IpAddr>) -> &str {
        self.backend(address).map_or("", |backend| &backend.state)
    }
}

impl BackendStatus {
    fn ip(&self) -> Option<IpAddr> {
        let socket = || self.address.parse().map(|socket: std::net::SocketAddr| socket.ip());
        self.address.parse().or_else(|_| socket()).ok()
    }
}

#[track_caller]
fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| unexpected(value))
}

#[track_caller]
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| unexpected(value)).to_owned()
}

#[track_caller]
fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| unexpected(value))
}

#[track_caller]
fn unexpected(value: &Value) -> ! {
    panic!("lb status says what the lab does not understand: {value}")
}
