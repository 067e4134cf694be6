//! The kernel that the tests run on.

use std::fs;

/// Its version: major and minor.
pub(super) fn release() -> (u32, u32) {
    let text = fs::read_to_string("/proc/sys/kernel/osrelease").expect("the kernel's release");
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map_while(|part| part.parse().ok());
    let mut next = || numbers.next().expect("a release such as 6.18.44");
    (next(), next())
}
