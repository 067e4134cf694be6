//! The API as a client meets it, in front of a task that answers like the owner of the state.

use std::{
    io::{Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use lb_common::{counters::VerdictCounters, verdict::Verdict};
use tempfile::TempDir;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::{
    client::{Client, ClientError},
    server,
    socket::{Socket, SocketError},
    *,
};
use crate::{
    model::{Admin, Forward, Policy, TableSize, Weight},
    state::{Change, Difference, Refusal},
};

/// A daemon without a data path: a real socket and server, and an owner that answers from a list.
pub(crate) struct Daemon {
    directory: TempDir,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<std::io::Result<()>>,
}

impl Daemon {
    pub(crate) fn start() -> Self {
        Self::owned_by(own)
    }

    /// The same with another owner of the state.
    pub(crate) fn owned_by<T>(owner: impl FnOnce(mpsc::Receiver<Command>) -> T) -> Self
    where
        T: Future<Output = ()> + Send + 'static,
    {
        let directory = tempfile::tempdir().unwrap();
        let socket = Socket::bind(&directory.path().join("run/lb.sock")).unwrap();
        let (commands, inbox) = mpsc::channel(4);
        tokio::spawn(owner(inbox));
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(server::serve(socket, commands, async {
            let _ = stopped.await;
        }));
        Self { directory, stop: Some(stop), server }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("run/lb.sock")
    }

    fn client(&self) -> Client {
        Client::new(&self.socket())
    }

    async fn stop(mut self) -> TempDir {
        self.stop.take().unwrap().send(()).unwrap();
        self.server.await.unwrap().unwrap();
        self.directory
    }

    /// The status line and body of an answer to a request that no client of ours would make.
    async fn raw(&self, request: Vec<u8>) -> String {
        let socket = self.socket();
        let exchange = tokio::task::spawn_blocking(move || {
            let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
            // The server may refuse before it has read everything.
            let _ = stream.write_all(&request);
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            String::from_utf8(answer).unwrap()
        });
        exchange.await.unwrap()
    }

    async fn post(&self, path: &str, body: &str) -> String {
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nhost: lb\r\nconnection: close\r\n");
        self.raw(format!("{head}content-length: {length}\r\n\r\n{body}").into()).await
    }
}

/// Answers every command; the name of the service to remove says how.
async fn own(mut inbox: mpsc::Receiver<Command>) {
    while let Some(command) = inbox.recv().await {
        match command {
            Command::Change { request, reply } => drop(reply.send(change(&request))),
            Command::Status { reply } => drop(reply.send(Ok(a_status()))),
            Command::Stats { reply } => drop(reply.send(Ok(a_stats()))),
            Command::Flows { reply } => drop(reply.send(Ok(some_flows()))),
            Command::Desired { reply } => drop(reply.send(Ok(Desired::default()))),
        }
    }
}

fn change(request: &ChangeRequest) -> Result<ChangeResponse, ErrorBody> {
    let Change::RemoveService { name } = &request.change else {
        return Err(ErrorBody::internal("only removals are expected here"));
    };
    let said = format!("what about {name}");
    match name.as_str() {
        "missing" => Err(Refusal::NotFound(said).into()),
        "invalid" => Err(Refusal::Invalid(said).into()),
        "guarded" if !request.force => Err(Refusal::Guarded(said).into()),
        "broken" => Err(ErrorBody::internal(said)),
        _ => {
            let what = "removed".to_owned();
            let differences = vec![Difference { service: name.clone(), backend: None, what }];
            Ok(ChangeResponse { differences, dry_run: request.dry_run })
        }
    }
}

fn removal(name: &str) -> ChangeRequest {
    Change::RemoveService { name: name.parse().unwrap() }.into()
}

pub(crate) fn a_status() -> Status {
    Status {
        version: "0.1.0".to_owned(),
        pid: 812,
        started: 1_700_000_000,
        uptime: 75,
        config: "/etc/lb/lb.toml".into(),
        interfaces: vec![InterfaceStatus {
            name: "eth0".to_owned(),
            mode: Some(Mode::Native),
            warning: None,
        }],
        services: vec![ServiceView {
            name: "web".parse().unwrap(),
            address: "tcp:203.0.113.10:443".parse().unwrap(),
            forward: Forward::default(),
            table_size: TableSize::default(),
            check: None,
            policy: Policy::default(),
            healthy: 1,
            total: 1,
            backends: vec![BackendView {
                address: "192.0.2.21:443".parse().unwrap(),
                weight: Weight(10),
                backup: false,
                max_flows: None,
                admin: Admin::Enabled,
                health: HealthView::Unchecked,
                state: StateView::NoRoute,
                reason: None,
                slots: 65_536,
                flows: Some(3),
            }],
        }],
        problems: vec!["web: 192.0.2.21 has no next hop".to_owned()],
    }
}

fn a_stats() -> Stats {
    let traffic = Traffic { packets: 2, bytes: u64::MAX, new_flows: 1, untracked: 0, evicted: 0 };
    let address = "192.0.2.21:443".parse().unwrap();
    Stats {
        taken_ns: 5,
        services: vec![ServiceStats {
            name: "web".parse().unwrap(),
            address: "tcp:203.0.113.10:443".parse().unwrap(),
            traffic,
            backends: vec![BackendStats { address, traffic }],
        }],
        verdicts: Verdict::ALL
            .iter()
            .map(|verdict| VerdictStats::new(*verdict, VerdictCounters::default()))
            .collect(),
    }
}

/// A backend with some established flows that are busy, and 15 others.
pub(crate) fn a_flow_count(service: &str, address: &str, busy: u64) -> BackendFlows {
    BackendFlows {
        service: service.parse().unwrap(),
        address: address.parse().unwrap(),
        live: 15 + busy,
        states: FlowStates { opening: 1, fresh: 2, established: 7 + busy, closing: 5 },
        silent: FlowAges { under_10s: 1 + busy, under_1m: 2, under_10m: 3, under_1h: 4, longer: 5 },
    }
}

fn some_flows() -> Flows {
    Flows {
        backends: vec![
            a_flow_count("web", "192.0.2.21:443", 0),
            a_flow_count("web", "[2001:db8::22]:443", 50),
            a_flow_count("dns", "192.0.2.21:53", 7),
        ],
    }
}

#[tokio::test]
async fn flows_are_sorted_and_only_those_that_are_asked_for() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let all = ["[2001:db8::22]:443", "192.0.2.21:53", "192.0.2.21:443"];
    let service = |name: &str| Some(name.parse().unwrap());
    let backend = |address: &str| Some(address.parse().unwrap());
    let any = FlowsQuery::default;
    for (query, expected) in [
        (any(), &all[..]),
        (FlowsQuery { top: 2.try_into().ok(), ..any() }, &all[..2]),
        (FlowsQuery { service: service("dns"), ..any() }, &all[1..2]),
        (FlowsQuery { service: service("mail"), ..any() }, &[]),
        (FlowsQuery { backend: backend("192.0.2.21"), ..any() }, &all[1..]),
        (FlowsQuery { backend: backend("192.0.2.21:443"), ..any() }, &all[2..]),
        (FlowsQuery { backend: backend("[2001:db8::22]:443"), ..any() }, &all[..1]),
        (
            FlowsQuery { service: service("web"), backend: backend("2001:db8::22"), ..any() },
            &all[..1],
        ),
    ] {
        let flows = client.flows(&query).await.unwrap();
        let addresses: Vec<_> = flows.backends.iter().map(|one| one.address.to_string()).collect();
        assert_eq!(addresses, expected, "{query:?}");
    }
    let answer = daemon
        .raw(b"GET /v1/flows?sevice=web HTTP/1.1\r\nhost: lb\r\nconnection: close\r\n\r\n".to_vec())
        .await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("sevice"), "{answer}");
}

