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

/// An answer whose body has not been read yet.
#[derive(Debug)]
pub struct Download<'a> {
    connection: &'a mut Connection,
    status: u16,
    served_by: String,
    left: u64,
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
        self.download(path)?.rest()
    }

    /// `GET path` as far as the body, which the server goes on sending while it is read.
    pub fn download(&mut self, path: &str) -> io::Result<Download<'_>> {
        write!(self.stream.get_mut(), "GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address)?;
        self.head()
    }

    /// `POST path` with a body; the answer proves that the server has read all of it.
    pub fn post(&mut self, path: &str, body: &[u8]) -> io::Result<Response> {
        let (host, length) = (self.address, body.len());
        let stream = self.stream.get_mut();
        write!(stream, "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n")?;
        stream.write_all(body)?;
        self.head()?.rest()?;
        // A server may answer before it has read a body, but not a second request before that.
        self.get(path)
    }

    fn head(&mut self) -> io::Result<Download<'_>> {
        let status_line = self.line()?;
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| unexpected(&status_line))?;
        let mut left = 0;
        let mut served_by = String::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").ok_or_else(|| unexpected(&line))?;
            match name.to_ascii_lowercase().as_str() {
                "content-length" => left = value.parse().map_err(|_| unexpected(&line))?,
                "served-by" => value.clone_into(&mut served_by),
                _ => {}
            }
        }
        if left > MAX_BODY {
            return Err(unexpected(&format!("a body of {left} bytes")));
        }
        Ok(Download { connection: self, status, served_by, left })
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}

impl Download<'_> {
    /// The name of the backend that answers.
    pub fn served_by(&self) -> &str {
        &self.served_by
    }

    /// Reads some more of the body.
    pub fn read(&mut self, bytes: u64) -> io::Result<Vec<u8>> {
        let mut some = vec![0; bytes.min(self.left) as usize];
        self.connection.stream.read_exact(&mut some)?;
        self.left -= some.len() as u64;
        Ok(some)
    }

    /// Reads all the rest.
    pub fn rest(mut self) -> io::Result<Response> {
        let body = self.read(self.left)?;
        Ok(Response { status: self.status, served_by: self.served_by, body })
    }
}

fn unexpected(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no HTTP/1.1: {what:?}"))
}
