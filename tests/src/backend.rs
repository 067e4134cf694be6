//! A backend: a server behind the VIPs.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use crate::{
    addresses::{BALANCER, RACK, VIP, VIP6},
    command::{Output, run_lb},
    host::Host,
    http::Connection,
    network::INTERFACE,
    nginx, poll,
    process::Process,
    udp::UdpResponder,
};

/// A backend host: it owns the VIPs on `lo`, where they answer no ARP, and serves by nginx.
pub struct Backend {
    host: Host,
    number: u8,
    nginx: Mutex<Option<Process>>,
}

impl Backend {
    pub(crate) fn new(host: Host, number: u8) -> Result<Self> {
        host.sysctl("net/ipv4/conf/all/arp_ignore", "1")?;
        host.sysctl("net/ipv4/conf/all/arp_announce", "2")?;
        let (vip4, vip6) = (VIP.ip(), VIP6.ip());
        host.ip(&format!("addr add {vip4}/32 dev lo\naddr add {vip6}/128 dev lo nodad"))?;
        let backend = Self { host, number, nginx: Mutex::default() };
        backend.serve()?;
        Ok(backend)
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The host's name.
    pub fn name(&self) -> &str {
        self.host.name()
    }

    /// Its IPv4 address in the rack.
    pub fn v4(&self) -> Ipv4Addr {
        RACK.v4(self.number)
    }

    /// Its IPv6 address in the rack.
    pub fn v6(&self) -> Ipv6Addr {
        RACK.v6(self.number)
    }

    /// Starts the web server; afterwards it serves.
    ///
    /// # Panics
    /// When it does not come up.
    #[track_caller]
    pub fn start_nginx(&self) {
        self.serve().unwrap_or_else(|error| panic!("{}: {error:#}", self.name()));
    }

    /// Kills the web server: connections to it are refused from now on.
    pub fn stop_nginx(&self) {
        self.nginx.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Stops the web server in the middle of what it does, as an overload or a dead disk would: its
    /// kernel goes on accepting, and nobody answers.
    ///
    /// # Panics
    /// When it does not run.
    #[track_caller]
    pub fn freeze_nginx(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets a frozen web server go on.
    ///
    /// # Panics
    /// When it does not run.
    #[track_caller]
    pub fn thaw_nginx(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Answers datagrams to one of its addresses, or to a VIP.
    ///
    /// # Panics
    /// When the address is taken.
    #[track_caller]
    pub fn answer_udp(&self, address: SocketAddr) -> UdpResponder {
        UdpResponder::start(&self.host, address).unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Runs `lb` on the backend.
    ///
    /// # Panics
    /// When there is no such program.
    #[track_caller]
    pub fn lb(&self, arguments: &[&str]) -> Output {
        run_lb(&self.host, arguments).unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Accepts tunnels from the lab's balancer, and from no other.
    ///
    /// # Panics
    /// When `lb decap` refuses.
    #[track_caller]
    pub fn attach_decap(&self) {
        let (v4, v6) = (RACK.v4(BALANCER).to_string(), RACK.v6(BALANCER).to_string());
        self.lb(&["decap", "attach", INTERFACE, "--from", &v4, "--from", &v6]).success();
    }

    #[track_caller]
    fn signal(&self, signal: Signal) {
        let nginx = self.nginx.lock().unwrap_or_else(PoisonError::into_inner);
        let nginx = nginx.as_ref().unwrap_or_else(|| panic!("{}: no nginx runs", self.name()));
        nginx.signal(signal).unwrap_or_else(|error| panic!("{}: {error}", self.name()));
    }

    fn serve(&self) -> Result<()> {
        let nginx = nginx::start(&self.host)?;
        *self.nginx.lock().unwrap_or_else(PoisonError::into_inner) = Some(nginx);
        let own = SocketAddr::new(self.v4().into(), VIP.port());
        let connects = || self.host.inside(|| Connection::open(own).is_ok()).unwrap_or(false);
        poll::until(Duration::from_secs(5), || connects().then_some(()))
            .with_context(|| self.host.read("/run/nginx.log").unwrap_or_default())
            .context("nginx does not come up")
    }
}