#[tokio::test]
async fn every_answer_arrives_as_the_owner_gave_it() {
    let daemon = Daemon::start();
    let client = daemon.client();
    assert_eq!(client.status().await.unwrap(), a_status());
    assert_eq!(client.services().await.unwrap(), a_status().services);
    assert_eq!(client.service(&"web".parse().unwrap()).await.unwrap(), a_status().services[0]);
    assert_eq!(client.stats().await.unwrap(), a_stats());
    assert_eq!(client.desired().await.unwrap(), Desired::default());
    let request = ChangeRequest { dry_run: true, ..removal("web") };
    let response = client.change(&request).await.unwrap();
    assert!(response.dry_run);
    assert_eq!(response.differences[0].what, "removed");
}

#[tokio::test]
async fn a_refusal_keeps_its_kind_and_its_words() {
    let daemon = Daemon::start();
    for (name, kind) in [
        ("missing", ErrorKind::NotFound),
        ("invalid", ErrorKind::Invalid),
        ("guarded", ErrorKind::Guarded),
        ("broken", ErrorKind::Internal),
    ] {
        let error = daemon.client().change(&removal(name)).await.unwrap_err();
        let ClientError::Refused(refused) = error else { panic!("{name}: {error}") };
        assert_eq!(refused, ErrorBody { error: format!("what about {name}"), kind });
    }
    let forced = ChangeRequest { force: true, ..removal("guarded") };
    assert!(daemon.client().change(&forced).await.is_ok());
}

#[tokio::test]
async fn a_refusal_has_the_status_that_http_programs_expect() {
    let daemon = Daemon::start();
    for (name, status) in [("missing", 404), ("invalid", 400), ("guarded", 409), ("broken", 500)] {
        let body = serde_json::to_string(&removal(name)).unwrap();
        let answer = daemon.post("/v1/change", &body).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{name}: {answer}");
    }
}

