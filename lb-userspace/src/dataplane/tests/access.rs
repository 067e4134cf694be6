//! Who may run a data path.

use std::{
    fs::{Permissions, set_permissions},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use super::*;
use crate::dataplane::Claim;

const NOBODY: libc::uid_t = 65534;

#[test]
fn a_pin_directory_has_one_daemon_at_a_time_and_others_have_their_own() {
    let world = World::new();
    let pin_dir = world.pin_dir();
    let claim = Claim::take(&pin_dir).unwrap();
    let refusal = Claim::take(&pin_dir).unwrap_err().to_string();
    let expected = format!("the data path that is pinned in {}: stop that", pin_dir.display());
    assert!(refusal.contains(&expected), "{refusal}");
    let link = world.dir.path().join("link");
    symlink(&pin_dir, &link).unwrap();
    assert!(Claim::take(&link).is_err(), "whatever path leads there");
    drop(Claim::take(&pin_dir.join("second")).unwrap());
    assert!(!pin_dir.join("second").exists(), "a claim that came to nothing leaves nothing");
    drop(claim);
    Claim::take(&pin_dir).unwrap();
}

#[test]
fn a_start_by_an_ordinary_user_says_what_is_not_permitted() {
    let world = World::new();
    drop(world.open());
    detach(&world.pin_dir()).unwrap();
    let everyone = |path: &Path| set_permissions(path, Permissions::from_mode(0o777)).unwrap();
    everyone(world.dir.path());

    let closed = world.pin_dir().join("closed");
    let refusal = as_nobody(|| world.refusal(|config| config.pin_dir.clone_from(&closed)));
    assert!(refusal.starts_with(&format!("creating {}", closed.display())), "{refusal}");
    assert!(refusal.contains("is not permitted: run as root, or have root give"), "{refusal}");

    let elsewhere = world.dir.path().join("elsewhere");
    let refusal = as_nobody(|| world.refusal(|config| config.pin_dir.clone_from(&elsewhere)));
    assert!(refusal.starts_with("mounting a BPF file system on "), "{refusal}");
    assert!(refusal.contains("CAP_SYS_ADMIN"), "{refusal}");
    assert!(refusal.contains(&format!("mount -t bpf bpf {}", elsewhere.display())), "{refusal}");

    everyone(&world.pin_dir());
    let refusal = as_nobody(|| world.refusal(|_| ()));
    assert!(refusal.contains("is not permitted: run as root, or with CAP_BPF"), "{refusal}");
}

/// Does something as a user without capabilities: on Linux, ids are of a thread.
fn as_nobody<T>(work: impl FnOnce() -> T) -> T {
    become_user(NOBODY);
    let done = work();
    become_user(0);
    done
}

fn become_user(id: libc::uid_t) {
    let unchanged = libc::uid_t::MAX;
    // SAFETY: three integers.
    let done = unsafe { libc::syscall(libc::SYS_setresuid, unchanged, id, unchanged) };
    assert_eq!(done, 0);
}
