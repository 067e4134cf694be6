//! Health checks against real servers on the loopback interface.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroU16,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use lb::{
    health::{BackendHealth, Health, HealthReport, Target},
    model::{BackendKey, Check, HttpCheck, Probe, Timing},
    state::Health::{self as State, Down, Up},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

/// Longer than any step takes, also on a machine that has much else to do.
const DEADLINE: Duration = Duration::from_secs(15);

/// Quick, and still patient enough for a busy machine.
const TIMING: Timing = Timing {
    interval: Duration::from_millis(40),
    timeout: Duration::from_millis(40),
    rise: 2,
    fall: 3,
};

/// For servers that answer: a busy machine shall not make them look slow.
const PATIENT: Timing = Timing { timeout: Duration::from_secs(10), ..TIMING };

fn must<T, E: std::fmt::Debug>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error:?}"))
}

fn key(name: &str) -> BackendKey {
    let address = must("192.0.2.21:80".parse());
    BackendKey { service: must(name.parse()), address }
}

fn tcp(timing: Timing) -> Check {
    Check { probe: Probe::Tcp, port: None, timing }
}

fn http(timing: Timing) -> Check {
    let check = HttpCheck { path: "/healthz".into(), host: None, expect: vec![] };
    Check { probe: Probe::Http(check), port: None, timing }
}

fn expecting(statuses: &[u16]) -> Check {
    let expect = statuses.to_vec();
    let check = HttpCheck { path: "/healthz?deep=1".into(), host: Some("a.test".into()), expect };
    Check { probe: Probe::Http(check), port: None, timing: PATIENT }
}

fn target(address: SocketAddr, check: Check) -> Target {
    let port = must(NonZeroU16::try_from(address.port()));
    Target { address: address.ip(), port, check, initial: None }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = must(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await);
    let address = must(listener.local_addr());
    (listener, address)
}

/// A port that nobody listens on, yet nobody else can take: bound, and not listening.
fn refusing() -> (tokio::net::TcpSocket, SocketAddr) {
    let socket = must(tokio::net::TcpSocket::new_v4());
    must(socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))));
    let address = must(socket.local_addr());
    (socket, address)
}

/// Answers each connection by `answer`, which is given the request's head.
async fn serve(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> SocketAddr {
    let (listener, address) = listen().await;
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            tokio::spawn(async move { reply(stream, answer.as_ref()).await });
        }
    });
    address
}

async fn reply(mut stream: TcpStream, answer: &(impl Fn(&str) -> String + Send + Sync)) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let answer = answer(&String::from_utf8_lossy(&head));
    // The prober may have gone away: that is its right.
    drop(stream.write_all(answer.as_bytes()).await);
}

fn status(line: &str) -> String {
    format!("HTTP/1.1 {line}\r\nContent-Length: 2\r\n\r\nhi")
}

struct Checks {
    health: Health,
    reports: mpsc::Receiver<HealthReport>,
}

impl Checks {
    fn of<const N: usize>(targets: [(&str, Target); N]) -> Self {
        let (sender, reports) = mpsc::channel(1);
        let checks = Self { health: Health::spawn(sender), reports };
        checks.watch(targets);
        checks
    }

    fn watch<const N: usize>(&self, targets: [(&str, Target); N]) {
        let targets = targets.into_iter().map(|(name, target)| (key(name), target));
        self.health.watch(targets.collect());
    }

    async fn next(&mut self) -> (State, Option<String>) {
        match timeout(DEADLINE, self.reports.recv()).await {
            Ok(Some(report)) => (report.health, report.reason),
            other => panic!("no report: {other:?}; {:?}", self.health.snapshot().await),
        }
    }

    /// Asks for the snapshot until it is as wanted.
    async fn until(&self, name: &str, wanted: impl Fn(&BackendHealth) -> bool) -> BackendHealth {
        let asked = Instant::now();
        loop {
            let mut snapshot = self.health.snapshot().await;
            match snapshot.remove(&key(name)) {
                Some(health) if wanted(&health) => return health,
                other => assert!(asked.elapsed() < DEADLINE, "{name} is still {other:?}"),
            }
            tokio::task::yield_now().await;
        }
    }
}

