//! hyper itself, for its knobs: how many connections, how long a header may take and be, how a connection ends.

use super::answer::{self, Answer};
use crate::settings::Http;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tieline_model::{Code, Refusal};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// Pause after the system would not accept a connection (out of file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Smallest buffer hyper takes; larger ones only cost memory here.
const BUFFER: usize = 16_384;
/// Headers in one request.
const HEADERS_MAX: usize = 64;

/// What a listener puts up with.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    connections: Arc<Semaphore>,
    header_within: Duration,
    header_bytes_max: usize,
    close_within: Duration,
}

impl Limits {
    pub(super) fn of(http: &Http) -> Self {
        Self {
            connections: Arc::new(Semaphore::new(http.connections_max as usize)),
            header_within: http.header_within.std(),
            header_bytes_max: http.header_bytes_max as usize,
            close_within: http.close_within.std(),
        }
    }
}

/// A connection: where it comes from, and its place among those allowed. A socket keeps the place while it lives.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) _place: Arc<OwnedSemaphorePermit>,
    pub(super) task: TaskTracker,
}

/// Serves until `stop`, then ends connections kindly, and after `close_within` at all events.
pub(super) async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let tasks = TaskTracker::new();
    let kill = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = accept(&listener, &limits) => accepted,
        };
        match accepted {
            Ok((stream, address, place)) => {
                let peer = Peer { address, _place: Arc::new(place), task: tasks.clone() };
                let connection = connection(stream, peer, router.clone(), limits.clone(), stop.clone());
                let kill = kill.clone();
                tasks.spawn(async move {
                    tokio::select! { () = connection => {} () = kill.cancelled() => {} }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    tasks.close();
    if tokio::time::timeout(limits.close_within, tasks.wait()).await.is_err() {
        tracing::warn!(left = tasks.len(), "connections were still open and have been dropped");
        kill.cancel();
    }
}

async fn accept(
    listener: &TcpListener,
    limits: &Limits,
) -> std::io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(&limits.connections).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, address) = listener.accept().await?;
    // Frames are small and must not wait for each other.
    stream.set_nodelay(true)?;
    Ok((stream, address, place))
}

async fn connection(stream: TcpStream, peer: Peer, router: Router, limits: Limits, stop: CancellationToken) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(peer.clone());
        let router = router.clone();
        async move {
            let answered = router.oneshot(request).await;
            Ok::<_, Infallible>(answered.unwrap_or_else(|never| match never {}))
        }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_within)
        .max_header_size(limits.header_bytes_max)
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER.max(limits.header_bytes_max));
    let serving = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// A request that is not answered in time, because it or its body dawdles.
pub(super) async fn within(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let message = format!("the request took longer than {} seconds; send it again", limit.as_secs());
            let answer = Answer::new(StatusCode::REQUEST_TIMEOUT, Refusal::new(Code::Busy, message));
            answer::closing(answer.into_response())
        }
    }
}
