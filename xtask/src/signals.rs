//! Ctrl-C and SIGTERM as a question that can be asked, so that whatever was started is also stopped.

use anyhow::{Context, Result, bail};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Knows whether somebody wants this program to end.
pub(crate) struct Stop(Receiver<()>);

impl Stop {
    /// Listens from now on; until the process ends, neither signal ends it by itself.
    pub(crate) fn listen() -> Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
        let (mut interrupt, mut terminate) = {
            let _inside = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        let (say, asked) = channel();
        std::thread::spawn(move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                    }
                    if say.send(()).is_err() {
                        return;
                    }
                }
            });
        });
        Ok(Self(asked))
    }

    /// Waits up to `limit`; true when somebody asked.
    pub(crate) fn asked_within(&self, limit: Duration) -> bool {
        match self.0.recv_timeout(limit) {
            Ok(()) => true,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => false,
        }
    }

    /// Fails when somebody asked.
    pub(crate) fn check(&self) -> Result<()> {
        if self.asked_within(Duration::ZERO) {
            bail!("stopped before everything was ready");
        }
        Ok(())
    }
}
