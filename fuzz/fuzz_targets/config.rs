//! Any text as a config file: it is refused in one line, or what is written of it reads back the
//! same.
#![no_main]

use lb::config::{Config, export};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Config::parse("lb.toml", text) {
        Ok(config) => {
            let written = export(&config.desired);
            let again = Config::parse("lb.toml", &written).expect("what was written is right");
            assert_eq!(again.desired, config.desired, "{written}");
        }
        Err(error) => assert_eq!(error.to_string().lines().count(), 1, "{error}"),
    }
});
