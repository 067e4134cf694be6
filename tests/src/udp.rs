//! A UDP service: it answers each datagram with who it is and what it got.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result};

use crate::host::Host;

/// How often the responder looks whether it shall stop.
const PATIENCE: Duration = Duration::from_millis(100);

/// An answer to a datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UdpAnswer {
    /// The name of the backend that answered.
    pub served_by: String,
    /// The datagram as the backend got it.
    pub echo: Vec<u8>,
}

/// Answers datagrams to one address of a backend until it is dropped.
pub struct UdpResponder {
    received: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl UdpResponder {
    pub(crate) fn start(host: &Host, address: SocketAddr) -> Result<Self> {
        let socket = host
            .inside(|| UdpSocket::bind(address))?
            .with_context(|| format!("{}: bind udp:{address}", host.name()))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let received = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let name = host.name().to_owned();
        let (counter, stopped) = (Arc::clone(&received), Arc::clone(&stop));
        let thread = thread::spawn(move || answer(&socket, &name, &counter, &stopped));
        Ok(Self { received, stop, thread: Some(thread) })
    }

    /// Datagrams that have come in.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

impl Drop for UdpResponder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(socket: &UdpSocket, name: &str, received: &AtomicU64, stop: &AtomicBool) {
    let mut datagram = vec![0; 65_536];
    while !stop.load(Ordering::Relaxed) {
        let Ok((length, client)) = socket.recv_from(&mut datagram) else { continue };
        received.fetch_add(1, Ordering::Relaxed);
        let mut reply = format!("{name} ").into_bytes();
        reply.extend_from_slice(&datagram[..length]);
        // A client that has gone gets no answer; that is its business.
        let _ = socket.send_to(&reply, client);
    }
}

/// Sends one datagram and waits for its answer.
pub fn ask(socket: &UdpSocket, datagram: &[u8]) -> io::Result<UdpAnswer> {
    socket.send(datagram)?;
    let mut reply = vec![0; 65_536];
    let length = socket.recv(&mut reply)?;
    reply.truncate(length);
    let space = reply.iter().position(|byte| *byte == b' ').ok_or(io::ErrorKind::InvalidData)?;
    let echo = reply.split_off(space + 1);
    reply.truncate(space);
    let served_by = String::from_utf8(reply).map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(UdpAnswer { served_by, echo })
}
