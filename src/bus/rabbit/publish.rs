//! Publishes a tenant's journal from its cursor, in order, with many confirms in flight.

use super::Fault;
use super::session::{Session, confirmed};
use super::topology::{self, EVENTS};
use crate::bus::health::count;
use crate::bus::outgoing::{envelope, event_id, routing_key};
use crate::journal::{Reader, Recorded};
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
use tokio::time::{Instant, sleep_until};

/// Rows read at once.
const READ: u32 = 256;
/// How often the cursor is written. After a crash the events since then are published again.
const CURSOR_EVERY: Duration = Duration::from_millis(250);
/// Survives a restart of the broker; dead-lettering keeps it, whatever the queue.
const PERSISTENT: u8 = 2;
/// Where a message says its position, so that a return can be told apart without reading its body.
const SEQ_HEADER: &str = "tieline-seq";

/// Publishes until the process stops and all that was committed is confirmed.
pub(super) async fn run(session: Arc<Session>, tenant: TenantId) -> Result<(), Fault> {
    let Some(head) = session.shared.wiring.engines.head(&tenant) else { return Ok(()) };
    let cursor = session.shared.wiring.store.cursor(&tenant, &Reader::Bus).await?;
    let again = session.again.take(&tenant).map_or(cursor, |seq| Seq(seq.0.saturating_sub(1)));
    let mut publisher = Publisher {
        read: cursor.min(again),
        confirmed: cursor.min(again),
        written: cursor,
        write_at: None,
        rows: VecDeque::new(),
        flying: FuturesOrdered::new(),
        head,
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

struct Publisher {
    session: Arc<Session>,
    tenant: TenantId,
    head: watch::Receiver<Seq>,
    /// The last row read from the journal.
    read: Seq,
    /// The last row up to which all are confirmed.
    confirmed: Seq,
    /// Where the cursor stands in the journal.
    written: Seq,
    /// When it is written next.
    write_at: Option<Instant>,
    rows: VecDeque<Recorded>,
    flying: FuturesOrdered<BoxFuture<'static, (Seq, Result<Confirmation, Fault>)>>,
}

impl Publisher {
    async fn run(&mut self) -> Result<(), Fault> {
        let stop = self.session.stop.clone();
        loop {
            self.fill().await?;
            let idle = self.rows.is_empty() && self.flying.is_empty();
            if idle && stop.is_cancelled() {
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
                more = self.head.changed(), if self.rows.is_empty() && !stop.is_cancelled() => {
                    if more.is_err() {
                        // The engines are gone: nothing more is committed.
                        stop.cancelled().await;
                    }
                }
                () = stop.cancelled(), if !stop.is_cancelled() => {}
                () = sleep_until(self.write_at.unwrap_or_else(Instant::now)), if self.write_at.is_some() => {
                    self.write_cursor().await?;
                }
            }
        }
    }

    async fn fill(&mut self) -> Result<(), Fault> {
        if self.rows.is_empty() && *self.head.borrow_and_update() > self.read {
            let rows = self.session.shared.wiring.store.read(&self.tenant, self.read, READ).await?;
            self.read = rows.last().map_or(self.read, |row| row.seq);
            self.rows.extend(rows);
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
            store.move_cursor(&self.tenant, &Reader::Bus, self.confirmed).await?;
            self.written = self.confirmed;
        }
        Ok(())
    }
}
