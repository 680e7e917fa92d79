//! Logs: closed interactions raise a wanted version in the delivery table; rows that are due are sent, one flight
//! per interaction, with retries until the CRM has the latest facts or a person has to look (D6–D9).

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a reader of the journal looks for a few kinds of events; the rest do not concern it"
)]

use super::account::{account, content_of};
use super::asking::whole;
use super::gate::{Kind, back_off};
use super::ledger::Row;
use super::lookups::query;
use super::pops::sure;
use super::{Counts, Lane};
use crate::bus::Feed;
use crate::journal::{Delivery, DeliveryState, Error, Reader, Recorded, Want};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tieline_connector_api::Failure;
use tieline_connector_api::connector::Saved;
use tieline_model::crm::{Log, LogState, LookupResult};
use tieline_model::{ConnectionId, ConversationId, Event, InteractionId, Millis, Seq, Timestamp, Wish};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Journal rows read at a time.
const PAGE: u32 = 500;
/// Rows the cursor may run ahead of its stored place when nothing is wanted.
const CURSOR_LAG_MAX: u64 = 2_000;
/// The longest wait before looking at the table again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Logs whose agents are told at once why they wait.
const TOLD_AT_ONCE: u32 = 50;

/// How far a lane's logs have been heard of.
pub(super) struct Heard {
    /// Says how far to read: by the connection's broker queue while messages move, by the journal's head otherwise.
    pub(super) feed: Feed,
    /// What it said last.
    pub(super) reach: Seq,
}

