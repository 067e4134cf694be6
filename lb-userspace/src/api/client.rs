//! Asks the daemon.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::{
    ChangeRequest, ChangeResponse, ErrorBody, Flows, FlowsQuery, ServiceView, Stats, Status,
};
use crate::{model::ServiceName, state::Desired};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no answer, or not the one that was hoped for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens on the socket.
    #[error("no lb daemon answers on {}: start one with `lb run`, or name its socket with --socket", .0.display())]
    NoDaemon(PathBuf),
    /// The socket cannot be opened.
    #[error("cannot open {}: {source}", socket.display())]
    Socket {
        /// The socket.
        socket: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The connection ended before the answer.
    #[error("the daemon on {} hung up: {source}", socket.display())]
    HungUp {
        /// The socket.
        socket: PathBuf,
        /// How.
        source: hyper::Error,
    },
    /// The daemon is there, and too busy or stopped.
    #[error("the daemon on {} has not answered for {}s", .0.display(), PATIENCE.as_secs())]
    Silent(PathBuf),
    /// The daemon refused or failed.
    #[error(transparent)]
    Refused(#[from] ErrorBody),
    /// What came back is not an answer of this version's daemon.
    #[error("what answers on {} is not understood ({what}): is it an lb daemon of another version?", socket.display())]
    Garbled {
        /// The socket.
        socket: PathBuf,
        /// What came.
        what: String,
    },
}

/// A daemon behind its socket. Each request is a connection of its own.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

type Answer<T> = Result<T, ClientError>;

impl Client {
    /// The daemon that listens there.
    pub fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// Asks for a change.
    pub async fn change(&self, request: &ChangeRequest) -> Answer<ChangeResponse> {
        let body = serde_json::to_vec(request).map_err(|error| self.garbled(&error))?;
        self.ask(Method::POST, "/v1/change", body.into()).await
    }

    /// How things stand.
    pub async fn status(&self) -> Answer<Status> {
        self.get("/v1/status").await
    }

    /// Every service.
    pub async fn services(&self) -> Answer<Vec<ServiceView>> {
        self.get("/v1/services").await
    }

    /// One service.
    pub async fn service(&self, name: &ServiceName) -> Answer<ServiceView> {
        // Every character of a name stands for itself in a path.
        self.get(&format!("/v1/services/{name}")).await
    }

    /// What has been counted.
    pub async fn stats(&self) -> Answer<Stats> {
        self.get("/v1/stats").await
    }

    /// Live flows, by backend.
    pub async fn flows(&self, query: &FlowsQuery) -> Answer<Flows> {
        self.get(&format!("/v1/flows{}", query.written())).await
    }

    /// What is desired.
    pub async fn desired(&self) -> Answer<Desired> {
        self.get("/v1/desired").await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Answer<T> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> Answer<T> {
        let exchange = tokio::time::timeout(PATIENCE, self.exchange(method, path, body)).await;
        let (status, body) = exchange.map_err(|_| ClientError::Silent(self.socket.clone()))??;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| self.garbled(&error));
        }
        match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(refused) => Err(ClientError::Refused(refused)),
            Err(_) => Err(self.garbled(&status)),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Answer<(StatusCode, Bytes)> {
        let stream = self.connect().await?;
        let hung_up = |source| ClientError::HungUp { socket: self.socket.clone(), source };
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(hung_up)?;
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "lb")
            .header("content-type", "application/json")
            .body(Full::new(body))
            .map_err(|error| self.garbled(&error))?;
        let response = sender.send_request(request).await.map_err(hung_up)?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(hung_up)?;
        Ok((status, body.to_bytes()))
    }

    async fn connect(&self) -> Answer<UnixStream> {
        let socket = || self.socket.clone();
        UnixStream::connect(&self.socket).await.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                ClientError::NoDaemon(socket())
            }
            _ => ClientError::Socket { socket: socket(), source },
        })
    }

    fn garbled(&self, what: &impl ToString) -> ClientError {
        ClientError::Garbled { socket: self.socket.clone(), what: what.to_string() }
    }
}
