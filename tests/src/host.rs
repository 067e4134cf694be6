//! One host of the lab.

use std::{
    fs,
    io::{self, Write},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{namespaces::Namespaces, process::Process, xdp_pass};

/// A host: a name, a network of its own and files of its own under `/run` and `/var/lib`.
#[derive(Clone)]
pub struct Host {
    name: String,
    namespaces: Namespaces,
}

impl Host {
    /// A host with `lo` up and nothing else.
    pub(crate) fn new(name: &str) -> Result<Self> {
        let host = Self { name: name.to_owned(), namespaces: Namespaces::new()? };
        // Duplicate address detection would keep every new address unusable for a second.
        for scope in ["all", "default"] {
            host.sysctl(&format!("net/ipv6/conf/{scope}/accept_dad"), "0")?;
            host.sysctl(&format!("net/ipv6/conf/{scope}/accept_ra"), "0")?;
            host.sysctl(&format!("net/ipv4/conf/{scope}/rp_filter"), "0")?;
            host.sysctl(&format!("net/ipv4/conf/{scope}/send_redirects"), "0")?;
        }
        host.ip("link set dev lo up")?;
        Ok(host)
    }

    /// What the lab calls the host.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `work` on the host; sockets and files that it opens stay the host's wherever they are
    /// used afterwards.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        self.namespaces.inside(work).with_context(|| format!("on {}", self.name))
    }

    /// A command that will run on the host.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = self.namespaces.command(program);
        command.args(arguments);
        command
    }

    /// Runs a command to its end; its standard output, or an error with what it complained about.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let mut command = self.command(program, arguments);
        let output = command.output().with_context(|| format!("start {program}"))?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            bail!("{}: {program} {}: {}", self.name, arguments.join(" "), complaint.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Starts a command that goes on running; what it prints goes to `/run/NAME.log` on the host.
    pub fn start(&self, name: &str, program: &str, arguments: &[&str]) -> Result<Process> {
        let path = format!("/run/{name}.log");
        let log =
            self.inside(|| fs::OpenOptions::new().create(true).append(true).open(&path))??;
        let mut command = self.command(program, arguments);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("start {program}"))?;
        Ok(Process::new(child))
    }

    /// Runs the lines of `commands` by one `ip`.
    pub(crate) fn ip(&self, commands: &str) -> Result<()> {
        let mut command = self.command("ip", &["-batch", "-"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("start ip, of the Debian package iproute2")?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(commands.as_bytes()).context("write to ip")?;
        }
        let output = child.wait_with_output().context("wait for ip")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}: ip: {}\n{commands}", self.name, complaint.trim());
        Ok(())
    }

    /// Sets a kernel parameter of the host's network; `key` is a path under `/proc/sys`.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        let path = Path::new("/proc/sys").join(key);
        self.inside(|| fs::write(&path, value))?.with_context(|| format!("set {}", path.display()))
    }

    /// Writes a file on the host, under `/run` or `/var/lib`; makes its directory.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]> + Send) -> Result<()> {
        let write = || -> io::Result<()> {
            if let Some(directory) = Path::new(path).parent() {
                fs::create_dir_all(directory)?;
            }
            fs::write(path, content)
        };
        self.inside(write)?.with_context(|| format!("{}: write {path}", self.name))
    }

    /// Reads a file of the host.
    pub fn read(&self, path: &str) -> Result<String> {
        self.inside(|| fs::read_to_string(path))?
            .with_context(|| format!("{}: read {path}", self.name))
    }

    /// Lays a cable: `interface` here to `far_interface` on `far`, both up.
    ///
    /// With `far_takes_xdp` the far end runs `XDP_PASS`: a veth delivers what an XDP program
    /// transmits only to an end that polls its own receive ring, and an XDP program makes it so.
    pub(crate) fn cable(
        &self,
        interface: &str,
        far: &Self,
        far_interface: &str,
        mtu: u32,
        far_takes_xdp: bool,
    ) -> Result<()> {
        let far_network = far.namespaces.network_path();
        self.ip(&format!(
            "link add {interface} mtu {mtu} type veth \
             peer name {far_interface} mtu {mtu} netns {far_network}\n\
             link set dev {interface} up"
        ))?;
        far.ip(&format!("link set dev {far_interface} up"))?;
        self.finish_checksums(interface)?;
        far.finish_checksums(far_interface)?;
        if far_takes_xdp {
            far.inside(|| xdp_pass::attach(far_interface))??;
        }
        Ok(())
    }

    /// A veth passes packets on with their checksums unfinished, trusting that no wire lies
    /// between; XDP rewrites packets as bytes, so they have to be finished as on a wire.
    fn finish_checksums(&self, interface: &str) -> Result<()> {
        self.run("ethtool", &["-K", interface, "tx", "off", "tso", "off", "gso", "off"])?;
        Ok(())
    }
}
