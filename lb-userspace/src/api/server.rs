//! HTTP and JSON in front of the task that owns the state.

use std::{future::Future, io, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{
        DefaultBodyLimit, Path, Query, State,
        rejection::{BytesRejection, QueryRejection},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};

use super::{
    ChangeRequest, ChangeResponse, Command, ErrorBody, ErrorKind, Flows, FlowsQuery, Reply,
    ServiceView, Stats, Status, socket::Socket,
};
use crate::state::{Desired, there_are};

/// The largest body: a config of some 100,000 backends.
const BODY_LIMIT: usize = 16 << 20;
/// What there is, for whoever asks for something else.
const PATHS: &str = "there are: /v1/change, /v1/status, /v1/services, /v1/services/NAME, \
     /v1/stats, /v1/desired";
/// How long answers that are under way at shutdown may take.
const GRACE: Duration = Duration::from_secs(2);

/// Answers requests until `shutdown` is done; then the socket is removed.
pub async fn serve(
    socket: Socket,
    commands: mpsc::Sender<Command>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let Socket { listener, file: _removed_at_the_end } = socket;
    let shutdown = shutdown.shared();
    let server = axum::serve(listener, router(commands)).with_graceful_shutdown(shutdown.clone());
    tokio::select! {
        ended = server => ended,
        () = shutdown.then(|()| tokio::time::sleep(GRACE)) => Ok(()),
    }
}

fn router(commands: mpsc::Sender<Command>) -> Router {
    Router::new()
        .route("/v1/change", post(change))
        .route("/v1/status", get(status))
        .route("/v1/services", get(services))
        .route("/v1/services/{name}", get(service))
        .route("/v1/stats", get(stats))
        .route("/v1/flows", get(flows))
        .route("/v1/desired", get(desired))
        .fallback(async || ErrorBody::not_found(format!("there is nothing at this path; {PATHS}")))
        .method_not_allowed_fallback(async || {
            let error = ErrorBody::invalid("this path takes another method");
            (StatusCode::METHOD_NOT_ALLOWED, Json(error))
        })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(Owner(commands))
}

/// The way to the task that owns the state.
#[derive(Clone)]
struct Owner(mpsc::Sender<Command>);

impl Owner {
    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, ErrorBody> {
        let gone = || ErrorBody::internal("the daemon is shutting down");
        let (reply, answer) = oneshot::channel();
        self.0.send(command(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    async fn status(&self) -> Result<Status, ErrorBody> {
        self.ask(|reply| Command::Status { reply }).await
    }
}

type Answer<T> = Result<Json<T>, ErrorBody>;

async fn change(
    State(owner): State<Owner>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<ChangeResponse>, Response> {
    let body = body.map_err(|rejection| {
        (rejection.status(), Json(ErrorBody::invalid(rejection.body_text()))).into_response()
    })?;
    let request: ChangeRequest = serde_json::from_slice(&body).map_err(|error| {
        ErrorBody::invalid(format!("the body is not a change: {error}")).into_response()
    })?;
    let request = Box::new(request);
    let answer = owner.ask(|reply| Command::Change { request, reply }).await;
    answer.map(Json).map_err(IntoResponse::into_response)
}

async fn status(State(owner): State<Owner>) -> Answer<Status> {
    owner.status().await.map(Json)
}

async fn services(State(owner): State<Owner>) -> Answer<Vec<ServiceView>> {
    Ok(Json(owner.status().await?.services))
}

async fn service(State(owner): State<Owner>, Path(name): Path<String>) -> Answer<ServiceView> {
    let services = owner.status().await?.services;
    let there = there_are(services.iter().map(|service| &service.name));
    let found = services.into_iter().find(|service| service.name.as_str() == name);
    found
        .map(Json)
        .ok_or_else(|| ErrorBody::not_found(format!("service \"{name}\" does not exist; {there}")))
}

async fn stats(State(owner): State<Owner>) -> Answer<Stats> {
    owner.ask(|reply| Command::Stats { reply }).await.map(Json)
}

async fn flows(
    State(owner): State<Owner>,
    query: Result<Query<FlowsQuery>, QueryRejection>,
) -> Answer<Flows> {
    let Query(query) = query.map_err(|rejection| ErrorBody::invalid(rejection.body_text()))?;
    let flows = owner.ask(|reply| Command::Flows { reply }).await?;
    Ok(Json(flows.selected(&query)))
}

async fn desired(State(owner): State<Owner>) -> Answer<Desired> {
    owner.ask(|reply| Command::Desired { reply }).await.map(Json)
}

impl ErrorKind {
    fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Invalid => StatusCode::BAD_REQUEST,
            Self::Guarded => StatusCode::CONFLICT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for ErrorBody {
    fn into_response(self) -> Response {
        (self.kind.status(), Json(self)).into_response()
    }
}
