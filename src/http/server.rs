//! hyper itself, for its knobs: how many connections, how long a header may take and be, how a connection ends.

use super::answer::{self, Answer};
use crate::settings::{Cluster, Http};
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
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// Pause after the system would not accept a connection (out of file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Smallest buffer hyper takes; larger ones only cost memory here.
const BUFFER: usize = 16_384;
/// Headers in one request.
const HEADERS_MAX: usize = 64;
/// What a replica adds to the headers of a request, in number and in bytes.
const ADDED: (usize, usize) = (2, 512);
/// How long the connection of another replica may rest between two requests.
const REPLICAS_REST: Duration = Duration::from_secs(30);
/// A replica must have shown its certificate within this.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);

/// What the system keeps for a connection whose other side does not read, as it is asked for; it doubles it for its own
/// book-keeping. Without a limit it would be some megabytes.
const SENT_BYTES_MAX: u32 = 131_072;
/// Connections that the system may have accepted before we do.
const BACKLOG: u32 = 1_024;

/// Listens. Connections take the size of their buffers over from the listener.
pub(super) fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // As tokio's own way to bind: connections of a process before us, which are still closing, do not matter.
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SENT_BYTES_MAX)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

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

    /// For other replicas, which keep their connections for the next request.
    pub(super) fn among(http: &Http, cluster: &Cluster) -> Self {
        Self {
            connections: Arc::new(Semaphore::new(cluster.connections_max as usize)),
            header_within: REPLICAS_REST,
            ..Self::of(http)
        }
    }
}

/// A connection: where it comes from, and its place among those allowed. A socket keeps the place while it lives.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) _place: Arc<OwnedSemaphorePermit>,
    pub(super) task: TaskTracker,
    /// It is another replica, which forwards what came to it.
    pub(super) forwards: bool,
}

/// A listener with what is behind it.
pub(super) struct Door {
    pub(super) listener: TcpListener,
    /// Asks whoever comes for a certificate, and takes other replicas alone; without it anybody may come.
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) router: Router,
    pub(super) limits: Limits,
}

/// Serves until `stop`, then ends connections kindly, and after `close_within` at all events.
pub(super) async fn serve(door: Door, stop: CancellationToken) {
    let Door { listener, tls, router, limits } = door;
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
                let forwards = tls.is_some();
                let peer = Peer { address, _place: Arc::new(place), task: tasks.clone(), forwards };
                let connection =
                    shaken(stream, tls.clone(), peer, router.clone(), limits.clone(), stop.clone());
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

/// Serves a connection once whoever is there has shown who it is, where that is asked.
async fn shaken(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    peer: Peer,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let Some(tls) = tls else { return connection(stream, peer, router, limits, stop).await };
    let shown = tokio::select! {
        shown = tokio::time::timeout(HANDSHAKE_WITHIN, tls.accept(stream)) => shown,
        () = stop.cancelled() => return,
    };
    match shown {
        Ok(Ok(stream)) => connection(stream, peer, router, limits, stop).await,
        Ok(Err(error)) => {
            tracing::warn!(address = %peer.address, %error, "somebody who is no replica of ours was turned away")
        }
        Err(_) => {
            tracing::warn!(address = %peer.address, "somebody at the inner listener did not say who it is")
        }
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let (more, more_bytes) = if peer.forwards { ADDED } else { (0, 0) };
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
        .max_header_size(limits.header_bytes_max + more_bytes)
        .max_headers(HEADERS_MAX + more)
        .max_buf_size(BUFFER.max(limits.header_bytes_max + more_bytes));
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
