//! Panics of programs that people run.

use std::panic;

/// A broken lab is told in a sentence: where in its code it broke says nothing to a person.
pub fn are_sentences() {
    panic::set_hook(Box::new(|panic| {
        eprintln!("error: {}", panic.payload_as_str().unwrap_or("the lab broke"));
    }));
}
