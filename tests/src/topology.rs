//! Builds a lab and takes it down.

use std::{thread, time::Duration};

use anyhow::{Context, Result, ensure};
use nix::unistd::geteuid;

use crate::{
    addresses::{CLIENTS, FIRST_BACKEND, FIRST_CLIENT, RACK},
    backend::Backend,
    balancer::Balancer,
    client::Client,
    config::Config,
    diagnostics,
    host::Host,
    network::{self, INTERFACE},
    poll,
};

/// What a lab shall consist of, besides its router and its balancer.
#[derive(Default)]
pub struct Topology {
    clients: Vec<String>,
    backends: Vec<String>,
    two_armed: bool,
}

impl Topology {
    /// A router and a balancer.
    pub fn new() -> Self {
        Self::default()
    }

    /// And a client.
    #[must_use]
    pub fn client(mut self, name: &str) -> Self {
        self.clients.push(name.to_owned());
        self
    }

    /// And backends `web1`, `web2` and so on, each serving by nginx.
    #[must_use]
    pub fn backends(mut self, count: usize) -> Self {
        self.backends.extend((1..=count).map(|n| format!("web{n}")));
        self
    }

    /// And a second interface for the balancer: packets of clients come in by `eth0` from a network
    /// of their own, and leave for the backends by `eth1`.
    #[must_use]
    pub fn two_armed(mut self) -> Self {
        self.two_armed = true;
        self
    }

    /// Builds it, for a test.
    ///
    /// # Panics
    /// When it cannot be built.
    #[track_caller]
    pub fn start(self) -> Lab {
        self.build().unwrap_or_else(|error| panic!("the lab cannot be built: {error:#}"))
    }

    /// Builds it; what is there when something fails is gone afterwards.
    pub fn build(self) -> Result<Lab> {
        ensure!(
            geteuid().is_root(),
            "the lab makes network namespaces, which needs root: run `cargo xtask test`, which \
             asks for it by sudo"
        );
        let router = network::router().context("router")?;
        let balancer = Balancer::new(&router, self.two_armed).context("balancer")?;
        let mut clients = Vec::new();
        for (name, number) in self.clients.iter().zip(FIRST_CLIENT..) {
            let host = Host::new(name)?;
            network::wire(&host, INTERFACE, &router, CLIENTS, number)?;
            network::default_route(&host, CLIENTS)?;
            clients.push(Client::new(host));
        }
        let mut backends = Vec::new();
        for (name, number) in self.backends.iter().zip(FIRST_BACKEND..) {
            let host = Host::new(name)?;
            network::wire(&host, INTERFACE, &router, RACK, number)?;
            network::default_route(&host, RACK)?;
            backends.push(Backend::new(host, number)?);
        }
        Ok(Lab { router, balancer, clients, backends })
    }
}

/// A lab that runs until it is dropped.
pub struct Lab {
    router: Host,
    balancer: Balancer,
    clients: Vec<Client>,
    backends: Vec<Backend>,
}

impl Lab {
    /// The router.
    pub fn router(&self) -> &Host {
        &self.router
    }

    /// The balancer.
    pub fn balancer(&self) -> &Balancer {
        &self.balancer
    }

    /// The client of that name.
    ///
    /// # Panics
    /// When the topology has none.
    #[track_caller]
    pub fn client(&self, name: &str) -> &Client {
        let found = self.clients.iter().find(|client| client.host().name() == name);
        found.unwrap_or_else(|| panic!("the lab has no client {name}"))
    }

    /// The backend of that name.
    ///
    /// # Panics
    /// When the topology has none.
    #[track_caller]
    pub fn backend(&self, name: &str) -> &Backend {
        let found = self.backends.iter().find(|backend| backend.name() == name);
        found.unwrap_or_else(|| panic!("the lab has no backend {name}"))
    }

    /// All backends, in order.
    pub fn backends(&self) -> &[Backend] {
        &self.backends
    }

    /// Every host, the router first.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        [&self.router, self.balancer.host()]
            .into_iter()
            .chain(self.clients.iter().map(Client::host))
            .chain(self.backends.iter().map(Backend::host))
    }

    /// Makes every backend accept the balancer's tunnel, starts the balancer with `config`, and
    /// waits until it calls every backend up, or a backup that stands by.
    ///
    /// # Panics
    /// When one of them refuses, or a backend does not come up.
    #[track_caller]
    pub fn serve(&self, config: &Config) {
        for backend in &self.backends {
            backend.attach_decap();
        }
        self.balancer.start(config);
        self.eventually("every backend is up", Duration::from_secs(10), || {
            let is_ready = |state: &str| ["up", "standby"].contains(&state);
            self.balancer.status().backends().all(|backend| is_ready(&backend.state))
        });
    }

    /// Waits for what shall come true.
    ///
    /// # Panics
    /// When it has not come true `within` the time.
    #[track_caller]
    pub fn eventually(&self, what: &str, within: Duration, mut is_so: impl FnMut() -> bool) {
        let so = poll::until(within, || is_so().then_some(()));
        assert!(so.is_some(), "not within {within:?}: {what}");
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // A failed test's last chance to show what the hosts were doing.
        if thread::panicking() {
            eprintln!("{}", diagnostics::report(self));
        }
    }
}
