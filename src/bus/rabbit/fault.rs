//! Why a session with the broker ended, in words for an operator.

use crate::journal;
use lapin::ErrorKind;
use std::time::Duration;

/// Why a session with the broker ended. Every one of them is followed by a new try.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(
        "`bus.url` is no AMQP address; write amqps://user:password@host:5671/vhost (`%2f` for the vhost `/`)"
    )]
    Address,
    #[error("no connection to the broker: {0}; check `bus.url`, the broker, and user, password and vhost")]
    Connect(String),
    #[error(
        "the broker did not answer within {0:?}; check `bus.url` and the network, or raise `bus.connect_within`"
    )]
    ConnectLate(Duration),
    #[error("the broker's topology does not fit: {}", .0.join("; "))]
    Topology(Vec<String>),
    #[error("{doing}: {said}")]
    Amqp { doing: &'static str, said: String },
    #[error("the broker has taken no messages for {0:?} ({1}); free memory or disk at the broker")]
    Blocked(Duration, String),
    #[error("the broker did not confirm a message within {0:?}")]
    ConfirmLate(Duration),
    #[error("the broker did not answer a look at its queues within {0:?}")]
    Silent(Duration),
    #[error("the broker refused to keep a message for {0}; a queue there may be full")]
    Nacked(String),
    #[error("no queue took an event for {0}, although one should be bound; its bindings are made again")]
    Unrouted(String),
    #[error("the broker cancelled the consumer of {0}; the queue may have been deleted")]
    Cancelled(String),
    #[error("the journal cannot be read for publishing: {0}")]
    Journal(#[from] journal::Error),
    #[error("the {0} connection to the broker was lost")]
    Lost(&'static str),
    #[error("a part of the session panicked")]
    Panicked,
}

impl Fault {
    pub(super) fn connect(error: lapin::Error) -> Self {
        Self::Connect(said(&error))
    }
    pub(super) fn amqp(doing: &'static str) -> impl FnOnce(lapin::Error) -> Self {
        move |error| Self::Amqp { doing, said: said(&error) }
    }
}

/// The broker's or the system's own words.
#[expect(clippy::wildcard_enum_match_arm, reason = "another crate's enum, of which a few variants matter")]
pub(super) fn said(error: &lapin::Error) -> String {
    match error.kind() {
        ErrorKind::ProtocolError(error) => error.to_string(),
        ErrorKind::IOError(error) => error.to_string(),
        _ => error.to_string(),
    }
}
