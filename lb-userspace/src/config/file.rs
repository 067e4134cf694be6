//! `lb.toml` as it is written: names and TOML types only. [`super::resolve`] gives it meaning.
//!
//! Every value keeps its place in the text, so that an error can say which line it is about.

use serde::Deserialize;
pub(super) use toml::Spanned;

/// A text and where it stands.
pub(super) type Text = Spanned<String>;
/// A whole number and where it stands.
pub(super) type Number = Spanned<i64>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) interfaces: Option<Spanned<Vec<Text>>>,
    pub(super) mode: Option<Text>,
    pub(super) hash_key: Option<Text>,
    #[serde(default)]
    pub(super) limits: LimitsTable,
    #[serde(default)]
    pub(super) tunnel: TunnelTable,
    #[serde(default)]
    pub(super) daemon: DaemonTable,
    #[serde(default)]
    pub(super) service: Vec<Spanned<ServiceTable>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct LimitsTable {
    pub(super) flows: Option<Number>,
    pub(super) affinities: Option<Number>,
    pub(super) services: Option<Number>,
    pub(super) backends: Option<Number>,
    pub(super) maglev_slots: Option<Number>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct TunnelTable {
    pub(super) source4: Option<Text>,
    pub(super) source6: Option<Text>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct DaemonTable {
    pub(super) pins: Option<Text>,
    pub(super) socket: Option<Text>,
    pub(super) state: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct ServiceTable {
    pub(super) name: Text,
    pub(super) address: Text,
    pub(super) scheduler: Option<Text>,
    pub(super) forward: Option<Text>,
    pub(super) table_size: Option<Number>,
    pub(super) check: Option<Spanned<CheckTable>>,
    pub(super) hash: Option<Text>,
    pub(super) affinity: Option<AffinityTable>,
    #[serde(default)]
    pub(super) idle: IdleTable,
    pub(super) on_failure: Option<Text>,
    pub(super) on_drain: Option<Text>,
    pub(super) min_healthy: Option<Number>,
    pub(super) slow_start: Option<Text>,
    pub(super) min_primaries: Option<Number>,
    pub(super) panic_threshold: Option<Number>,
    #[serde(default)]
    pub(super) backend: Vec<BackendTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct BackendTable {
    pub(super) address: Text,
    pub(super) weight: Option<Number>,
    #[serde(default)]
    pub(super) backup: bool,
    pub(super) max_flows: Option<Number>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct AffinityTable {
    pub(super) by: Text,
    pub(super) prefix4: Option<Number>,
    pub(super) prefix6: Option<Number>,
    pub(super) timeout: Option<Text>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct IdleTable {
    pub(super) syn: Option<Text>,
    pub(super) established: Option<Text>,
    pub(super) closing: Option<Text>,
    pub(super) udp: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct CheckTable {
    #[serde(rename = "type")]
    pub(super) probe: Text,
    pub(super) port: Option<Number>,
    pub(super) path: Option<Text>,
    pub(super) host: Option<Text>,
    pub(super) expect: Option<Spanned<Vec<Number>>>,
    pub(super) interval: Option<Text>,
    pub(super) timeout: Option<Text>,
    pub(super) rise: Option<Number>,
    pub(super) fall: Option<Number>,
}
