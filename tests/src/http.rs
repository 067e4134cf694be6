//! As much of an HTTP/1.1 client as the lab needs: `GET`, `POST` and keep-alive, each exchange on a
//! connection that the caller can hold on to.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// How long a client waits for a connection, or for the next bytes of an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Longest answer in bytes that is read.
const MAX_BODY: u64 = 64 << 20;

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The name of the backend that answered.
    pub served_by: String,
    /// The body.
    pub body: Vec<u8>,
}

/// A connection on which one request follows another.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
}

impl Connection {
    /// Connects from the network of the calling thread.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), address })
    }

    /// `GET path`.
    pub fn get(&mut self, path: &str) -> io::Result<Response> {
        write!(self.stream.get_mut(), "GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address)?;
        self.response()
    }

    /// `POST path` with a body; the answer proves that the server has read all of it.
    pub fn post(&mut self, path: &str, body: &[u8]) -> io::Result<Response> {
        let (host, length) = (self.address, body.len());
        let stream = self.stream.get_mut();
        write!(stream, "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n")?;
        stream.write_all(body)?;
        self.response()?;
        // A server may answer before it has read a body, but not a second request before that.
        self.get(path)
    }

    fn response(&mut self) -> io::Result<Response> {
        let status_line = self.line()?;
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| unexpected(&status_line))?;
        let mut length = 0;
        let mut served_by = String::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").ok_or_else(|| unexpected(&line))?;
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().map_err(|_| unexpected(&line))?,
                "served-by" => value.clone_into(&mut served_by),
                _ => {}
            }
        }
        if length > MAX_BODY {
            return Err(unexpected(&format!("a body of {length} bytes")));
        }
        let mut body = vec![0; length as usize];
        self.stream.read_exact(&mut body)?;
        Ok(Response { status, served_by, body })
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}

fn unexpected(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no HTTP/1.1: {what:?}"))
}