#[tokio::test]
async fn what_is_no_request_is_refused_in_json_and_the_daemon_lives_on() {
    let daemon = Daemon::start();
    let huge = " ".repeat((16 << 20) + 1);
    let misspelt = r#"{"change":{"remove_service":{"name":"web"}},"dryrun":true}"#;
    let misnamed = r#"{"change":{"remove_service":{"name":"-"}}}"#;
    for (path, body, status, says) in [
        ("/v1/change", "{", 400, "the body is not a change"),
        ("/v1/change", misspelt, 400, "unknown field `dryrun`"),
        ("/v1/change", misnamed, 400, "is not a service name"),
        ("/v1/change", &huge, 413, "length limit exceeded"),
        ("/v1/nothing", "", 404, "nothing at this path"),
        ("/v1/status", "", 405, "another method"),
    ] {
        let answer = daemon.post(path, body).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let error: ErrorBody = serde_json::from_str(body).unwrap();
        assert!(error.error.contains(says), "{path}: {error}");
    }
    assert!(daemon.client().status().await.is_ok());
}

#[tokio::test]
async fn a_service_that_is_not_there_is_not_found() {
    let daemon = Daemon::start();
    let error = daemon.client().service(&"mail".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.to_string(), "service \"mail\" does not exist; there are: web");
}

#[tokio::test]
async fn a_path_that_is_not_there_names_those_that_are() {
    let daemon = Daemon::start();
    let answer = daemon.post("/v1/nothing", "").await;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let error: ErrorBody = serde_json::from_str(body).unwrap();
    let (_, paths) = error.error.split_once("there are: ").unwrap();
    assert_eq!(paths.split(", ").count(), 6, "{paths}");
    for path in paths.split(", ") {
        let request = format!(
            "GET {} HTTP/1.1\r\nhost: lb\r\nconnection: close\r\n\r\n",
            path.replace("NAME", "web")
        );
        let answer = daemon.raw(request.into()).await;
        assert!(!answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn without_a_daemon_the_error_names_the_socket_and_the_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("lb.sock");
    let error = Client::new(&socket).status().await.unwrap_err();
    let expected = format!("no lb daemon answers on {}: start one with `lb run`", socket.display());
    assert!(error.to_string().starts_with(&expected), "{error}");
}

#[tokio::test]
async fn an_owner_that_is_gone_is_an_answer_not_a_silence() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lb.sock");
    let (commands, _) = mpsc::channel(1);
    let serving = server::serve(Socket::bind(&path).unwrap(), commands, std::future::pending());
    tokio::spawn(serving);
    let error = Client::new(&path).status().await.unwrap_err();
    assert_eq!(error.to_string(), "the daemon is shutting down");
}

#[tokio::test]
async fn the_socket_is_for_owner_and_group_and_gone_after_shutdown() {
    let daemon = Daemon::start();
    let mode = std::fs::metadata(daemon.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let path = daemon.socket();
    let _directory = daemon.stop().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn shutdown_does_not_wait_for_a_client_that_says_nothing() {
    let daemon = Daemon::start();
    let _silent = std::os::unix::net::UnixStream::connect(daemon.socket()).unwrap();
    daemon.client().status().await.unwrap();
    tokio::time::timeout(std::time::Duration::from_secs(10), daemon.stop()).await.unwrap();
}

#[tokio::test]
async fn the_socket_of_a_daemon_that_was_killed_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lb.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a closed listener leaves its file, as a killed daemon does");
    Socket::bind(&path).unwrap();
}

#[tokio::test]
async fn the_socket_of_a_daemon_that_lives_is_left_alone() {
    let daemon = Daemon::start();
    let error = Socket::bind(&daemon.socket()).unwrap_err();
    let expected = format!(
        "socket {} is already served by another lb daemon (pid {})",
        daemon.socket().display(),
        std::process::id()
    );
    assert_eq!(error.to_string(), expected);
    assert!(daemon.client().status().await.is_ok());
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_not_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("precious");
    std::fs::write(&path, "data").unwrap();
    assert!(matches!(Socket::bind(&path), Err(SocketError::NoSocket(_))));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "data");
}

#[tokio::test]
async fn a_socket_that_cannot_be_is_one_sentence_with_the_remedy() {
    let long = Path::new("/tmp").join("x".repeat(200));
    let error = Socket::bind(&long).unwrap_err().to_string();
    let expected = format!(
        "cannot listen on socket {}: File name too long: name another by --socket or by `socket` \
         under [daemon]",
        long.display()
    );
    assert_eq!(error, expected);
    let source = nix::errno::Errno::EACCES;
    let denied = SocketError::Refused { path: "/run/lb/lb.sock".into(), source }.to_string();
    assert_eq!(
        denied,
        "cannot listen on socket /run/lb/lb.sock: Permission denied: run as root, or name another \
         by --socket or by `socket` under [daemon]"
    );
}
