//! Publishes a tenant's journal from its cursor, in order, with many confirms in flight.

use super::Fault;
use super::session::{Session, confirmed};
use super::topology::{self, EVENTS};
use crate::bus::health::count;
use crate::bus::outgoing::{envelope, event_id, routing_key};
use crate::journal::{self, Reader, Recorded};
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;
use futures::{FutureExt, StreamExt};
use lapin::message::BasicReturnMessage;
use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Confirmation};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tieline_model::{Seq, TenantId};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// Rows read at once.
const READ: u32 = 256;
/// How often the cursor is written. After a crash the events since then are published again.
const CURSOR_EVERY: Duration = Duration::from_millis(250);
/// Pause before a journal that is away is tried again.
const JOURNAL_PAUSE: Duration = Duration::from_secs(1);
/// Survives a restart of the broker; dead-lettering keeps it, whatever the queue.
const PERSISTENT: u8 = 2;
/// Where a message says its position, so that a return can be told apart without reading its body.
const SEQ_HEADER: &str = "tieline-seq";

/// Publishes until the process stops and all that was committed is confirmed, or until the tenant has gone to another
/// process, which goes on at the cursor.
pub(super) async fn run(
    session: Arc<Session>,
    tenant: TenantId,
    leave: CancellationToken,
) -> Result<(), Fault> {
    let Some(head) = session.shared.wiring.engines.head(&tenant) else { return Ok(()) };
    let Some(cursor) = cursor(&session, &tenant, &leave).await? else { return Ok(()) };
    let again = session.again.take(&tenant).map_or(cursor, |seq| Seq(seq.0.saturating_sub(1)));
    let mut publisher = Publisher {
        read: cursor.min(again),
        confirmed: cursor.min(again),
        written: cursor,
        write_at: None,
        read_at: None,
        rows: VecDeque::new(),
        flying: FuturesOrdered::new(),
        head,
        closed: false,
        leave,
        tenant,
        session,
    };
    let ended = publisher.run().await;
    if ended.is_err()
        && let Some(again) = (again < cursor).then_some(publisher.confirmed.next())
    {
        publisher.session.again.from(&publisher.tenant, again);
    }
    ended
}

/// Where publishing goes on; `None` if there is nothing to publish here any more.
async fn cursor(
    session: &Session,
    tenant: &TenantId,
    leave: &CancellationToken,
) -> Result<Option<Seq>, Fault> {
    loop {
        match session.shared.wiring.store.cursor(tenant, &Reader::Bus).await {
            Err(error) if passes(&error) => tell(tenant, &error),
            read => return Ok(Some(read?)),
        }
        tokio::select! {
            () = session.stop.cancelled() => return Ok(None),
            () = leave.cancelled() => return Ok(None),
            () = sleep(JOURNAL_PAUSE) => {}
        }
    }
}

/// The journal is away or full for now. The session stays: dropping it would send back the messages that wait in hand
/// for the journal, and each return counts against them.
fn passes(error: &journal::Error) -> bool {
    use journal::Error::{Fatal, Fenced, Full, Refused, Unknown, Unreachable, Unreadable};
    match error {
        Full | Unknown(_) | Unreachable(_) => true,
        Fatal(_) | Fenced(_) | Refused(_) | Unreadable(_) => false,
    }
}

fn tell(tenant: &TenantId, error: &journal::Error) {
    tracing::warn!(%tenant, %error, "the journal cannot be read or written for publishing; trying again");
}

struct Publisher {
    session: Arc<Session>,
    tenant: TenantId,
    head: watch::Receiver<Seq>,
    /// Nothing more is committed here: the tenant has gone, or the engines have stopped.
    closed: bool,
    /// Another process publishes from now on.
    leave: CancellationToken,
    /// The last row read from the journal.
    read: Seq,
    /// The last row up to which all are confirmed.
    confirmed: Seq,
    /// Where the cursor stands in the journal.
    written: Seq,
    /// When it is written next.
    write_at: Option<Instant>,
    /// When the journal, which could not be read, is tried again.
    read_at: Option<Instant>,
    rows: VecDeque<Recorded>,
    flying: FuturesOrdered<BoxFuture<'static, (Seq, Result<Confirmation, Fault>)>>,
}

impl Publisher {
    async fn run(&mut self) -> Result<(), Fault> {
        let (stop, leave) = (self.session.stop.clone(), self.leave.clone());
        loop {
            if leave.is_cancelled() {
                self.rows.clear();
            } else {
                self.fill().await?;
            }
            let over = self.closed || stop.is_cancelled() || leave.is_cancelled();
            let idle = self.rows.is_empty() && self.flying.is_empty();
            if idle && over {
                return self.write_cursor().await;
            }
            let window = self.session.window.clone();
            tokio::select! {
                Some(landed) = self.flying.next(), if !self.flying.is_empty() => self.landed(landed)?,
                Ok(permit) = window.acquire_owned(), if !self.rows.is_empty() => {
                    if let Some(row) = self.rows.pop_front() {
                        self.publish(&row, permit).await?;
                    }
                }
                more = self.head.changed(), if self.rows.is_empty() && !over => self.closed = more.is_err(),
                () = stop.cancelled(), if !stop.is_cancelled() => {}
                () = leave.cancelled(), if !leave.is_cancelled() => {}
                () = sleep_until(self.read_at.unwrap_or_else(Instant::now)), if self.read_at.is_some() => {}
                () = sleep_until(self.write_at.unwrap_or_else(Instant::now)), if self.write_at.is_some() => {
                    self.write_cursor().await?;
                }
            }
        }
    }

