//! Events to rows and back. Every read goes through here, so that rows of older versions are lifted to today's shape
//! and a row of a newer version stops the reader; skipping one would be losing a fact.

use super::{Error, Recorded};
use aws_lc_rs::digest::{Context, SHA256};
use schemars::schema_for;
use serde_json::{Map, Value};
use std::borrow::Cow;
use tieline_model::{Event, Seq, TenantId, Timestamp};

/// Makes of an event as an older version wrote it the next younger one; must set `type` to that one's name.
pub(super) type Upcaster = fn(Map<String, Value>) -> Map<String, Value>;

/// Old shapes by the name they were written under. Empty as long as every shape ever written is today's. An entry
/// stays for good: journals are read from their first row.
const UPCASTERS: &[(&str, Upcaster)] = &[];

/// More steps than any event will ever have versions; stops two upcasters that point at each other.
const STEPS_MAX: usize = 32;

/// An event as text.
pub(super) fn encode(event: &Event) -> Result<String, Error> {
    serde_json::to_string(event)
        .map_err(|e| Error::Refused(format!("an event `{}` cannot be written as JSON: {e}", event.kind())))
}

/// An event from the text of the row at `seq`, `kind` being the name it was written under.
pub(super) fn decode(tenant: &TenantId, seq: Seq, kind: &str, body: &str) -> Result<Event, Error> {
    decode_with(UPCASTERS, body, kind).map_err(|why| match why {
        Trouble::Unknown(kind) => Error::Unreadable(format!(
            "row {} of tenant {tenant} is of type `{kind}`, which this version does not know; a newer version wrote \
             it, so start that version or a newer one",
            seq.0
        )),
        Trouble::Damaged(what) => damaged(tenant, seq, kind, &what),
    })
}

/// The row at `seq` cannot be right.
pub(super) fn damaged(tenant: &TenantId, seq: Seq, kind: &str, what: &str) -> Error {
    Error::Unreadable(format!(
        "row {} of tenant {tenant} (type `{kind}`) is damaged: {what}; restore the journal from its backup",
        seq.0
    ))
}

#[derive(Debug, PartialEq)]
enum Trouble {
    Unknown(String),
    Damaged(String),
}

fn decode_with(upcasters: &[(&str, Upcaster)], body: &str, kind: &str) -> Result<Event, Trouble> {
    let upcaster = |kind: &str| upcasters.iter().find(|(old, _)| *old == kind).map(|(_, f)| f);
    if upcaster(kind).is_none() {
        return serde_json::from_str(body).map_err(|e| trouble(kind, &e));
    }
    let mut map: Map<String, Value> = serde_json::from_str(body).map_err(|e| trouble(kind, &e))?;
    let mut kind = Cow::Borrowed(kind);
    for _ in 0..STEPS_MAX {
        let Some(lift) = upcaster(&kind) else {
            return serde_json::from_value(Value::Object(map)).map_err(|e| trouble(&kind, &e));
        };
        map = lift(map);
        let next = map.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        kind = Cow::Owned(next);
    }
    Err(Trouble::Damaged("its upcasters do not come to an end".into()))
}

fn trouble(kind: &str, e: &serde_json::Error) -> Trouble {
    if e.classify() == serde_json::error::Category::Data && !kinds().iter().any(|known| known == kind) {
        return Trouble::Unknown(kind.to_owned());
    }
    Trouble::Damaged(e.to_string())
}

/// The names of all events this version knows, from the model's own schema so that none can be forgotten. Slow; for
/// the way to an error and for tests.
fn kinds() -> Vec<String> {
    let schema = schema_for!(Event).to_value();
    let variants = schema.get("oneOf").and_then(Value::as_array).cloned().unwrap_or_default();
    variants.iter().filter_map(|v| v.pointer("/properties/type/const")?.as_str().map(str::to_owned)).collect()
}

/// What a row is checked against when it is read: SQLite itself would not notice a flipped bit.
pub(super) fn checksum(tenant: &TenantId, seq: Seq, at: Timestamp, kind: &str, body: &str) -> i64 {
    let mut context = Context::new(&SHA256);
    context.update(tenant.as_str().as_bytes());
    context.update(&[0]);
    context.update(&seq.0.to_le_bytes());
    context.update(&at.0.to_le_bytes());
    context.update(kind.as_bytes());
    context.update(&[0]);
    context.update(body.as_bytes());
    let digest = context.finish();
    let first = digest.as_ref().first_chunk::<8>().expect("SHA-256 has 32 bytes");
    i64::from_le_bytes(*first)
}

/// Whether a batch's rows follow the head, gap-free and never back in time.
pub(super) fn check_rows(
    tenant: &TenantId,
    mut head: Seq,
    mut at: Timestamp,
    rows: &[Recorded],
) -> Result<(), Error> {
    for row in rows {
        if row.seq != head.next() {
            return Err(Error::Refused(format!(
                "row {} of tenant {tenant} does not follow {}",
                row.seq.0, head.0
            )));
        }
        if row.at < at {
            return Err(Error::Refused(format!(
                "row {} of tenant {tenant} is older than the one before it",
                row.seq.0
            )));
        }
        (head, at) = (row.seq, row.at);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
