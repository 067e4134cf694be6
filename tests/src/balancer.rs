//! The balancer: the host on which `lb` runs.

use std::{
    env,
    net::{Ipv4Addr, Ipv6Addr},
    path::PathBuf,
    process::Command,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::{
    addresses::{BALANCER, RACK},
    config::Config,
    host::Host,
    network::{self, INTERFACE},
    poll,
    process::Process,
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
    pub(crate) fn new(router: &Host) -> Result<Self> {
        let host = Host::new("balancer")?;
        network::wire(&host, BALANCER, RACK, router)?;
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
        self.launch().unwrap_or_else(|error| panic!("{error:#}"));
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

    /// Runs the daemon with a config file that it shall refuse, for five seconds at most.
    ///
    /// # Panics
    /// When there is no such program.
    #[track_caller]
    pub fn refused(&self, config: &str) -> Output {
        self.write_config(config);
        let lb = lb_binary().unwrap_or_else(|error| panic!("{error:#}"));
        let lb = lb.to_string_lossy();
        output(self.host.command("timeout", &["5", &lb, "run", "--config", CONFIG]))
            .unwrap_or_else(|error| panic!("{error:#}"))
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

    fn launch(&self) -> Result<()> {
        let lb = lb_binary()?;
        let daemon =
            self.host.start("lb", &lb.to_string_lossy(), &["run", "--config", CONFIG])?;
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

/// How a command ended, and what it said.
#[derive(Debug)]
pub struct Output {
    command: String,
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

impl Output {
    /// What it printed, when it ended well.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn success(self) -> String {
        assert_eq!(self.code, 0, "{}: {}", self.command, self.stderr);
        self.stdout
    }

    /// What it printed as JSON, when it ended well.
    ///
    /// # Panics
    /// When it did not, or printed something else.
    #[track_caller]
    pub fn json(self) -> Value {
        let command = self.command.clone();
        let text = self.success();
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{command} printed no JSON: {error}: {text}"))
    }
}

/// Runs `lb` on a host.
pub(crate) fn run_lb(host: &Host, arguments: &[&str]) -> Result<Output> {
    output(host.command(&lb_binary()?.to_string_lossy(), arguments))
}

fn output(mut command: Command) -> Result<Output> {
    let output = command.output().with_context(|| format!("start {command:?}"))?;
    Ok(Output {
        command: format!("{command:?}"),
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// The `lb` that was built together with the program that runs.
fn lb_binary() -> Result<PathBuf> {
    let own = env::current_exe().context("the path of this program")?;
    // Programs lie in the profile's directory, tests in `deps` under it.
    let found = own.ancestors().skip(1).take(2).map(|dir| dir.join("lb")).find(|lb| lb.is_file());
    found.with_context(|| {
        format!("no `lb` beside {}: run `cargo build --package lb-userspace` first", own.display())
    })
}