    async fn fill(&mut self) -> Result<(), Fault> {
        let waits = self.read_at.is_some_and(|at| Instant::now() < at);
        if waits || !self.rows.is_empty() || *self.head.borrow_and_update() <= self.read {
            return Ok(());
        }
        self.read_at = None;
        match self.session.shared.wiring.store.read(&self.tenant, self.read, READ).await {
            Ok(rows) => {
                self.read = rows.last().map_or(self.read, |row| row.seq);
                self.rows.extend(rows);
            }
            Err(error) if passes(&error) => {
                tell(&self.tenant, &error);
                self.read_at = Some(Instant::now() + JOURNAL_PAUSE);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    async fn publish(
        &mut self,
        row: &Recorded,
        permit: tokio::sync::OwnedSemaphorePermit,
    ) -> Result<(), Fault> {
        let body = serde_json::to_vec(&envelope(&self.tenant, row)).unwrap_or_default();
        let kind = row.event.kind();
        let mut headers = FieldTable::default();
        headers
            .insert(SEQ_HEADER.into(), AMQPValue::LongLongInt(i64::try_from(row.seq.0).unwrap_or(i64::MAX)));
        let properties = BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_content_type("application/cloudevents+json".into())
            .with_message_id(event_id(&self.tenant, row).to_string().into())
            .with_type(kind.into())
            .with_headers(headers);
        // An event that no queue wants comes back and is counted; one that a queue of ours should have got is a fault.
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let key = routing_key(&self.tenant, kind).into();
        let publish = self.session.events.basic_publish(EVENTS.into(), key, options, &body, properties);
        let confirm = publish.await.map_err(Fault::amqp("publishing"))?;
        count(&self.session.shared.counters.published);
        let within = self.session.shared.wiring.settings.confirm_within.std();
        let (seq, blocked) = (row.seq, self.session.blocked.clone());
        let flight = async move {
            let landed = confirmed(confirm, within, blocked).await;
            drop(permit);
            (seq, landed)
        };
        self.flying.push_back(flight.boxed());
        Ok(())
    }

    /// Confirms land in order here, so the last one is the highest contiguous.
    fn landed(&mut self, (seq, landed): (Seq, Result<Confirmation, Fault>)) -> Result<(), Fault> {
        let counters = &self.session.shared.counters;
        match landed? {
            Confirmation::Ack(returned) => {
                self.session.shared.pulse.confirmed();
                count(&counters.confirmed);
                if let Some(returned) = returned {
                    self.returned(&returned)?;
                }
            }
            Confirmation::Nack(_) => {
                count(&counters.nacked);
                return Err(Fault::Nacked(self.tenant.to_string()));
            }
            Confirmation::NotRequested => {
                return Err(Fault::Lost("publishing"));
            }
        }
        self.confirmed = seq;
        if self.confirmed > self.written && self.write_at.is_none() {
            self.write_at = Some(Instant::now() + CURSOR_EVERY);
        }
        Ok(())
    }

    /// lapin may hang a return on another message's confirm, even another tenant's: only what the returned message
    /// says about itself counts.
    fn returned(&self, returned: &BasicReturnMessage) -> Result<(), Fault> {
        count(&self.session.shared.counters.returned);
        let key = returned.routing_key.as_str();
        let Some((word, kind)) = key.split_once('.') else { return Ok(()) };
        let wiring = &self.session.shared.wiring;
        let missed = wiring.connections.iter().find(|(tenant, _)| {
            topology::is_for_logs(kind) && crate::bus::outgoing::tenant_word(tenant) == word
        });
        let Some((tenant, connection)) = missed else { return Ok(()) };
        let headers = returned.properties.headers().as_ref();
        if let Some(AMQPValue::LongLongInt(seq)) = headers.and_then(|h| h.inner().get(SEQ_HEADER)) {
            self.session.again.from(tenant, Seq(u64::try_from(*seq).unwrap_or(0)));
        }
        Err(Fault::Unrouted(topology::connector_queue(connection)))
    }

    async fn write_cursor(&mut self) -> Result<(), Fault> {
        self.write_at = None;
        if self.confirmed > self.written {
            let store = &self.session.shared.wiring.store;
            match store.move_cursor(&self.tenant, &Reader::Bus, self.confirmed).await {
                Ok(()) => self.written = self.confirmed,
                Err(error) if passes(&error) => {
                    tell(&self.tenant, &error);
                    self.write_at = Some(Instant::now() + JOURNAL_PAUSE);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
