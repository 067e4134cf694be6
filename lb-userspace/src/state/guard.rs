//! What keeps a slip of an operator from taking a service down.

use std::collections::BTreeSet;

use super::{Desired, Refusal};
use crate::model::{Admin, Backend, BackendAddress, BackendKey, Service, ServiceName};

/// Refuses a change that would leave a service with fewer backends that serve new flows than its
/// `min_healthy`. What is below it already, for whatever reason, may change as long as it does not
/// fall further; and a service that is removed takes its guard along.
///
/// `able` are the backends that are healthy and reachable, whatever the operator wants of them.
pub fn guard(
    before: &Desired,
    after: &Desired,
    able: &BTreeSet<BackendKey>,
) -> Result<(), Refusal> {
    for (name, new) in &after.services {
        let Some(old) = before.services.get(name) else { continue };
        let least = usize::from(new.policy.min_healthy);
        if least == 0 {
            continue;
        }
        let left = serving(name, new, able);
        if left < least && left < serving(name, old, able) {
            let backends = if left == 1 { "backend" } else { "backends" };
            return Err(Refusal::Guarded(format!(
                "service \"{name}\": {left} {backends} would be left to serve new flows, and \
                 min_healthy is {least}: add --force to do it all the same"
            )));
        }
    }
    Ok(())
}

/// How many backends of a service new flows may be given to: its primaries, and its backups while
/// there are too few of those.
fn serving(name: &ServiceName, service: &Service, able: &BTreeSet<BackendKey>) -> usize {
    let serves = |address: &BackendAddress, backend: &Backend| {
        backend.admin == Admin::Enabled
            && backend.weight.0 > 0
            && able.contains(&BackendKey { service: name.clone(), address: *address })
    };
    let serving = service.backends.iter().filter(|(address, backend)| serves(address, backend));
    let (backups, primaries): (Vec<_>, Vec<_>) = serving.partition(|(_, backend)| backend.backup);
    let is_enough = primaries.len() >= usize::from(service.policy.min_primaries.get());
    primaries.len() + if is_enough { 0 } else { backups.len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Config,
        model::Weight,
        state::{BackendSettings, Change, ServiceSettings},
    };

    /// Three primaries and a backup, 192.0.2.21 to 24, of which two shall serve.
    fn web() -> Desired {
        let backend = |last, more: &str| {
            format!("[[service.backend]]\naddress = \"192.0.2.{last}\"\n{more}\n")
        };
        let text = format!(
            "[[service]]\nname = \"web\"\naddress = \"tcp:203.0.113.10:443\"\nmin_healthy = 2\n{}{}{}{}",
            backend(21, ""),
            backend(22, ""),
            backend(23, ""),
            backend(24, "backup = true"),
        );
        Config::parse("lb.toml", &text).unwrap().desired
    }

    fn key(last: u8) -> BackendKey {
        let address = format!("192.0.2.{last}:443").parse().unwrap();
        BackendKey { service: "web".parse().unwrap(), address }
    }

    fn drain(last: u8) -> Change {
        Change::SetAdmin { backend: key(last), admin: Admin::Draining }
    }

    fn set(last: u8, settings: BackendSettings) -> Change {
        Change::SetBackend { backend: key(last), settings }
    }

    fn weigh(last: u8, weight: u16) -> Change {
        let weight = Some(Weight(weight));
        set(last, BackendSettings { weight, ..BackendSettings::default() })
    }

    /// What the guard says of a change to `web` while these of its backends are able.
    fn verdict(able: &[u8], change: Change) -> Result<(), String> {
        let before = web();
        let after = before.apply(change).unwrap().0;
        let able = able.iter().map(|last| key(*last)).collect();
        guard(&before, &after, &able).map_err(|refusal| {
            assert!(matches!(refusal, Refusal::Guarded(_)));
            refusal.to_string()
        })
    }

    #[test]
    fn as_long_as_enough_are_left_a_backend_may_go() {
        assert_eq!(verdict(&[21, 22, 23], drain(21)), Ok(()));
        assert_eq!(verdict(&[21, 22, 23], weigh(21, 0)), Ok(()));
    }

    #[test]
    fn whatever_would_leave_too_few_is_refused_with_the_numbers_and_the_remedy() {
        let said = "service \"web\": 1 backend would be left to serve new flows, and min_healthy \
                    is 2: add --force to do it all the same";
        let backup = BackendSettings { backup: Some(true), ..BackendSettings::default() };
        for change in [
            drain(21),
            Change::SetAdmin { backend: key(21), admin: Admin::Disabled },
            Change::RemoveBackend { backend: key(21) },
            weigh(21, 0),
            set(21, backup),
        ] {
            assert_eq!(verdict(&[21, 22], change.clone()), Err(said.to_owned()), "{change:?}");
        }
    }

    #[test]
    fn a_file_is_held_against_the_guard_like_a_command() {
        let mut file = web();
        let service = file.services.get_mut(&"web".parse().unwrap()).unwrap();
        service.backends.clear();
        let refused = verdict(&[21, 22, 23], Change::Apply(file)).unwrap_err();
        assert!(refused.contains(" 0 backends would be left"), "{refused}");
    }

    #[test]
    fn a_backend_that_does_not_serve_may_always_go() {
        assert_eq!(verdict(&[22], drain(21)), Ok(()));
        assert_eq!(verdict(&[21, 22], drain(24)), Ok(()));
    }

    #[test]
    fn a_backup_counts_from_when_it_steps_in() {
        let name = "web".parse().unwrap();
        let settings = ServiceSettings { min_primaries: 2.try_into().ok(), ..Default::default() };
        let before = web().apply(Change::SetService { name, settings }).unwrap().0;
        let after = before.apply(drain(21)).unwrap().0;
        let able = [key(21), key(22), key(24)];
        assert_eq!(guard(&before, &after, &able.clone().into()), Ok(()));
        let [first, second, _] = able;
        assert!(guard(&before, &after, &[first, second].into()).is_err());
    }

    #[test]
    fn a_guard_can_be_lowered_or_leave_with_its_service() {
        let name = || "web".parse().unwrap();
        let settings = ServiceSettings { min_healthy: Some(9), ..Default::default() };
        assert_eq!(verdict(&[21], Change::SetService { name: name(), settings }), Ok(()));
        assert_eq!(verdict(&[21, 22], Change::RemoveService { name: name() }), Ok(()));
    }
}
