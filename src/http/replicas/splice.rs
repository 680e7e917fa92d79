//! A live socket that goes through to another replica: what comes at one end goes out at the other.

use super::super::Shared;
use super::super::limits::Place;
use super::super::server::Peer;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

/// What may be on its way in one direction, beside what the system holds: a socket that is not read from makes the
/// owner's writes wait, and the owner lets it go.
const BUFFER: usize = 4_096;
/// Once one direction is over, so long for what is left in the other.
const REST: Duration = Duration::from_secs(2);
/// A gateway that stops ends the sockets that go through it spread over this time, so that not all come back at once.
const SPREAD_MS: u64 = 8_000;

/// Both ends of a socket, and what it holds on to while it lives.
pub(super) struct Ends {
    /// Towards whoever came.
    pub(super) ours: OnUpgrade,
    /// Towards the owner.
    pub(super) theirs: OnUpgrade,
    /// Cancelled when the owner is the owner no longer.
    pub(super) line: CancellationToken,
    /// Its place among the sockets of its address.
    pub(super) place: Place,
    /// Its place among the connections.
    pub(super) peer: Peer,
}

impl Ends {
    /// Joins them, for as long as both live and the owner is the owner. Both are closed in the end, so that the page
    /// sees it at once and comes back.
    pub(super) fn splice(self, app: &Shared) {
        let Self { ours, theirs, line, place, peer } = self;
        let (stop, open) = (app.stop.clone(), app.counts.replicas.sockets.clone());
        let tasks = peer.task.clone();
        tasks.spawn(async move {
            let _places = (place, peer);
            let (Ok(ours), Ok(theirs)) = tokio::join!(ours, theirs) else { return };
            open.inc();
            let stopped = async {
                stop.cancelled().await;
                tokio::time::sleep(Duration::from_millis(rand::random_range(0..SPREAD_MS))).await;
            };
            tokio::select! {
                () = pour_both(TokioIo::new(ours), TokioIo::new(theirs)) => {}
                () = line.cancelled() => {}
                () = stopped => {}
            }
            open.dec();
        });
    }
}

async fn pour_both(ours: impl AsyncRead + AsyncWrite, theirs: impl AsyncRead + AsyncWrite) {
    let (our_ear, our_mouth) = tokio::io::split(ours);
    let (their_ear, their_mouth) = tokio::io::split(theirs);
    let (up, down) = (pour(our_ear, their_mouth), pour(their_ear, our_mouth));
    tokio::pin!(up, down);
    // Once one end is silent for good, the other has nobody to talk to: what it was told still goes out.
    let rest = tokio::select! {
        () = &mut up => tokio::time::timeout(REST, down).await,
        () = &mut down => tokio::time::timeout(REST, up).await,
    };
    // Whether it ended by itself or was cut makes no difference here.
    drop(rest);
}

/// Until one end is closed or fails.
async fn pour(mut from: impl AsyncRead + Unpin, mut into: impl AsyncWrite + Unpin) {
    let mut buffer = vec![0; BUFFER];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if into.write_all(&buffer[..read]).await.is_err() || into.flush().await.is_err() {
            break;
        }
    }
    // The other side may be gone already.
    let _ = into.shutdown().await;
}
