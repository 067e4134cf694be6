//! An HTTP/1.1 request is answered as expected.

use std::{error::Error, io, net::SocketAddr, pin::pin};

use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{CONNECTION, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::Failure;
use crate::model::HttpCheck;

/// Bytes of an answer's body that are read, so that a server which sends little can finish in
/// peace. What a larger body says has no bearing on health.
const BODY_READ: usize = 16 << 10;

pub(super) async fn probe(target: SocketAddr, check: &HttpCheck) -> Result<(), Failure> {
    let request = request(target, check)?;
    let stream = TcpStream::connect(target).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failure)?;
    let mut answer = pin!(async move {
        let mut response = sender.send_request(request).await.map_err(failure)?;
        drain(response.body_mut()).await?;
        Ok::<_, Failure>(response.status())
    });
    // The connection may end before its answer has been read to the end: that is the usual case.
    let status = tokio::select! {
        biased;
        status = &mut answer => status,
        _ = connection => answer.await,
    }?;
    if is_expected(status, &check.expect) { Ok(()) } else { Err(Failure::Status(status.as_u16())) }
}

fn request(target: SocketAddr, check: &HttpCheck) -> Result<Request<Empty<Bytes>>, Failure> {
    let host = check.host.clone().unwrap_or_else(|| target.to_string());
    Request::get(&check.path)
        .header(HOST, host)
        .header(USER_AGENT, concat!("lb/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close")
        .body(Empty::new())
        .map_err(|error| Failure::NotProbed(error.to_string()))
}

fn is_expected(status: StatusCode, expect: &[u16]) -> bool {
    let status = status.as_u16();
    if expect.is_empty() { (200..=399).contains(&status) } else { expect.contains(&status) }
}

async fn drain(body: &mut Incoming) -> Result<(), Failure> {
    let mut left = BODY_READ;
    while left > 0
        && let Some(frame) = body.frame().await
    {
        let length = frame.map_err(failure)?.data_ref().map_or(0, Bytes::len);
        left = left.saturating_sub(length);
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` wants")]
fn failure(error: hyper::Error) -> Failure {
    let os_error = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    if let Some(code) = os_error.and_then(io::Error::raw_os_error) {
        return io::Error::from_raw_os_error(code).into();
    }
    if error.is_parse() { Failure::Malformed("HTTP/1.1") } else { Failure::Closed }
}
