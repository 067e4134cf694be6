use serde_json::json;

use super::*;
use crate::{
    config::Config,
    model::{Admin, BackendKey},
    state::{Change, IdLimits},
};

fn desired(weight: u16) -> Desired {
    let text = format!(
        "[[service]]\nname = \"web\"\naddress = \"tcp:203.0.113.10:443\"\n\
         check = {{ type = \"http\" }}\n\
         [[service.backend]]\naddress = \"192.0.2.21\"\nweight = {weight}\n"
    );
    Config::parse("lb.toml", &text).unwrap().desired
}

fn drained(desired: &Desired) -> Desired {
    let backend =
        BackendKey { service: "web".parse().unwrap(), address: "192.0.2.21".parse().unwrap() };
    desired.apply(Change::SetAdmin { backend, admin: Admin::Draining }).unwrap().0
}

fn state() -> State {
    let file = desired(1);
    let ids = Ids::default().assign(&file, IdLimits { services: 8, backends: 8 }).unwrap();
    State { desired: drained(&file), ids, hash_seed: HashSeed::random().unwrap(), file }
}

#[test]
fn what_is_saved_is_loaded_and_nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("not/there/yet/state.json");
    assert_eq!(State::load(&path).unwrap(), None);
    for _ in 0..2 {
        let state = state();
        state.save(&path).unwrap();
        assert_eq!(State::load(&path).unwrap(), Some(state));
    }
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file stays");
}

#[test]
fn a_state_file_that_cannot_be_used_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.json");
    state().save(&path).unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    for (text, expected) in [
        (whole.replace("\"version\": 1", "\"version\": 7"), "version 7, this lb reads version 1"),
        (whole[..whole.len() / 2].to_owned(), "the state file is damaged (EOF while parsing"),
        (whole.replace("192.0.2.21:443", "192.0.2.21:80"), "port 80 is not the service's port"),
        (whole.replace("192.0.2.21:443", "192.0.2.21"), "a backend lacks its port"),
        (whole.replace("\"id\": 1", "\"id\": 0"), "a number has two owners, or is 0"),
        (String::new(), "damaged"),
    ] {
        fs::write(&path, text).unwrap();
        let error = State::load(&path).unwrap_err().to_string();
        assert!(error.starts_with(&path.display().to_string()), "{error}");
        assert!(error.contains(expected), "{error}");
        assert!(error.contains("without the changes made by command"), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn the_state_file_of_an_lb_that_knew_fewer_settings_is_read() {
    let mut state = state();
    let json = serde_json::to_value(&state).unwrap();
    let backends = json!({ "192.0.2.21:443": { "weight": 1, "admin": "draining" } });
    let mut old = json.clone();
    for part in ["desired", "file"] {
        old[part]["services"]["web"] = json!({
            "address": "tcp:203.0.113.10:443",
            "scheduler": "maglev",
            "forward": "ipip",
            "table_size": 65536,
            "check": json[part]["services"]["web"]["check"],
            "backends": backends,
        });
    }
    old["version"] = json!(1);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.json");
    fs::write(&path, old.to_string()).unwrap();
    state.file = drained(&state.file);
    assert_eq!(State::load(&path).unwrap(), Some(state));
}

#[test]
fn a_change_made_by_command_survives_a_restart_until_the_file_changes() {
    let saved = state();
    let (same, differences) = startup(&desired(1), Some(&saved));
    assert_eq!((same, differences), (saved.desired.clone(), Vec::new()));

    let (changed, differences) = startup(&desired(5), Some(&saved));
    assert_eq!(changed, drained(&desired(5)), "the operator's word stays");
    assert_eq!(differences.len(), 1);

    let (first, differences) = startup(&desired(1), None);
    assert_eq!((first, differences.len()), (desired(1), 2));
}

#[test]
fn one_secret_gives_one_key_in_every_version() {
    let key = hash_key(b"shared");
    assert_eq!(key, hash_key(b"shared"));
    assert_ne!(key, hash_key(b"shared "));
    assert_eq!(
        key,
        HashKey::new([
            0xa25f_e8f2_bd90_77e8,
            0xe38a_f96f_fa5a_5eac,
            0xd6e6_b79a_6df4_0de9,
            0x98ab_b67a_fec8_d30c,
            0x1195_c0ca_a553_20ca,
            0xfc54_b54c_e039_4987,
            0x3f95_6bfb_14c1_1cf4,
            0xe11d_1d42_03f5_85c8,
            0xf708_5703_0e2a_1995,
            0x4671_85c7_d690_de60,
            0x055f_632c_d5ed_6632,
            0x992e_c152_dba9_9c56
        ])
    );
}
