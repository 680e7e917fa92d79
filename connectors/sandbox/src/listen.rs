//! Sockets: plain or TLS, with a way to cut one connection off before its answer is written.

use crate::keys::{self, Authority};
use axum::Router;
use axum::middleware::AddExtension;
use axum_server::Handle;
use axum_server::accept::Accept;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use std::future::Ready;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tower::Layer as _;

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port is taken, or not ours.
    #[error("cannot listen: {0}")]
    Listen(#[from] std::io::Error),
    /// Keys or certificates.
    #[error(transparent)]
    Keys(#[from] keys::Error),
    /// An option that the stand-in does not take, in words.
    #[error("{0}")]
    Option(String),
}

/// Cuts a connection: once pulled, nothing more is written to it.
#[derive(Debug, Clone, Default)]
pub struct Scissors(Arc<AtomicBool>);

impl Scissors {
    /// Cuts.
    pub fn cut(&self) {
        self.0.store(true, Ordering::Release);
    }
    fn done(&self) -> io::Result<()> {
        if self.0.load(Ordering::Acquire) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

/// A stream that can be cut.
pub struct Cuttable {
    stream: TcpStream,
    scissors: Scissors,
}

impl AsyncRead for Cuttable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Cuttable {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.scissors.done()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.scissors.done()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.scissors.done()?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Gives every connection its scissors, which handlers find as an extension.
#[derive(Debug, Clone, Copy, Default)]
pub struct CuttableAcceptor;

impl<S> Accept<TcpStream, S> for CuttableAcceptor {
    type Stream = Cuttable;
    type Service = AddExtension<S, Scissors>;
    type Future = Ready<io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let scissors = Scissors::default();
        let service = axum::Extension(scissors.clone()).layer(service);
        std::future::ready(stream.set_nodelay(true).map(|()| (Cuttable { stream, scissors }, service)))
    }
}

/// A bound socket, not yet serving.
#[derive(Debug)]
pub struct Bound {
    listener: std::net::TcpListener,
    /// The address it got.
    pub addr: SocketAddr,
}

/// Binds an address; port 0 takes a free one.
///
/// # Errors
/// The address is taken or not ours.
pub fn bind(addr: SocketAddr) -> io::Result<Bound> {
    let listener = std::net::TcpListener::bind(addr)?;
    listener.set_nonblocking(true)?;
    Ok(Bound { addr: listener.local_addr()?, listener })
}

/// Serves until the handle is told to stop.
///
/// # Errors
/// TLS could not be set up, or the socket is unusable.
pub fn serve(
    bound: Bound,
    routes: Router,
    tls: Option<&Authority>,
    handle: Handle<SocketAddr>,
) -> Result<(), StartError> {
    let server = axum_server::from_tcp(bound.listener)?.handle(handle);
    let service = routes.into_make_service();
    match tls {
        None => {
            let server = server.acceptor(CuttableAcceptor);
            tokio::spawn(async move {
                if let Err(e) = server.serve(service).await {
                    tracing::error!(error = %e, "a sandbox listener ended");
                }
            });
        }
        Some(authority) => {
            let config = RustlsConfig::from_config(Arc::new(authority.server_config()?));
            let server = server.acceptor(RustlsAcceptor::new(config).acceptor(CuttableAcceptor));
            tokio::spawn(async move {
                if let Err(e) = server.serve(service).await {
                    tracing::error!(error = %e, "a sandbox listener ended");
                }
            });
        }
    }
    Ok(())
}
