//! Table `overflow` of a queue: where chats go that it cannot serve (A12).

use super::super::auth::list;
use super::super::{Problems, Span};
use super::Queue;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use tieline_model::QueueId;
use tieline_model::policy::{FullLimit, Overflow, OverflowTo, WaitLimit};

/// Where a chat goes, in a word: `wait`, `offline_form`, or `queue:` and the id of another queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way(pub OverflowTo);

/// Why a text is not a way out of a queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a way for a chat; write \"wait\", \"offline_form\", or \"queue:\" and the id of a queue"
)]
pub struct BadWay(String);

impl FromStr for Way {
    type Err = BadWay;
    fn from_str(text: &str) -> Result<Self, BadWay> {
        let bad = || BadWay(text.chars().take(80).collect());
        match text {
            "wait" => Ok(Self(OverflowTo::Wait)),
            "offline_form" => Ok(Self(OverflowTo::OfflineForm)),
            other => {
                let id = other.strip_prefix("queue:").ok_or_else(bad)?;
                let queue = QueueId::new(id.trim()).map_err(|_| bad())?;
                Ok(Self(OverflowTo::Queue { queue }))
            }
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            OverflowTo::Wait => f.write_str("wait"),
            OverflowTo::OfflineForm => f.write_str("offline_form"),
            OverflowTo::Queue { queue } => write!(f, "queue:{queue}"),
        }
    }
}

impl<'de> Deserialize<'de> for Way {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Way {
    fn schema_name() -> Cow<'static, str> {
        "Way".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(wait|offline_form|queue: *[a-z0-9_.-]+)$",
            "description": "Where a chat goes: \"wait\" (it stays), \"offline_form\" (the customer leaves a message), or \"queue:sales\" (another queue)."
        })
    }
}

/// Where chats go that the queue cannot serve. A chain of queues never comes to one twice; where it would, the
/// customer gets the offline form.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OverflowSettings {
    /// Outside the opening hours: "wait", "offline_form" or "queue:<id>". Default "offline_form".
    pub closed: Way,
    /// All agents who serve the queue are Offline. Default "wait".
    pub unstaffed: Way,
    /// After so much waiting in this queue: `{ after = "10m", then = "queue:sales" }`. Default none.
    pub waited: Option<Waited>,
    /// When more chats wait than this: `{ chats = 50, then = "offline_form" }`; who came last leaves. Default none.
    pub full: Option<Full>,
}

/// A limit of waiting time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Waited {
    /// Counted from when the chat came into this queue.
    pub after: Span,
    /// Where it goes then: "offline_form" or "queue:<id>".
    pub then: Way,
}

/// A limit of waiting chats.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Full {
    /// Chats that may wait, those under offer included.
    pub chats: u32,
    /// Where one above them goes: "offline_form" or "queue:<id>".
    pub then: Way,
}

impl Default for OverflowSettings {
    fn default() -> Self {
        let rules = Overflow::default();
        Self { closed: Way(rules.closed), unstaffed: Way(rules.unstaffed), waited: None, full: None }
    }
}

impl OverflowSettings {
    pub(super) fn policy(&self) -> Overflow {
        Overflow {
            closed: self.closed.0.clone(),
            unstaffed: self.unstaffed.0.clone(),
            waited: self
                .waited
                .as_ref()
                .map(|w| WaitLimit { after: w.after.millis(), then: w.then.0.clone() }),
            full: self.full.as_ref().map(|f| FullLimit { chats: f.chats, then: f.then.0.clone() }),
        }
    }

    /// `at` is the key of the queue, `id` its id, `queues` all of its tenant.
    pub(super) fn validate(
        &self,
        at: &str,
        id: &QueueId,
        queues: &BTreeMap<QueueId, Queue>,
        problems: &mut Problems,
    ) {
        let at = format!("{at}.overflow");
        if let Some(waited) = &self.waited {
            problems.span(format!("{at}.waited.after"), waited.after, Span::secs(1)..=Span::hours(24));
        }
        if let Some(full) = &self.full {
            problems.count(format!("{at}.full.chats"), full.chats.into(), 1..=100_000);
        }
        for reason in REASONS {
            let Some(way) = (reason.way)(self) else { continue };
            let key = format!("{at}.{}", reason.key);
            match &way.0 {
                OverflowTo::Wait if reason.must_lead_away => problems.add(
                    key,
                    "is \"wait\", which is what the chat does already",
                    "leave the table out, or write \"offline_form\" or \"queue:\" and the id of a queue",
                ),
                OverflowTo::Wait | OverflowTo::OfflineForm => {}
                OverflowTo::Queue { queue } if queue == id => problems.add(
                    key,
                    format!("is \"{way}\", the queue itself"),
                    "name another queue, or write \"wait\" or \"offline_form\"",
                ),
                OverflowTo::Queue { queue } if !queues.contains_key(queue) => problems.add(
                    key,
                    format!("is \"{way}\""),
                    format!("name a queue of this tenant{}", list(queues.keys())),
                ),
                OverflowTo::Queue { .. } => {
                    if let Some(round) = circle(id, queues, &reason) {
                        problems.add(
                            key,
                            format!("leads in a circle: {round}"),
                            "let one queue of it end the chain with \"wait\" or \"offline_form\"",
                        );
                    }
                }
            }
        }
    }
}

/// One reason for which a chat leaves its queue.
struct Reason {
    key: &'static str,
    way: fn(&OverflowSettings) -> Option<&Way>,
    /// To wait would be no way out.
    must_lead_away: bool,
}

const REASONS: [Reason; 4] = [
    Reason { key: "closed", way: |o| Some(&o.closed), must_lead_away: false },
    Reason { key: "unstaffed", way: |o| Some(&o.unstaffed), must_lead_away: false },
    Reason { key: "waited.then", way: |o| o.waited.as_ref().map(|w| &w.then), must_lead_away: true },
    Reason { key: "full.then", way: |o| o.full.as_ref().map(|f| &f.then), must_lead_away: true },
];

/// The circle that chats of this queue would be led in for one reason, if they would come back to it.
fn circle(start: &QueueId, queues: &BTreeMap<QueueId, Queue>, reason: &Reason) -> Option<String> {
    let mut path = vec![start];
    loop {
        let way = (reason.way)(&queues.get(*path.last()?)?.overflow)?;
        let OverflowTo::Queue { queue } = &way.0 else { return None };
        if queue == start {
            path.push(queue);
            return Some(path.iter().map(ToString::to_string).collect::<Vec<_>>().join(" → "));
        }
        if path.contains(&queue) {
            // A circle further on: its own queues tell of it.
            return None;
        }
        path.push(queue);
    }
}