fn down(reason: &str) -> (State, Option<String>) {
    (Down, Some(reason.to_owned()))
}

#[tokio::test]
async fn a_server_that_accepts_connections_is_up() {
    let (_listener, address) = listen().await;
    let mut checks = Checks::of([("web", target(address, tcp(PATIENT)))]);
    assert_eq!(checks.next().await, (Up, None));
    let health = checks.until("web", |health| health.consecutive >= 3).await;
    assert_eq!((health.health, health.last_error), (Some(Up), None));
    assert!(health.last_latency.is_some());
}

#[tokio::test]
async fn a_port_that_refuses_is_down_at_the_first_probe() {
    let (_socket, address) = refusing();
    for check in [tcp(PATIENT), http(PATIENT)] {
        let mut checks = Checks::of([("web", target(address, check))]);
        assert_eq!(checks.next().await, down("connection refused"));
    }
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_times_out() {
    let (_listener, address) = listen().await;
    let mut checks = Checks::of([("web", target(address, http(TIMING)))]);
    assert_eq!(checks.next().await, down("timed out after 40ms"));
}

#[tokio::test]
async fn an_answer_whose_body_never_ends_times_out() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await);
            held.push(stream);
        }
    });
    let mut checks = Checks::of([("web", target(address, http(TIMING)))]);
    assert_eq!(checks.next().await, down("timed out after 40ms"));
    server.abort();
}

#[tokio::test]
async fn the_status_of_an_answer_decides() {
    for (line, expected) in [
        ("200 OK", (Up, None)),
        ("204 No Content", (Up, None)),
        ("302 Found\r\nLocation: http://192.0.2.1/", (Up, None)),
        ("404 Not Found", down("http 404")),
        ("503 Service Unavailable", down("http 503")),
    ] {
        let address = serve(move |_| status(line)).await;
        let mut checks = Checks::of([("web", target(address, http(PATIENT)))]);
        assert_eq!(checks.next().await, expected, "{line}");
    }
}

#[tokio::test]
async fn only_the_expected_statuses_are_good_where_some_are_given() {
    let address = serve(|_| status("401 Unauthorized")).await;
    let mut checks = Checks::of([("web", target(address, expecting(&[401])))]);
    assert_eq!(checks.next().await, (Up, None));
    let mut checks = Checks::of([("web", target(address, expecting(&[200, 201])))]);
    assert_eq!(checks.next().await, down("http 401"));
}

