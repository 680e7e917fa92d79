//! One TCP connection to the broker that can be cut at any time.

use super::Fault;
use crate::settings::Bus;
use lapin::tcp::AsyncTcpStream;
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Connection, ConnectionProperties};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// How long a polite goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// A connection. Dropping it cuts it.
pub(super) struct Link {
    pub(super) connection: Connection,
    socket: Socket,
}

/// The same socket under a second handle. lapin writes nothing on a blocked connection, not even its own close, so
/// a blocked one would keep its thread and buffers for as long as the alarm lasts; shutting the socket ends it.
#[derive(Clone, Default)]
struct Socket(Arc<Mutex<Option<TcpStream>>>);

impl Socket {
    fn cut(&self) {
        if let Some(socket) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Already closed by the other side: then there is nothing to cut.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Link {
    /// Connects. `purpose` is shown in the broker's list of connections.
    pub(super) async fn open(settings: &Bus, purpose: &str) -> Result<Self, Fault> {
        // The parser's error would repeat the address, password included.
        let mut uri: AMQPUri = settings.url.reveal().parse().map_err(|_| Fault::Address)?;
        let heartbeat = settings.heartbeat.std().as_secs();
        uri.query.heartbeat = Some(u16::try_from(heartbeat).unwrap_or(u16::MAX));
        let within = settings.connect_within.std();
        let socket = Socket::default();
        let kept = socket.clone();
        let runtime = lapin::runtime::default_runtime().map_err(Fault::connect)?;
        let dialling = runtime.clone();
        let connect = async move |uri: AMQPUri, _| {
            let address = (uri.authority.host.clone(), uri.authority.port);
            let stream = AsyncTcpStream::connect(&dialling, dialling.to_socket_addrs(address)).await?;
            if let AsyncTcpStream::Plain(plain) = &stream {
                let socket = plain.get_ref().as_fd().try_clone_to_owned()?;
                *kept.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(TcpStream::from(socket));
            }
            Ok(match uri.scheme {
                AMQPScheme::AMQP => stream,
                AMQPScheme::AMQPS => {
                    stream.into_tls(&uri.authority.host, lapin::tcp::TLSConfig::default()).await?
                }
            })
        };
        let properties = ConnectionProperties::default()
            .with_connection_name(format!("tieline {purpose}").into())
            .with_client_property("product".into(), "tieline".into())
            .with_client_property("version".into(), env!("CARGO_PKG_VERSION").into());
        let connecting = Connection::connector(uri, runtime, connect, properties);
        match timeout(within, connecting).await {
            Ok(Ok(connection)) => Ok(Self { connection, socket }),
            Ok(Err(error)) => Err(Fault::connect(error)),
            Err(_) => {
                socket.cut();
                Err(Fault::ConnectLate(within))
            }
        }
    }

    /// Says goodbye where the broker still listens.
    pub(super) async fn close(&self) {
        // Whatever it answers, the socket is cut next.
        let _ = timeout(GOODBYE, self.connection.close(200, "OK".into())).await;
        self.socket.cut();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.socket.cut();
    }
}
