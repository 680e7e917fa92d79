//! How the daemon ends (F3): it takes no new work, gives offers back, sends sockets away, finishes what is in flight,
//! and is gone within a bound. What a step does not finish in its time is left: everything that was acknowledged is in
//! the journal and goes on after the next start.

use super::crew::Crew;
use crate::bus;
use crate::drive::{Handle, Stopped};
use anyhow::Context;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// By when a step is over, in per cent of the whole time.
const OFFERS_BY: u32 = 20;
const LOGS_BY: u32 = 60;
const BUS_BY: u32 = 80;
const CONNECTIONS_BY: u32 = 90;
const ENGINES_BY: u32 = 100;

/// The parts of a daemon at work.
pub(super) struct Parts {
    pub(super) handle: Handle,
    pub(super) engines: JoinHandle<Result<(), Stopped>>,
    /// Dropping it ends the engines.
    pub(super) engines_stop: oneshot::Sender<()>,
    pub(super) edge: JoinHandle<()>,
    pub(super) edge_drain: CancellationToken,
    pub(super) edge_close: CancellationToken,
    pub(super) crew: Crew,
    /// Keeps this process's leases, where the journal is shared.
    pub(super) keeper: Option<JoinHandle<()>>,
    pub(super) keeper_stop: CancellationToken,
    pub(super) bus: bus::Running,
}

/// Told twice to stop: whoever did has no time.
#[derive(Debug, thiserror::Error)]
#[error("told to stop twice ({0}), so nothing more was finished; it goes on after the next start")]
pub(super) struct Hurried(&'static str, pub(super) u8);

/// SIGTERM and Ctrl-C.
pub(super) struct Signals {
    term: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn listen() -> anyhow::Result<Self> {
        Ok(Self { term: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    pub(super) async fn next(&mut self) -> Hurried {
        tokio::select! {
            _ = self.term.recv() => Hurried("SIGTERM", 143),
            _ = self.interrupt.recv() => Hurried("SIGINT", 130),
        }
    }
}

impl Parts {
    /// Returns when a part has ended that must not.
    pub(super) async fn ended(&mut self) -> anyhow::Result<()> {
        tokio::select! {
            ended = &mut self.engines => ended.context("the engines ended in a panic")?.map_err(Into::into),
            ended = &mut self.edge => ended.context("the listeners ended in a panic"),
        }
    }

    /// Ends all of them in order, within this time.
    pub(super) async fn drain(mut self, within: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        let by = |percent: u32| began + within * percent / 100;
        tracing::info!(
            within_s = within.as_secs_f32(),
            "stopping: offers go back, what is in flight is finished"
        );
        self.edge_drain.cancel();
        self.crew.wind_down();
        match timeout_at(by(OFFERS_BY), self.handle.drain()).await {
            Ok(Ok(())) => {}
            Ok(Err(refusal)) => {
                tracing::warn!(%refusal, "offers were not taken back; they go on after the next start")
            }
            Err(_) => tracing::warn!("offers were not taken back in time; they go on after the next start"),
        }
        // Each shard goes with a snapshot as soon as nothing of it is half sent; somebody else serves it from then on.
        self.keeper_stop.cancel();
        if let Some(keeper) = self.keeper {
            in_time("shards to give back", by(LOGS_BY), keeper).await;
        }
        in_time("logs under way", by(LOGS_BY), self.crew.finished()).await;
        in_time("messages to the broker", by(BUS_BY), self.bus.shutdown()).await;
        self.edge_close.cancel();
        if !self.edge.is_finished() {
            in_time("open connections", by(CONNECTIONS_BY), &mut self.edge).await;
        }
        drop(self.engines_stop);
        if !self.engines.is_finished() {
            match timeout_at(by(ENGINES_BY), self.engines).await {
                Ok(ended) => ended.context("the engines ended in a panic")??,
                Err(_) => {
                    tracing::warn!("the engines did not end in time; nothing that was acknowledged is lost")
                }
            }
        }
        tracing::info!(took_s = began.elapsed().as_secs_f32(), "stopped");
        Ok(())
    }
}

async fn in_time<T>(what: &str, by: Instant, done: impl Future<Output = T>) {
    if timeout_at(by, done).await.is_err() {
        tracing::warn!("{what}: there was no time to finish; it goes on after the next start");
    }
}
