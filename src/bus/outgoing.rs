//! From a row of the journal to a message on `tieline.events`.

use crate::journal::Recorded;
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;
use tieline_model::envelope::{Envelope, TYPE_PREFIX};
use tieline_model::{TenantId, Timestamp};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::{Builder, Uuid};

/// `source` of everything that Tieline says.
pub(crate) const SOURCE: &str = "/tieline";

/// An event's id on the bus, the same however often it is published: a UUIDv8 from SHA-256 over tenant, position,
/// time, kind and interaction.
///
/// Position alone would not do: after a fail-over that lost the last rows, the same position holds another event.
/// The event's fields stay out, so that a release that adds one does not change ids.
pub(crate) fn event_id(tenant: &TenantId, row: &Recorded) -> Uuid {
    let interaction = row.event.interaction().map(|i| i.to_string()).unwrap_or_default();
    let text = format!("{tenant}\n{}\n{}\n{}\n{interaction}", row.seq.0, row.at.0, row.event.kind());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest(&SHA256, text.as_bytes()).as_ref()[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// The routing key of an event: `<tenant>.<type>`.
pub(crate) fn routing_key(tenant: &TenantId, kind: &str) -> String {
    format!("{}.{kind}", tenant_word(tenant))
}

/// A tenant's id as one word of a routing key; its dots would be read as several words, and `:` stands in no id.
pub(crate) fn tenant_word(tenant: &TenantId) -> String {
    tenant.as_str().replace('.', ":")
}

/// The envelope around an event.
pub(crate) fn envelope(tenant: &TenantId, row: &Recorded) -> Envelope {
    let mut data = serde_json::to_value(&row.event).unwrap_or_default();
    if let Value::Object(fields) = &mut data {
        // The envelope names it.
        fields.remove("type");
    }
    Envelope {
        specversion: "1.0".to_owned(),
        id: event_id(tenant, row).to_string(),
        source: SOURCE.to_owned(),
        kind: format!("{TYPE_PREFIX}{}", row.event.kind()),
        subject: row.event.interaction().map(|i| i.to_string()),
        time: rfc3339(row.at),
        datacontenttype: Some("application/json".to_owned()),
        tenant: tenant.clone(),
        seq: Some(row.seq.0),
        data,
    }
}

fn rfc3339(at: Timestamp) -> Option<String> {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1_000_000).ok()?;
    at.format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tieline_model::{AgentId, Event, InteractionId, Seq, SessionId};

    fn row(seq: u64, at: i64) -> Recorded {
        let event = Event::EndSeen { interaction: InteractionId(Uuid::from_u128(7)) };
        Recorded { seq: Seq(seq), at: Timestamp(at), event }
    }

    #[test]
    fn an_event_keeps_its_id_and_another_event_at_its_place_has_another() {
        let acme = TenantId::new("acme").unwrap();
        assert_eq!(event_id(&acme, &row(3, 10)), event_id(&acme, &row(3, 10)));
        let mut ids = vec![
            event_id(&acme, &row(3, 10)),
            event_id(&acme, &row(4, 10)),
            event_id(&acme, &row(3, 11)),
            event_id(&TenantId::new("other").unwrap(), &row(3, 10)),
        ];
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 4);
    }

    #[test]
    fn an_envelope_says_what_when_where_and_repeats_no_type() {
        let acme = TenantId::new("acme.emea").unwrap();
        let envelope = envelope(&acme, &row(3, 1_500));
        assert_eq!(envelope.kind, "com.tieline.chat.end_seen.v1");
        assert_eq!(envelope.time.as_deref(), Some("1970-01-01T00:00:01.5Z"));
        assert_eq!(envelope.seq, Some(3));
        assert_eq!(envelope.data, serde_json::json!({ "interaction": Uuid::from_u128(7) }));
        assert_eq!(routing_key(&acme, "chat.end_seen.v1"), "acme:emea.chat.end_seen.v1");
    }

    #[test]
    fn an_event_about_no_interaction_has_no_subject() {
        let acme = TenantId::new("acme").unwrap();
        let event = Event::AgentConnected {
            agent: AgentId::new("anna").unwrap(),
            session: SessionId(Uuid::from_u128(1)),
        };
        let row = Recorded { seq: Seq(1), at: Timestamp(0), event };
        assert_eq!(envelope(&acme, &row).subject, None);
    }
}
