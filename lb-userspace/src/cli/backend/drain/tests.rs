use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, mpsc};

use super::*;
use crate::{
    api::{
        ChangeResponse, Command,
        tests::{Daemon, a_status},
    },
    cli::console::Output,
};

/// A daemon with one backend, which has these flows at one look after another and the last of them
/// for ever; and what its operators made of the backend.
struct World {
    daemon: Daemon,
    words: Arc<Mutex<Vec<Admin>>>,
}

impl World {
    fn new(flows: &[u64], looked: impl Fn(usize) + Send + Sync + 'static) -> Self {
        let flows = flows.to_vec();
        let words = Arc::new(Mutex::new(Vec::new()));
        let said = Arc::clone(&words);
        let daemon = Daemon::owned_by(async move |mut inbox: mpsc::Receiver<Command>| {
            let mut looks = 0;
            while let Some(command) = inbox.recv().await {
                match command {
                    Command::Change { request, reply } => {
                        let Change::SetAdmin { admin, .. } = request.change else { panic!() };
                        said.lock().unwrap().push(admin);
                        let response = ChangeResponse { differences: Vec::new(), dry_run: false };
                        drop(reply.send(Ok(response)));
                    }
                    Command::Status { reply } => {
                        let mut status = a_status();
                        let backend = &mut status.services[0].backends[0];
                        backend.admin = said.lock().unwrap().last().copied().unwrap_or_default();
                        backend.flows = flows.get(looks).or(flows.last()).copied();
                        looks += 1;
                        looked(looks);
                        drop(reply.send(Ok(status)));
                    }
                    other => panic!("{other:?}"),
                }
            }
        });
        Self { daemon, words }
    }

    fn console(&self) -> Console {
        Console::new(&self.daemon.socket(), Output::Json)
    }

    /// Waits without having drained.
    async fn watch(&self, deadline: Option<Duration>) -> Result<Drained, Failure> {
        let pace = Pace { deadline, poll: Duration::from_millis(1) };
        within_patience(watch(&self.console(), &backend(), pace, std::future::pending::<()>()))
            .await
    }

    async fn drain(&self, deadline: Option<Duration>) -> Result<(), Failure> {
        let BackendKey { service, address } = backend();
        let force = Force::default();
        let target = Target { service, address };
        let drain = Drain { target, wait: true, deadline, force };
        within_patience(drain.run(&self.console())).await
    }

    fn words(&self) -> Vec<Admin> {
        self.words.lock().unwrap().clone()
    }
}

/// Nothing here has a reason to last: what does not end is wrong.
async fn within_patience<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the wait has no end")
}

fn backend() -> BackendKey {
    BackendKey { service: "web".parse().unwrap(), address: "192.0.2.21".parse().unwrap() }
}

fn drained(outcome: Outcome, cut: u64, left: Option<u64>) -> Drained {
    let BackendKey { service, .. } = backend();
    let backend = "192.0.2.21:443".parse().unwrap();
    Drained { service, backend, outcome, cut, left, seconds: 0 }
}

#[tokio::test]
async fn a_drain_is_over_when_the_last_flow_has_ended() {
    let world = World::new(&[3, 1, 1, 0], |_| ());
    world.words.lock().unwrap().push(Admin::Draining);
    let hour = Some(Duration::from_hours(1));
    assert_eq!(world.watch(hour).await.unwrap(), drained(Outcome::Drained, 0, None));
}

#[tokio::test]
async fn a_backend_that_is_drained_is_disabled() {
    let world = World::new(&[0], |_| ());
    world.drain(None).await.unwrap();
    assert_eq!(world.words(), [Admin::Draining, Admin::Disabled]);
}

#[tokio::test]
async fn what_is_left_at_the_deadline_is_cut_and_counted() {
    let world = World::new(&[12], |_| ());
    let none = Some(Duration::ZERO);
    world.drain(none).await.unwrap();
    assert_eq!(world.words(), [Admin::Draining, Admin::Disabled]);
    world.words.lock().unwrap().push(Admin::Draining);
    assert_eq!(world.watch(none).await.unwrap(), drained(Outcome::Deadline, 12, None));
}

#[tokio::test]
async fn an_interrupted_drain_leaves_the_backend_draining_and_says_so() {
    let world = World::new(&[5], |_| nix::sys::signal::raise(nix::sys::signal::SIGINT).unwrap());
    let failure = world.drain(None).await.unwrap_err();
    assert_eq!(failure.code(), 1);
    let said = failure.sentence();
    assert!(said.starts_with("interrupted: web: 192.0.2.21"), "{said}");
    assert_eq!(world.words(), [Admin::Draining]);
}

#[tokio::test]
async fn whoever_interrupts_is_told_how_many_flows_are_left() {
    let looked = Arc::new(Notify::new());
    let notify = Arc::clone(&looked);
    let world = World::new(&[5], move |looks| {
        if looks == 2 {
            notify.notify_one();
        }
    });
    world.words.lock().unwrap().push(Admin::Draining);
    let pace = Pace { deadline: None, poll: Duration::from_millis(1) };
    let drained = watch(&world.console(), &backend(), pace, looked.notified()).await.unwrap();
    let said = "interrupted: web: 192.0.2.21:443 is left draining, with 5 live flows";
    assert_eq!(drained.sentence(), said);
}

#[tokio::test]
async fn a_backend_that_somebody_enables_meanwhile_is_not_disabled() {
    let world = World::new(&[5], |_| ());
    world.words.lock().unwrap().push(Admin::Enabled);
    let failure = world.watch(None).await.unwrap_err();
    let said = "web: 192.0.2.21 drains no more: somebody has removed, enabled or disabled it";
    assert_eq!(failure.sentence(), said);
}

#[test]
fn the_end_of_a_drain_is_one_sentence_or_one_object() {
    let minutes = |drained| Drained { seconds: 61, ..drained };
    for (drained, said) in [
        (
            drained(Outcome::Drained, 0, None),
            "web: 192.0.2.21:443 disabled: drained in 1m 1s, no flow was cut",
        ),
        (
            drained(Outcome::Deadline, 1, None),
            "web: 192.0.2.21:443 disabled: the deadline passed after 1m 1s, 1 flow was cut",
        ),
        (
            drained(Outcome::Deadline, 2, None),
            "web: 192.0.2.21:443 disabled: the deadline passed after 1m 1s, 2 flows were cut",
        ),
    ] {
        assert_eq!(minutes(drained).sentence(), said);
    }
    assert_eq!(
        serde_json::to_string(&minutes(drained(Outcome::Deadline, 2, None))).unwrap(),
        r#"{"service":"web","backend":"192.0.2.21:443","outcome":"deadline","cut":2,"left":null,"seconds":61}"#
    );
}