#[tokio::test]
async fn the_request_is_for_the_path_and_host_of_the_check() {
    let address = serve(|head| {
        let asked = head.starts_with("GET /healthz?deep=1 HTTP/1.1\r\n");
        let good = asked && head.to_lowercase().contains("\r\nhost: a.test\r\n");
        status(if good { "200 OK" } else { "400 Bad Request" })
    })
    .await;
    let mut checks = Checks::of([("web", target(address, expecting(&[])))]);
    assert_eq!(checks.next().await, (Up, None));
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_named_as_such() {
    for (answer, reason) in [
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n", "the answer is not HTTP/1.1"),
        ("", "connection closed before an answer"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "connection closed before an answer"),
    ] {
        let address = serve(move |_| answer.to_owned()).await;
        let mut checks = Checks::of([("web", target(address, http(PATIENT)))]);
        assert_eq!(checks.next().await, down(reason), "{answer:?}");
    }
}

#[tokio::test]
async fn a_server_that_fails_for_a_while_leaves_and_comes_back() {
    let broken = Arc::new(AtomicBool::new(false));
    let requests = Arc::new(AtomicUsize::new(0));
    let (is_broken, counter) = (Arc::clone(&broken), Arc::clone(&requests));
    let address = serve(move |_| {
        counter.fetch_add(1, SeqCst);
        status(if is_broken.load(SeqCst) { "500 Oh" } else { "200 OK" })
    })
    .await;
    let mut checks = Checks::of([("web", target(address, http(PATIENT)))]);
    assert_eq!(checks.next().await, (Up, None));

    let before = requests.load(SeqCst);
    broken.store(true, SeqCst);
    assert_eq!(checks.next().await, down("http 500"));
    assert!(requests.load(SeqCst) - before >= usize::from(PATIENT.fall));

    let before = requests.load(SeqCst);
    broken.store(false, SeqCst);
    assert_eq!(checks.next().await, (Up, None));
    assert!(requests.load(SeqCst) - before >= usize::from(PATIENT.rise));
}

#[tokio::test]
async fn a_backend_known_to_be_up_is_not_taken_out_by_one_bad_probe() {
    let (_socket, address) = refusing();
    let known = Target { initial: Some(Up), ..target(address, tcp(PATIENT)) };
    let mut checks = Checks::of([("web", known)]);
    let first = checks.until("web", |health| health.last_error.is_some()).await;
    assert!(first.consecutive >= PATIENT.fall || first.health == Some(Up));
    assert_eq!(checks.next().await, down("connection refused"));
    checks.until("web", |health| health.consecutive >= PATIENT.fall).await;
}

#[tokio::test]
async fn an_unchanged_check_goes_on_and_a_changed_one_keeps_its_health() {
    let (_listener, address) = listen().await;
    let mut checks = Checks::of([("web", target(address, tcp(PATIENT)))]);
    assert_eq!(checks.next().await, (Up, None));
    let counted = checks.until("web", |health| health.consecutive >= 5).await;

    checks.watch([("web", target(address, tcp(PATIENT)))]);
    let same = checks.until("web", |_| true).await;
    assert!(same.consecutive >= counted.consecutive && same.since == counted.since);

    let slower = Timing { interval: Duration::from_hours(1), ..PATIENT };
    checks.watch([("web", target(address, tcp(slower)))]);
    let changed = checks.until("web", |_| true).await;
    assert_eq!((changed.health, changed.since), (Some(Up), counted.since));
    assert!(changed.consecutive <= 1);
}

#[tokio::test]
async fn a_removed_backend_is_asked_no_more_and_forgotten() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let removed = serve(move |_| {
        counter.fetch_add(1, SeqCst);
        status("200 OK")
    })
    .await;
    let (_listener, stays) = listen().await;
    let stays = || ("a", target(stays, tcp(PATIENT)));
    let mut checks = Checks::of([stays(), ("b", target(removed, http(PATIENT)))]);
    checks.next().await;
    checks.next().await;
    checks.watch([stays()]);
    let snapshot = checks.health.snapshot().await;
    assert_eq!(snapshot.into_keys().collect::<Vec<_>>(), [key("a")]);

    // A question that was under way may still arrive; then no more, while the other is asked on.
    let mut rounds = checks.until("a", |_| true).await.consecutive + 5;
    checks.until("a", |health| health.consecutive >= rounds).await;
    let before = asked.load(SeqCst);
    rounds += 5;
    checks.until("a", |health| health.consecutive >= rounds).await;
    assert_eq!(asked.load(SeqCst), before);
}

#[tokio::test]
async fn reports_that_nobody_takes_delay_neither_checks_nor_the_list() {
    let (_listener, address) = listen().await;
    let names: Vec<_> = (0..20).map(|n| format!("web{n}")).collect();
    let (sender, mut reports) = mpsc::channel(1);
    let health = Health::spawn(sender);
    let targets = names.iter().map(|name| (key(name), target(address, tcp(PATIENT))));
    health.watch(targets.collect::<BTreeMap<_, _>>());
    let asked = Instant::now();
    while health.snapshot().await.values().any(|health| health.consecutive < 3) {
        assert!(asked.elapsed() < DEADLINE);
    }
    for _ in &names {
        let report = timeout(DEADLINE, reports.recv()).await;
        assert!(matches!(report, Ok(Some(HealthReport { health: Up, .. }))));
    }
}
