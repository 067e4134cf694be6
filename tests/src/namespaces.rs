//! A host's own network and file systems.

use std::{
    fs::File,
    io,
    os::{fd::AsRawFd, unix::process::CommandExt},
    panic,
    process::Command,
    sync::Arc,
    thread,
};

use anyhow::{Context, Result};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, setns, unshare},
    sys::{prctl, signal::Signal},
};

/// A network namespace and a mount namespace, held by file descriptors alone.
#[derive(Clone)]
pub(crate) struct Namespaces {
    net: Arc<File>,
    mnt: Arc<File>,
}

impl Namespaces {
    /// A new network with nothing in it but `lo`, and fresh `/sys`, `/sys/fs/bpf`, `/run` and
    /// `/var/lib`; all other files are the machine's.
    pub(crate) fn new() -> Result<Self> {
        on_own_thread(|| {
            let flags = CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET;
            unshare(flags).context("the lab makes network namespaces, which needs root")?;
            own_file_systems()?;
            let open = |kind| File::open(format!("/proc/thread-self/ns/{kind}"));
            Ok(Self { net: Arc::new(open("net")?), mnt: Arc::new(open("mnt")?) })
        })
    }

    /// Runs `work` as if on the host: what it opens, files or sockets, belongs to the host and may
    /// be taken out.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        on_own_thread(|| {
            // A thread that shares its root and working directory with others cannot move.
            unshare(CloneFlags::CLONE_FS).context("unshare CLONE_FS")?;
            self.enter().context("enter a host's namespaces")?;
            Ok(work())
        })
    }

    /// A command that will run on the host and die with the thread that starts it.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let namespaces = self.clone();
        let enter = move || {
            namespaces.enter()?;
            prctl::set_pdeathsig(Signal::SIGKILL)?;
            Ok(())
        };
        // SAFETY: the closure makes system calls only, which are safe between fork and exec.
        unsafe { command.pre_exec(enter) };
        command
    }

    /// A path by which other processes can name the network, as long as this one lives.
    pub(crate) fn network_path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.net.as_raw_fd())
    }

    fn enter(&self) -> io::Result<()> {
        setns(&self.mnt, CloneFlags::CLONE_NEWNS)?;
        setns(&self.net, CloneFlags::CLONE_NEWNET)?;
        Ok(())
    }
}

fn own_file_systems() -> Result<()> {
    let nothing = None::<&str>;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)
        .context("make mounts private")?;
    for (kind, path) in
        [("sysfs", "/sys"), ("bpf", "/sys/fs/bpf"), ("tmpfs", "/run"), ("tmpfs", "/var/lib")]
    {
        mount(Some("lab"), path, Some(kind), MsFlags::empty(), nothing)
            .with_context(|| format!("mount {kind} on {path}"))?;
    }
    Ok(())
}

/// A thread that has changed its namespaces must never run anything else.
pub(crate) fn on_own_thread<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| scope.spawn(work).join())
        .unwrap_or_else(|panic| panic::resume_unwind(panic))
}
