//! Connections to other replicas: dialled over mutual TLS, kept for a while, used for one request at a time.

use super::Tls;
use crate::settings::Cluster;
use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Connections kept for one replica; one more is closed after its request.
const KEPT_MAX: usize = 64;
/// Longest rest of a kept connection, well below the time after which the inner listener closes it.
const REST_MAX: Duration = Duration::from_secs(10);
/// Largest block of an answer's headers; ours are far smaller.
const BUFFER: usize = 16_384;

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// Nobody answers there, or somebody else; nothing was sent.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// The connection broke; whether the request was carried out is unknown.
    #[error("the connection broke: {0}")]
    Broken(String),
}

type Sender = SendRequest<Body>;

struct Kept {
    sender: Sender,
    since: Instant,
}

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Pool(Arc<Inner>);

struct Inner {
    tls: Tls,
    connect_within: Duration,
    kept: Mutex<HashMap<String, Vec<Kept>>>,
}

impl Pool {
    pub(super) fn new(tls: Tls, cluster: &Cluster) -> Self {
        let connect_within = cluster.connect_within.std();
        Self(Arc::new(Inner { tls, connect_within, kept: Mutex::default() }))
    }

    /// Sends a request over a kept connection or a fresh one, and waits for the head of its answer.
    pub(super) async fn ask(
        &self,
        address: &str,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, Failed> {
        let mut request = request;
        // A kept connection may have been closed at the other end just now; then the request comes back unsent.
        while let Some(mut sender) = self.take(address) {
            match sender.try_send_request(request).await {
                Ok(response) => {
                    self.keep(address, sender);
                    return Ok(response);
                }
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(Failed::Broken(error.into_error().to_string())),
                },
            }
        }
        let mut sender = self.dial(address).await?;
        let response = sender.send_request(request).await.map_err(|e| Failed::Broken(e.to_string()))?;
        self.keep(address, sender);
        Ok(response)
    }

    /// Sends a request over a connection of its own, which an upgrade makes the socket's.
    pub(super) async fn ask_alone(
        &self,
        address: &str,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, Failed> {
        let mut sender = self.dial(address).await?;
        sender.send_request(request).await.map_err(|e| Failed::Broken(e.to_string()))
    }

    async fn dial(&self, address: &str) -> Result<Sender, Failed> {
        let whom = self.0.tls.whom(address).ok_or_else(|| {
            Failed::Unreachable(format!("\"{address}\" names nobody who could be in a certificate"))
        })?;
        let dialling = async {
            let stream = TcpStream::connect(address).await?;
            // Frames are small and must not wait for each other.
            stream.set_nodelay(true)?;
            self.0.tls.connector.connect(whom, stream).await
        };
        let stream = match tokio::time::timeout(self.0.connect_within, dialling).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(Failed::Unreachable(error.to_string())),
            Err(_) => return Err(Failed::Unreachable("it took too long".to_owned())),
        };
        let made = Builder::new().max_buf_size(BUFFER).handshake(TokioIo::new(stream)).await;
        let (sender, connection) = made.map_err(|e| Failed::Unreachable(e.to_string()))?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "a connection to another replica ended early");
            }
        });
        Ok(sender)
    }

    fn take(&self, address: &str) -> Option<Sender> {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let rested = kept.get_mut(address)?;
        // The last one put back is the likeliest to live.
        while let Some(Kept { sender, since }) = rested.pop() {
            if since.elapsed() < REST_MAX && sender.is_ready() {
                return Some(sender);
            }
        }
        kept.remove(address);
        None
    }

    /// Keeps a connection for the next request, once the body of this answer has gone through.
    fn keep(&self, address: &str, mut sender: Sender) {
        let (pool, address) = (self.clone(), address.to_owned());
        tokio::spawn(async move {
            if sender.ready().await.is_err() {
                return;
            }
            let mut kept = pool.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let rested = kept.entry(address).or_default();
            rested.retain(|kept| kept.since.elapsed() < REST_MAX && !kept.sender.is_closed());
            if rested.len() < KEPT_MAX {
                rested.push(Kept { sender, since: Instant::now() });
            }
        });
    }
}
