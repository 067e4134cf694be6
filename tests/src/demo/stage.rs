//! How the demo speaks.

use std::time::Duration;

use crate::topology::Lab;

/// The lab, and what has been claimed of it.
pub(super) struct Stage<'lab> {
    /// The lab.
    pub(super) lab: &'lab Lab,
    scenes: u32,
    broken: u32,
}

impl<'lab> Stage<'lab> {
    pub(super) fn new(lab: &'lab Lab) -> Self {
        Self { lab, scenes: 0, broken: 0 }
    }

    /// Begins a scene.
    pub(super) fn scene(&mut self, title: &str) {
        self.scenes += 1;
        println!("\n{}. {title}", self.scenes);
    }

    /// Claims something, and says whether it is so.
    pub(super) fn claim(&mut self, holds: bool, text: &str) {
        if holds {
            println!("   ✓ {text}");
        } else {
            self.broken += 1;
            println!("   ✗ not so: {text}");
        }
    }

    /// How many claims did not hold.
    pub(super) fn broken(&self) -> u32 {
        self.broken
    }
}

/// Tells something.
pub(super) fn tell(text: &str) {
    for line in text.lines().filter(|line| !line.is_empty()) {
        println!("   {line}");
    }
}

/// Tells what happened some time after the scene's event.
pub(super) fn tell_at(after: Duration, text: &str) {
    println!("   {:+6.2} s  {text}", after.as_secs_f64());
}