/// Runs until `stop`; then no new log is taken up and those under way are finished.
pub(super) async fn run(lane: Arc<Lane>, heard: &mut Heard, stop: CancellationToken) {
    let parts = &lane.parts;
    let reader = Reader::Logs(parts.info.id.clone());
    let mut cursor =
        Cursor { at: Seq(0), kept: Seq(0), known: false, in_settings: false, reach: heard.reach };
    let mut flights = Flights::default();
    while !stop.is_cancelled() {
        let wait = match turn(&lane, &reader, &mut cursor, &mut flights).await {
            Ok(_) if cursor.at < cursor.reach => continue,
            Ok(wait) => wait,
            Err(error) => {
                tracing::error!(connection = %parts.info.id, %error, "the delivery table cannot be used; trying again");
                LOOK_AGAIN
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(done) = flights.tasks.join_next_with_id() => flights.landed(done),
            more = heard.feed.next() => match more {
                Some(to) => {
                    cursor.reach = cursor.reach.max(to);
                    heard.reach = cursor.reach;
                }
                None => break,
            },
            () = tokio::time::sleep(wait) => {}
        }
    }
    while let Some(done) = flights.tasks.join_next_with_id().await {
        flights.landed(done);
    }
}

/// Logs on their way.
#[derive(Default)]
struct Flights {
    tasks: JoinSet<InteractionId>,
    under_way: BTreeMap<InteractionId, tokio::task::Id>,
    /// Waiting because nothing passes, and their agents know.
    told: BTreeSet<InteractionId>,
}

impl Flights {
    fn landed(&mut self, done: Result<(tokio::task::Id, InteractionId), tokio::task::JoinError>) {
        match done {
            Ok((_, interaction)) => {
                self.under_way.remove(&interaction);
            }
            Err(error) => {
                tracing::error!(%error, "sending a log ended in a panic");
                // Only this one: the others are still being sent, and must not be sent twice at once.
                self.under_way.retain(|_, task| *task != error.id());
            }
        }
    }

    fn start(&mut self, lane: &Arc<Lane>, delivery: Delivery) {
        let (lane, interaction) = (lane.clone(), delivery.interaction);
        self.told.remove(&interaction);
        let flight = self.tasks.spawn(async move {
            send(&lane, delivery).await;
            interaction
        });
        self.under_way.insert(interaction, flight.id());
    }
}

struct Cursor {
    /// Read so far.
    at: Seq,
    /// Stored so far.
    kept: Seq,
    /// The stored place has been asked for.
    known: bool,
    /// The connection stands in the settings that were in effect there.
    in_settings: bool,
    /// How far to read.
    reach: Seq,
}

/// One look at journal and table: takes wants in, starts what is due, says how long nothing more is.
async fn turn(
    lane: &Arc<Lane>,
    reader: &Reader,
    cursor: &mut Cursor,
    flights: &mut Flights,
) -> Result<Duration, Error> {
    take_in(lane, reader, cursor).await?;
    let parts = &lane.parts;
    let places = parts.settings.concurrency as usize;
    if flights.under_way.len() >= places {
        return Ok(LOOK_AGAIN);
    }
    let now = parts.clock.now();
    let closed = lane.gate().closed(now);
    if let Some((until, reason)) = closed {
        tell_why(lane, flights, now, until, &reason).await?;
        return Ok(Duration::from_millis(until.since(now).0).min(LOOK_AGAIN));
    }
    let limit = u32::try_from(places + flights.under_way.len()).unwrap_or(u32::MAX);
    let due = parts.store.due(&parts.tenant, &parts.info.id, now, limit).await?;
    for delivery in due {
        if flights.under_way.len() >= places || flights.under_way.contains_key(&delivery.interaction) {
            continue;
        }
        if let Err(Millis(wait)) = lane.gate().pass(now, Kind::Log, flights.under_way.len()) {
            return Ok(Duration::from_millis(wait).min(LOOK_AGAIN));
        }
        flights.start(lane, delivery);
    }
    let next = parts.store.next_due(&parts.tenant, &parts.info.id).await?;
    let wait = next.map_or(LOOK_AGAIN, |at| Duration::from_millis(at.since(now).0.max(20)));
    Ok(wait.min(LOOK_AGAIN))
}

/// Nothing passes: agents whose logs have not been tried yet read why they wait, once (D7).
async fn tell_why(
    lane: &Lane,
    flights: &mut Flights,
    now: Timestamp,
    until: Timestamp,
    reason: &str,
) -> Result<(), Error> {
    let parts = &lane.parts;
    for delivery in parts.store.due(&parts.tenant, &parts.info.id, now, TOLD_AT_ONCE).await? {
        let id = delivery.interaction;
        let untried = delivery.attempt == 0 && delivery.last_error.is_none();
        if untried && !flights.under_way.contains_key(&id) && flights.told.insert(id) {
            tell_state(lane, id, LogState::Delayed { reason: reason.to_owned(), next_at: until }).await;
        }
    }
    Ok(())
}

/// Raises wanted versions from the journal.
async fn take_in(lane: &Lane, reader: &Reader, cursor: &mut Cursor) -> Result<(), Error> {
    let parts = &lane.parts;
    if !cursor.known {
        let at = parts.store.cursor(&parts.tenant, reader).await?;
        *cursor = Cursor { at, kept: at, known: true, in_settings: at > Seq(0), reach: cursor.reach };
    }
    if cursor.at >= cursor.reach {
        return Ok(());
    }
    let mut rows = parts.store.read(&parts.tenant, cursor.at, PAGE).await?;
    rows.retain(|row| row.seq <= cursor.reach);
    let Some(last) = rows.last().map(|row| row.seq) else { return Ok(()) };
    let (wants, keep) = wants_of(lane, cursor, &rows);
    if !wants.is_empty() || keep.0.saturating_sub(cursor.kept.0) >= CURSOR_LAG_MAX {
        parts.store.want(&parts.tenant, &wants, reader, keep).await?;
        cursor.kept = keep;
    }
    cursor.at = last;
    for want in wants {
        tell_state(lane, want.interaction, LogState::Sending).await;
    }
    Ok(())
}

/// What these rows want sent, and up to where the cursor may be kept. A connection gets logs from the moment it stands
/// in the settings: a CRM that is added later is not flooded with the past. The cursor is kept only where the
/// connection stood in the settings, so that a start from there may take that for granted.
fn wants_of(lane: &Lane, cursor: &mut Cursor, rows: &[Recorded]) -> (Vec<Want>, Seq) {
    let mut wants = Vec::new();
    let mut keep = cursor.kept;
    for row in rows {
        match &row.event {
            Event::Configured { policy } => {
                cursor.in_settings = policy.connections.iter().any(|c| c.id == lane.parts.info.id);
            }
            Event::InteractionClosed { interaction, conversation, log: true, .. }
            | Event::RecordingReady { interaction, conversation, log: true, .. }
            // A case opened in mid-chat is the interaction's one record from there on (B16, D6).
            | Event::CaseOpened { interaction, conversation, .. }
                if cursor.in_settings =>
            {
                wants.push(want_of(lane, *interaction, *conversation, row.seq.0));
            }
            _ => {}
        }
        if cursor.in_settings {
            keep = row.seq;
        }
    }
    (wants, keep)
}

fn want_of(lane: &Lane, interaction: InteractionId, conversation: ConversationId, version: u64) -> Want {
    let connection = lane.parts.info.id.clone();
    Want { connection, interaction, conversation, version, next_at: lane.parts.clock.now() }
}

async fn tell_state(lane: &Lane, interaction: InteractionId, state: LogState) {
    let connection = lane.parts.info.id.clone();
    lane.tell(Wish::ReportDelivery { interaction, connection, state }, Vec::new()).await;
}

/// Sends one log and settles its row.
async fn send(lane: &Lane, delivery: Delivery) {
    let interaction = delivery.interaction;
    if let Err(error) = try_send(lane, delivery).await {
        tracing::error!(connection = %lane.parts.info.id, %interaction, %error, "a log was not sent; it stays due");
    }
}

async fn try_send(lane: &Lane, delivery: Delivery) -> Result<(), Error> {
    let parts = &lane.parts;
    let Some((mut log, asked_in_vain)) = make(lane, delivery.interaction).await? else {
        // Erased meanwhile: nothing is left to send.
        let done = Delivery { done: delivery.wanted, last_error: None, ..delivery };
        return parts.store.settle(&parts.tenant, &done).await;
    };
    let digest = digest_of(&log);
    let version = delivery.wanted;
    if delivery.sent_digest == Some(digest) && delivery.done > 0 {
        return parts.store.settle(&parts.tenant, &Delivery { done: version, ..delivery }).await;
    }
    let mut row = Row::new(parts.store.clone(), parts.tenant.clone(), delivery)
        .map_err(|e| Error::Unreadable(format!("progress of a delivery: {e}")))?;
    let within = Duration::from_millis(parts.settings.operation_within.millis().0);
    let operation = async {
        if asked_in_vain {
            ask_late(lane, &mut log).await?;
        }
        parts.connector.upsert_log(&log, &mut row).await
    };
    let outcome = match tokio::time::timeout(within, whole(lane, operation)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Failure::unknown(format!("{} did not answer in time", parts.info.name))),
    };
    match outcome {
        Ok(saved) => settle_saved(lane, row.delivery, version, digest, saved).await,
        Err(failure) => settle_failed(lane, row.delivery, failure).await,
    }
}

