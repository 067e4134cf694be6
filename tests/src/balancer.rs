//! The balancer: the host on which `lb` runs.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Result, anyhow, bail};
use serde_json::Value;

use crate::{
    addresses::{BALANCER, FRONT, RACK},
    command::{self, Output, run_lb},
    config::Config,
    host::Host,
    network::{self, INTERFACE},
    nginx, poll,
    process::Process,
    status::Status,
};

const CONFIG: &str = "/run/lb.toml";

/// How long the daemon may take to answer its first command.
const START: Duration = Duration::from_secs(15);

/// The balancer host; `lb` runs on it once it is started.
pub struct Balancer {
    host: Host,
    daemon: Mutex<Option<Process>>,
}

/// Packets and bytes of an interface since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InterfaceCounters {
    /// Packets that came in.
    pub rx_packets: u64,
    /// Their bytes.
    pub rx_bytes: u64,
    /// Packets that went out.
    pub tx_packets: u64,
    /// Their bytes.
    pub tx_bytes: u64,
}

impl Balancer {
    pub(crate) fn new(router: &Host, two_armed: bool) -> Result<Self> {
        let host = Host::new("balancer")?;
        let front = if two_armed { FRONT } else { RACK };
        network::wire(&host, INTERFACE, router, front, BALANCER)?;
        if two_armed {
            network::wire(&host, "eth1", router, RACK, BALANCER)?;
        }
        network::default_route(&host, front)?;
        network::route_vips(router, front)?;
        Ok(Self { host, daemon: Mutex::default() })
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Its IPv4 address in the rack.
    pub fn v4(&self) -> Ipv4Addr {
        RACK.v4(BALANCER)
    }

    /// Its IPv6 address in the rack.
    pub fn v6(&self) -> Ipv6Addr {
        RACK.v6(BALANCER)
    }

    /// Writes the config file and starts the daemon; afterwards it answers commands.
    ///
    /// # Panics
    /// When it does not come up.
    #[track_caller]
    pub fn start(&self, config: &Config) {
        self.write_config(&config.to_toml());
        self.restart();
    }

    /// Starts the daemon with the config file that is there.
    ///
    /// # Panics
    /// When it does not come up.
    #[track_caller]
    pub fn restart(&self) {
        self.restart_with(&[]);
    }

    /// Starts the daemon with the config file that is there, and with more arguments.
    ///
    /// # Panics
    /// When it does not come up.
    #[track_caller]
    pub fn restart_with(&self, arguments: &[&str]) {
        self.launch(arguments).unwrap_or_else(|error| panic!("{error:#}"));
    }

    /// Kills the daemon by SIGKILL.
    ///
    /// # Panics
    /// When it does not run.
    #[track_caller]
    pub fn kill9(&self) {
        let daemon = self.daemon.lock().unwrap_or_else(PoisonError::into_inner).take();
        daemon.unwrap_or_else(|| panic!("lb does not run")).kill();
    }

    /// Asks the daemon to end by SIGTERM, and says whether it ended well.
    ///
    /// # Panics
    /// When it does not run.
    #[track_caller]
    pub fn terminate(&self) -> bool {
        let daemon = self.daemon.lock().unwrap_or_else(PoisonError::into_inner).take();
        let daemon = daemon.unwrap_or_else(|| panic!("lb does not run"));
        daemon.terminate(Duration::from_secs(5)).is_some_and(|status| status.success())
    }

    /// Runs `lb` with a command.
    ///
    /// # Panics
    /// When there is no such program.
    #[track_caller]
    pub fn lb(&self, arguments: &[&str]) -> Output {
        run_lb(&self.host, arguments).unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Starts a command of `lb` that takes its time; what it prints goes to `/run/NAME.log`.
    ///
    /// # Panics
    /// When there is no such program.
    #[track_caller]
    pub fn start_lb(&self, name: &str, arguments: &[&str]) -> Process {
        let started = command::lb_binary().and_then(|lb| self.host.start(name, &lb, arguments));
        started.unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// How many packets have ended in a way.
    ///
    /// # Panics
    /// When `lb stats` knows no such verdict.
    #[track_caller]
    pub fn packets(&self, verdict: &str) -> u64 {
        let stats = self.lb(&["stats", "-o", "json"]).json();
        let of = |one: &&Value| one["verdict"] == verdict;
        let found = stats["verdicts"].as_array().and_then(|all| all.iter().find(of));
        let packets = found.and_then(|one| one["packets"].as_u64());
        packets.unwrap_or_else(|| panic!("lb stats says nothing of {verdict}: {stats}"))
    }

    /// Runs the daemon with a config file that it shall refuse, for five seconds at most.
    ///
    /// # Panics
    /// When there is no such program.
    #[track_caller]
    pub fn refused(&self, config: &str) -> Output {
        self.write_config(config);
        command::run_lb_for("5", &self.host, &["run", "--config", CONFIG])
            .unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// What `lb status` says.
    ///
    /// # Panics
    /// When it says nothing that can be understood.
    #[track_caller]
    pub fn status(&self) -> Status {
        Status::new(&self.lb(&["status", "-o", "json"]).json())
    }

    /// Starts a web server of the balancer's own, beside `lb`.
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    pub fn start_nginx(&self) -> Process {
        nginx::start(&self.host).unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// What has gone through the interface, whether the kernel saw it or XDP alone.
    ///
    /// # Panics
    /// When the lab itself is broken.
    #[track_caller]
    pub fn interface_counters(&self) -> InterfaceCounters {
        let count = |name: &str| {
            let path = format!("/sys/class/net/{INTERFACE}/statistics/{name}");
            let text = self.host.read(&path).unwrap_or_else(|error| panic!("{error:#}"));
            text.trim().parse().unwrap_or_else(|error| panic!("{path}: {text:?}: {error}"))
        };
        InterfaceCounters {
            rx_packets: count("rx_packets"),
            rx_bytes: count("rx_bytes"),
            tx_packets: count("tx_packets"),
            tx_bytes: count("tx_bytes"),
        }
    }

    /// Whether an XDP program is attached to an interface.
    ///
    /// # Panics
    /// When the lab itself is broken.
    #[track_caller]
    pub fn is_attached(&self, interface: &str) -> bool {
        let shown = self.host.run("bpftool", &["net", "show", "dev", interface]);
        shown.unwrap_or_else(|error| panic!("{error:#}")).contains("id ")
    }

    /// What is pinned, a path on each line.
    ///
    /// # Panics
    /// When the lab itself is broken.
    #[track_caller]
    pub fn pins(&self) -> String {
        // The kernel itself keeps progs.debug and maps.debug there.
        let arguments = ["/sys/fs/bpf", "-mindepth", "1", "-not", "-name", "*.debug"];
        self.host.run("find", &arguments).unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// What the daemon has written so far.
    pub fn log(&self) -> String {
        self.host.read("/run/lb.log").unwrap_or_default()
    }

    /// Writes the config file, which a running daemon reads only when it is told to.
    ///
    /// # Panics
    /// When the lab itself is broken.
    #[track_caller]
    pub fn write_config(&self, config: &str) {
        self.host.write(CONFIG, config).unwrap_or_else(|error| panic!("{error:#}"));
    }

    /// Where the config file lies on the host.
    pub fn config_path(&self) -> &'static str {
        CONFIG
    }

    fn launch(&self, arguments: &[&str]) -> Result<()> {
        let lb = command::lb_binary()?;
        let run = [&["run", "--config", CONFIG], arguments].concat();
        let daemon = self.host.start("lb", &lb, &run)?;
        let mut slot = self.daemon.lock().unwrap_or_else(PoisonError::into_inner);
        let daemon = slot.insert(daemon);
        let answer = poll::until(START, || match daemon.ended() {
            Some(status) => Some(Err(anyhow!("lb ended with {status}:\n{}", self.log()))),
            None => answers(&self.host).then_some(Ok(())),
        });
        answer.unwrap_or_else(|| bail!("lb does not answer within {START:?}:\n{}", self.log()))
    }
}

fn answers(host: &Host) -> bool {
    run_lb(host, &["status"]).is_ok_and(|output| output.code == 0)
}
