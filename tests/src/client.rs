//! A client: somebody who uses a VIP.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use crate::{
    host::Host,
    http::{Connection, Response},
    load::Load,
    udp::{self, UdpAnswer},
};

/// How long a client waits for a datagram's answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// A client host.
pub struct Client {
    host: Host,
}

impl Client {
    pub(crate) fn new(host: Host) -> Self {
        Self { host }
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// One request on a connection of its own, which may fail.
    ///
    /// # Panics
    /// When the lab itself is broken.
    #[track_caller]
    pub fn request(&self, address: SocketAddr, path: &str) -> io::Result<Response> {
        self.connect(address)?.get(path)
    }

    /// One request for `/` that is answered.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn get(&self, address: SocketAddr) -> Response {
        let answer = self.request(address, "/");
        answer.unwrap_or_else(|error| {
            panic!("{} got no answer from {address}: {error}", self.host.name())
        })
    }

    /// A connection that stays open.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn keep_open(&self, address: SocketAddr) -> Connection {
        self.connect(address).unwrap_or_else(|error| {
            panic!("{} cannot connect to {address}: {error}", self.host.name())
        })
    }

    /// Connections that stay open, each behind the name of the backend that serves it.
    ///
    /// # Panics
    /// When one of them is not served.
    #[track_caller]
    pub fn keep_many_open(&self, address: SocketAddr, count: usize) -> Vec<(String, Connection)> {
        let open = |_| {
            let mut connection = self.keep_open(address);
            let answer = connection.get("/").unwrap_or_else(|error| {
                panic!("{} got no answer from {address}: {error}", self.host.name())
            });
            (answer.served_by, connection)
        };
        (0..count).map(open).collect()
    }

    /// Makes `per_second` requests in the background, each on a connection of its own.
    pub fn load(&self, address: SocketAddr, per_second: u32) -> Load {
        Load::start(self.host.clone(), address, per_second)
    }

    /// Sends a datagram from a new port and waits for the answer.
    ///
    /// # Panics
    /// When the lab itself is broken.
    #[track_caller]
    pub fn ask_udp(&self, address: SocketAddr, datagram: &[u8]) -> io::Result<UdpAnswer> {
        udp::ask(&self.udp_socket(address)?, datagram)
    }

    /// A UDP socket that is connected to an address and gives up waiting after a second.
    ///
    /// # Panics
    /// When the lab itself is broken.
    #[track_caller]
    pub fn udp_socket(&self, address: SocketAddr) -> io::Result<UdpSocket> {
        let any: IpAddr = match address {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let open = || -> io::Result<UdpSocket> {
            let socket = UdpSocket::bind((any, 0))?;
            socket.connect(address)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            Ok(socket)
        };
        self.host.inside(open).unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Whether an address answers a ping.
    pub fn ping(&self, address: IpAddr) -> bool {
        let address = address.to_string();
        self.host.run("ping", &["-n", "-c", "1", "-W", "1", &address]).is_ok()
    }

    #[track_caller]
    fn connect(&self, address: SocketAddr) -> io::Result<Connection> {
        self.host.inside(|| Connection::open(address)).unwrap_or_else(|error| panic!("{error:#}"))
    }
}