/// The latest account of an interaction, and whether the CRM was asked in vain who the customer is.
async fn make(lane: &Lane, interaction: InteractionId) -> Result<Option<(Log, bool)>, Error> {
    let parts = &lane.parts;
    let rows = parts.store.read_interaction(&parts.tenant, interaction).await?;
    let content: HashMap<_, _> =
        parts.store.content(&parts.tenant, &content_of(&rows)).await?.into_iter().collect();
    let policy = parts.engines.policy(&parts.tenant).await;
    let policy = policy.map_err(|refusal| Error::Refused(refusal.message))?;
    let log = account(&rows, &content, &policy, &parts.info.id);
    Ok(log.map(|log| (log, asked_in_vain(&rows, &parts.info.id))))
}

/// The CRM could not say who the customer is while the interaction lasted, and the agent did not either.
fn asked_in_vain(rows: &[Recorded], connection: &ConnectionId) -> bool {
    let mut unknown = true;
    for row in rows {
        match &row.event {
            Event::LookedUp { connection: of, result, .. } if of == connection => {
                unknown = matches!(result, LookupResult::Failed { .. });
            }
            Event::ContactChosen { connection: of, .. } if of == connection => return false,
            _ => {}
        }
    }
    unknown
}

/// Asks the CRM now who the customer is: what it could not say while it was in trouble must not cost the log its
/// contact (D8). The interaction is over, so nothing of it is journaled; a later sending asks again and hears the same.
async fn ask_late(lane: &Lane, log: &mut Log) -> Result<(), Failure> {
    let query = query(lane, &log.person);
    if query.is_empty() {
        return Ok(());
    }
    match lane.parts.connector.find(&query).await {
        Ok(matches) => {
            let (case, contact) = sure(&matches);
            let of_case = case.and_then(|case| case.contact.clone());
            log.contact = of_case.or_else(|| contact.map(|contact| contact.record.clone()));
            log.case = case.map(|case| case.record.clone());
            Ok(())
        }
        // It will never answer this; a log without a contact is better than none.
        Err(Failure::Reject { .. }) => Ok(()),
        Err(failure @ (Failure::Retry { .. } | Failure::Throttled { .. } | Failure::Reauthorise { .. })) => {
            Err(failure)
        }
    }
}

