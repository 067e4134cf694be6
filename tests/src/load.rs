//! Requests in the background, and what became of them.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{host::Host, http::Connection};

/// What became of a load's requests.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Answered requests by the backend that answered.
    pub served_by: BTreeMap<String, u64>,
    /// Why the others failed, one line each.
    pub failures: Vec<String>,
}

impl Tally {
    /// Requests that were answered.
    pub fn answered(&self) -> u64 {
        self.served_by.values().sum()
    }

    /// Requests that one backend answered.
    pub fn of(&self, backend: &str) -> u64 {
        self.served_by.get(backend).copied().unwrap_or_default()
    }

    /// How many of the answered requests one backend answered, from 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "a lab makes far fewer than 2^52 requests")]
    pub fn share(&self, backend: &str) -> f64 {
        self.of(backend) as f64 / self.answered().max(1) as f64
    }

    /// What has come since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let less = |(name, count): (&String, &u64)| (name.clone(), count - earlier.of(name));
        Self {
            served_by: self.served_by.iter().map(less).collect(),
            failures: self.failures[earlier.failures.len()..].to_vec(),
        }
    }
}

/// A load that runs until it is stopped or dropped.
pub struct Load {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    tally: Arc<Mutex<Tally>>,
}

impl Load {
    pub(crate) fn start(host: Host, address: SocketAddr, per_second: u32) -> Self {
        let (stop, stopped) = mpsc::channel();
        let tally = Arc::new(Mutex::new(Tally::default()));
        let results = Arc::clone(&tally);
        let pause = Duration::from_secs(1) / per_second;
        let requests = move || {
            let mut due = Instant::now();
            // Waiting for the word to stop is also the wait until the next request is due.
            while stopped.recv_timeout(due.saturating_duration_since(Instant::now()))
                == Err(RecvTimeoutError::Timeout)
            {
                due += pause;
                record(&results, request(address));
            }
        };
        let thread = thread::spawn(move || {
            if let Err(error) = host.inside(requests) {
                eprintln!("a load could not start: {error:#}");
            }
        });
        Self { stop: Some(stop), thread: Some(thread), tally }
    }

    /// What has become of the requests so far.
    pub fn so_far(&self) -> Tally {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops, and says what became of all requests.
    pub fn stop(mut self) -> Tally {
        self.end();
        self.so_far()
    }

    fn end(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.end();
    }
}

fn request(address: SocketAddr) -> Result<String, String> {
    let started = Instant::now();
    let answer = Connection::open(address).and_then(|mut connection| connection.get("/"));
    answer
        .map(|response| response.served_by)
        .map_err(|error| format!("{error} after {:?}", started.elapsed()))
}

fn record(tally: &Mutex<Tally>, outcome: Result<String, String>) {
    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    match outcome {
        Ok(backend) => *tally.served_by.entry(backend).or_default() += 1,
        Err(failure) => tally.failures.push(failure),
    }
}
