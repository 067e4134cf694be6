//! The Unix socket of the daemon: one daemon a socket, open to its owner and group alone.

use std::{
    fs, io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{
            fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt},
            net::UnixListener,
        },
    },
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
    sys::{
        socket::{
            AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, getsockopt,
            listen, socket, sockopt::PeerCredentials,
        },
        stat::{Mode, fchmod},
    },
};

/// Owner and group may ask; nobody else.
const MODE: Mode = Mode::from_bits_truncate(0o660);

/// Why a daemon cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another daemon does.
    #[error("socket {} is already served by another lb daemon{}", path.display(), of_process(*pid))]
    Served {
        /// The socket.
        path: PathBuf,
        /// The process that listens, where the kernel tells.
        pid: Option<i32>,
    },
    /// Something else has that name, and is not ours to remove.
    #[error("{} is there and is no socket: remove it or choose another path", .0.display())]
    NoSocket(PathBuf),
    /// The kernel refused.
    #[error("cannot listen on socket {}: {}: {}", path.display(), source.desc(), remedy(*source))]
    Refused {
        /// The socket.
        path: PathBuf,
        /// Its reason.
        source: Errno,
    },
}

fn of_process(pid: Option<i32>) -> String {
    pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
}

fn remedy(source: Errno) -> &'static str {
    match source {
        Errno::EACCES | Errno::EPERM => {
            "run as root, or name another by --socket or by `socket` under [daemon]"
        }
        _ => "name another by --socket or by `socket` under [daemon]",
    }
}

/// A socket that listens. Its file goes when it is dropped.
#[derive(Debug)]
pub struct Socket {
    pub(super) listener: tokio::net::UnixListener,
    pub(super) file: SocketFile,
}

impl Socket {
    /// Listens, making the directory where it is missing. The socket of a daemon that is gone is
    /// replaced; that of one that lives is an error. To be called within a Tokio runtime.
    pub fn bind(path: &Path) -> Result<Self, SocketError> {
        let refused = |source| SocketError::Refused { path: path.to_owned(), source };
        let broken = |error: io::Error| refused(errno(&error));
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::DirBuilder::new().recursive(true).mode(0o755).create(directory).map_err(broken)?;
        // Two daemons that start at once must not both find a dead socket, and the slower of them
        // remove the quicker one's.
        let directory = fs::File::open(directory).map_err(broken)?;
        let _turn = Flock::lock(directory, FlockArg::LockExclusive)
            .map_err(|(_, source)| refused(source))?;
        remove_stale(path)?;
        let listener = listen_at(path).map_err(refused)?;
        let file = SocketFile::of(path).map_err(broken)?;
        listener.set_nonblocking(true).map_err(broken)?;
        let listener = tokio::net::UnixListener::from_std(listener).map_err(broken)?;
        Ok(Self { listener, file })
    }
}

/// The name of a socket in the file system.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode: whoever has taken the name since keeps it.
    identity: (u64, u64),
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: identity(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|now| now == self.identity)
            && let Err(error) = fs::remove_file(&self.path)
        {
            log::warn!("cannot remove socket {}: {error}", self.path.display());
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

fn stream_socket() -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socket(AddressFamily::Unix, SockType::Stream, flags, None)
}

/// Removes what a dead daemon has left.
fn remove_stale(path: &Path) -> Result<(), SocketError> {
    let refused = |source| SocketError::Refused { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(refused(errno(&error))),
        Ok(file) if !file.file_type().is_socket() => {
            return Err(SocketError::NoSocket(path.to_owned()));
        }
        Ok(_) => {}
    }
    let probe = stream_socket().map_err(refused)?;
    match connect_to(&probe, path) {
        Err(Errno::ECONNREFUSED) => fs::remove_file(path).map_err(|error| refused(errno(&error))),
        Err(Errno::ENOENT) => Ok(()),
        // EAGAIN: it lives, with a full queue.
        Ok(()) | Err(Errno::EAGAIN) => {
            Err(SocketError::Served { path: path.to_owned(), pid: peer(&probe) })
        }
        Err(source) => Err(refused(source)),
    }
}

fn connect_to(socket: &OwnedFd, path: &Path) -> nix::Result<()> {
    use std::os::fd::AsRawFd;
    connect(socket.as_raw_fd(), &UnixAddr::new(path)?)
}

/// The process that listens at the other end; none when it lives in a namespace we cannot see.
fn peer(socket: &impl AsFd) -> Option<i32> {
    getsockopt(socket, PeerCredentials).ok().map(|peer| peer.pid()).filter(|pid| *pid > 0)
}

fn listen_at(path: &Path) -> nix::Result<UnixListener> {
    use std::os::fd::AsRawFd;
    let socket = stream_socket()?;
    // The file takes its mode from the socket, less the umask: it is at no time open to others.
    fchmod(&socket, MODE)?;
    bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    // The umask may have taken the group's part.
    fs::set_permissions(path, fs::Permissions::from_mode(MODE.bits()))
        .map_err(|error| errno(&error))?;
    listen(&socket, Backlog::MAXCONN)?;
    Ok(UnixListener::from(socket))
}

fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