/// A digest over what a CRM would see; the version alone is no reason to send again.
fn digest_of(log: &Log) -> [u8; 32] {
    let unversioned = Log { version: 0, ..log.clone() };
    let bytes = serde_json::to_vec(&unversioned).unwrap_or_default();
    let mut out = [0; 32];
    out.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes).as_ref());
    out
}

async fn settle_saved(
    lane: &Lane,
    delivery: Delivery,
    version: u64,
    digest: [u8; 32],
    saved: Saved,
) -> Result<(), Error> {
    lane.gate().succeeded();
    Counts::add(&lane.counts.logs_saved);
    // Told before it is settled: a crash between the two repeats the telling, which is harmless.
    let state = LogState::Saved { record: saved.record, label: saved.label, url: saved.url };
    tell_state(lane, delivery.interaction, state).await;
    let done = Delivery {
        done: version,
        attempt: 0,
        tried_ms: 0,
        last_error: None,
        sent_digest: Some(digest),
        ..delivery
    };
    lane.parts.store.settle(&lane.parts.tenant, &done).await
}

async fn settle_failed(lane: &Lane, delivery: Delivery, failure: Failure) -> Result<(), Error> {
    let now = lane.parts.clock.now();
    let interaction = delivery.interaction;
    let (delivery, state) = fail(lane, now, delivery, failure);
    match &state {
        LogState::Refused { reason } => {
            Counts::add(&lane.counts.logs_dead);
            tracing::warn!(connection = %lane.parts.info.id, %interaction, reason, "a log went to the dead letters");
        }
        LogState::Delayed { reason, .. } => {
            Counts::add(&lane.counts.logs_delayed);
            tracing::info!(connection = %lane.parts.info.id, %interaction, reason, attempt = delivery.attempt, "a log is put off");
        }
        LogState::Sending | LogState::Saved { .. } => {}
    }
    lane.parts.store.settle(&lane.parts.tenant, &delivery).await?;
    tell_state(lane, interaction, state).await;
    Ok(())
}

/// What a failure does to the row, the gate, and what the agent reads.
fn fail(lane: &Lane, now: Timestamp, delivery: Delivery, failure: Failure) -> (Delivery, LogState) {
    let settings = &lane.parts.settings;
    let delayed = |delivery: Delivery, next_at: Timestamp, reason: String| {
        let delivery = Delivery { next_at, last_error: Some(reason.clone()), ..delivery };
        (delivery, LogState::Delayed { reason, next_at })
    };
    match failure {
        Failure::Retry { after, reason, .. } => {
            lane.gate().failed(now, &reason);
            let pause = back_off(settings, delivery.attempt, (lane.parts.chance)());
            let pause = after.map_or(pause, |after| after.max(pause));
            let tried_ms = delivery.tried_ms + pause.0;
            if tried_ms > settings.retry_for.millis().0 {
                let hours = settings.retry_for.millis().0 / 3_600_000;
                return dead(delivery, format!("given up after being tried for {hours} h: {reason}"));
            }
            let attempt = delivery.attempt.saturating_add(1);
            delayed(Delivery { attempt, tried_ms, ..delivery }, now + pause, reason)
        }
        // The clock of retries stands still while the connection is limited or unauthorised (D8).
        Failure::Throttled { until, reason } => {
            let until = lane.gate().limited(now, until, &reason);
            delayed(delivery, until, reason)
        }
        Failure::Reauthorise { reason } => {
            let until = lane.gate().unauthorised(now, &reason);
            delayed(delivery, until, reason)
        }
        Failure::Reject { code, reason } => {
            let reason = code.map_or(reason.clone(), |code| format!("{reason} ({code})"));
            dead(delivery, reason)
        }
    }
}

fn dead(delivery: Delivery, reason: String) -> (Delivery, LogState) {
    let delivery = Delivery { state: DeliveryState::Dead, last_error: Some(reason.clone()), ..delivery };
    (delivery, LogState::Refused { reason })
}
