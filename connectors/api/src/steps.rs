//! What a connector remembers while it brings one log into its CRM: steps that are done, the step that is unsure, and
//! which fields are ours to change. The ledger holds step names, ids and digests, never what was said.

use crate::ledger::{Ledger, Pending, Progress};
use crate::outcome::{Failure, Known, Outcome};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use tieline_model::crm::Record;

/// In `Progress::done`: the version of the log that was begun last.
const VERSION: &str = "version:";
/// In `Progress::done`: a [`Kept`], as `kept:field:digest`.
const KEPT: &str = "kept:";

/// Fields of a record, by the CRM's own names, in a fixed order.
pub type Fields = Map<String, Value>;
/// Digests that were tried for each field: several, when several tries lost their answers.
pub type Tried = BTreeMap<String, Vec<String>>;
/// A field and the digest of a value that does not go into it: a person's edit stands there, or it cannot be.
pub type Kept = (String, String);

/// Fields parted by what has to be done with them.
#[derive(Debug, Default)]
pub struct Sifted {
    /// To be sent.
    pub send: Fields,
    /// There already, with their digests.
    pub sent: BTreeMap<String, String>,
    /// Changed by a person in the CRM, and kept so (D6).
    pub kept: Vec<Kept>,
}

/// One try at one log.
pub struct Steps<'a> {
    /// The interaction's key.
    pub key: String,
    version: u64,
    ledger: &'a mut dyn Ledger,
    /// Digest of (key, field, value), blind to what the CRM changes in a value by itself.
    digest: fn(&str, &str, &Value) -> String,
}

impl<'a> Steps<'a> {
    /// Begins a try.
    pub fn new(
        key: String,
        version: u64,
        ledger: &'a mut dyn Ledger,
        digest: fn(&str, &str, &Value) -> String,
    ) -> Self {
        Self { key, version, ledger, digest }
    }

    /// What is remembered.
    #[must_use]
    pub fn now(&self) -> &Progress {
        self.ledger.progress()
    }
    /// Whether a step is done.
    #[must_use]
    pub fn is_done(&self, step: &str) -> bool {
        self.now().done.contains(step)
    }
    /// What stands behind the one step with this prefix.
    #[must_use]
    pub fn value_of(&self, prefix: &str) -> Option<String> {
        self.now().done.iter().find_map(|step| step.strip_prefix(prefix)).map(str::to_owned)
    }
    /// Whether this step was sent and not answered.
    #[must_use]
    pub fn is_pending(&self, step: &str) -> bool {
        self.now().pending.as_ref().is_some_and(|p| p.step == step)
    }
    /// What this step may have written, if it is unsure.
    #[must_use]
    pub fn tried(&self, step: &str) -> Tried {
        let pending = self.now().pending.as_ref().filter(|p| p.step == step);
        pending.and_then(|p| serde_json::from_str(&p.body).ok()).unwrap_or_default()
    }
    /// Digest of a field's value.
    #[must_use]
    pub fn digest(&self, field: &str, value: &Value) -> String {
        (self.digest)(&self.key, field, value)
    }
    /// Digests of all fields.
    #[must_use]
    pub fn digests(&self, fields: &Fields) -> BTreeMap<String, String> {
        fields.iter().map(|(name, value)| (name.clone(), self.digest(name, value))).collect()
    }
    /// A newer account of the interaction was begun before. Versions only grow; what an older one says is in the newer.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        self.value_of(VERSION).and_then(|v| v.parse::<u64>().ok()).is_some_and(|begun| self.version < begun)
    }

    /// Changes what is remembered; nothing is written when nothing changes.
    ///
    /// # Errors
    /// The ledger could not be saved.
    pub async fn remember(&mut self, change: impl FnOnce(&mut Progress)) -> Outcome<()> {
        let mut next = self.now().clone();
        change(&mut next);
        if next != *self.now() {
            self.ledger.save(next).await?;
        }
        Ok(())
    }

    /// Remembers a call that is about to be sent: these fields, and what was tried in vain before.
    ///
    /// # Errors
    /// The ledger could not be saved: the call must not be sent.
    pub async fn about_to(&mut self, step: &str, fields: &Fields) -> Outcome<()> {
        let mut tried = self.tried(step);
        for (name, next) in self.digests(fields) {
            let digests = tried.entry(name).or_default();
            digests.retain(|d| *d != next);
            digests.push(next);
        }
        let (pending, version) =
            (Pending { step: step.to_owned(), body: json!(tried).to_string() }, self.version);
        self.remember(|p| {
            set(p, VERSION, &version.to_string());
            p.pending = Some(pending);
        })
        .await
    }

    /// Remembers a call that is about to be sent, whose body is to be repeated byte for byte while its answer is not
    /// known; `also` changes what is remembered beside it.
    ///
    /// # Errors
    /// The ledger could not be saved: the call must not be sent.
    pub async fn about_to_repeat(
        &mut self,
        step: &str,
        body: String,
        also: impl FnOnce(&mut Progress),
    ) -> Outcome<()> {
        let (pending, version) = (Pending { step: step.to_owned(), body }, self.version);
        self.remember(|p| {
            set(p, VERSION, &version.to_string());
            p.pending = Some(pending);
            also(p);
        })
        .await
    }

    /// Remembers that this version of the log is through.
    ///
    /// # Errors
    /// The ledger could not be saved.
    pub async fn through(&mut self) -> Outcome<()> {
        let version = self.version.to_string();
        self.remember(|p| set(p, VERSION, &version)).await
    }

    /// Remembers a record that was made, or met, with what stands in it: `sent` is what we are held to have written.
    ///
    /// # Errors
    /// The ledger could not be saved.
    pub async fn adopt(
        &mut self,
        step: &str,
        record: Record,
        sent: BTreeMap<String, String>,
        label: Option<String>,
    ) -> Outcome<()> {
        self.remember(|p| {
            p.done.insert(step.to_owned());
            p.record = Some(record);
            p.sent.extend(sent);
            p.label = label.or(p.label.take());
            p.pending = None;
        })
        .await
    }

    /// What we are held to have written into a record that was met: where none of our tries stands, it is a person's,
    /// and what we tried last is what later facts are compared with.
    #[must_use]
    pub fn met(&self, tried: &Tried, row: &Value) -> BTreeMap<String, String> {
        let mut sent = BTreeMap::new();
        for (name, digests) in tried {
            let there = self.digest(name, row.get(name).unwrap_or(&Value::Null));
            let ours = if digests.contains(&there) { Some(there) } else { digests.last().cloned() };
            sent.extend(ours.map(|digest| (name.clone(), digest)));
        }
        sent
    }

    /// Fields whose value is not the one sent last, or that an unsure update may have touched.
    #[must_use]
    pub fn changed(&self, want: Fields, tried: &Tried) -> Fields {
        let progress = self.now();
        want.into_iter()
            .filter(|(name, value)| {
                let next = self.digest(name, value);
                let before = progress.sent.get(name).cloned();
                let before = before.unwrap_or_else(|| self.digest(name, &Value::Null));
                let kept = progress.done.contains(&format!("{KEPT}{name}:{next}"));
                (next != before && !kept) || tried.contains_key(name)
            })
            .collect()
    }

    /// Parts changed fields by what stands in the CRM now.
    #[must_use]
    pub fn sift(&self, changed: Fields, row: &Value, tried: &Tried) -> Sifted {
        let mut sifted = Sifted::default();
        for (name, value) in changed {
            let next = self.digest(&name, &value);
            let there = self.digest(&name, row.get(&name).unwrap_or(&Value::Null));
            let before = self.now().sent.get(&name).cloned();
            let before = before.unwrap_or_else(|| self.digest(&name, &Value::Null));
            let ours = there == before || tried.get(&name).is_some_and(|digests| digests.contains(&there));
            if there == next {
                sifted.sent.insert(name, next);
            } else if ours {
                sifted.send.insert(name, value);
            } else {
                sifted.kept.push((name, next));
            }
        }
        sifted
    }

    /// While a step is unsure, so is the whole: a later failure that did nothing does not make it sure.
    pub fn verdict<T>(&self, result: Outcome<T>) -> Outcome<T> {
        match result {
            Err(Failure::Retry { after, known: Known::NotDone, reason }) if self.now().pending.is_some() => {
                Err(Failure::Retry { after, known: Known::Unknown, reason })
            }
            other => other,
        }
    }
}

/// Replaces the one step that has this prefix.
pub fn set(progress: &mut Progress, prefix: &str, value: &str) {
    forget(progress, prefix);
    progress.done.insert(format!("{prefix}{value}"));
}

/// Takes away every step that has this prefix.
pub fn forget(progress: &mut Progress, prefix: &str) {
    progress.done.retain(|step| !step.starts_with(prefix));
}

/// Remembers values that do not go into their fields, so that they are not tried with every later fact.
pub fn keep(progress: &mut Progress, kept: impl IntoIterator<Item = Kept>) {
    for (field, digest) in kept {
        set(progress, &format!("{KEPT}{field}:"), &digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::MemoryLedger;

    fn digest(key: &str, field: &str, value: &Value) -> String {
        crate::text::digest(key, field, value.as_str().unwrap_or_default())
    }
    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect()
    }

    // proves D6
    #[tokio::test]
    async fn only_what_changed_on_our_side_and_nobody_else_edited_is_sent() {
        let mut ledger = MemoryLedger::default();
        let mut steps = Steps::new("k".into(), 1, &mut ledger, digest);
        let first = fields(&[("title", "one"), ("text", "a"), ("same", "s")]);
        let sent = steps.digests(&first);
        let record = Record { object: "case".into(), id: "1".parse().unwrap() };
        steps.adopt("own", record, sent, None).await.unwrap();
        let want = fields(&[("title", "two"), ("text", "b"), ("same", "s")]);
        let changed = steps.changed(want, &Tried::new());
        assert_eq!(changed.keys().collect::<Vec<_>>(), ["text", "title"]);
        let row = json!({ "title": "a person's", "text": "a", "same": "s" });
        let sifted = steps.sift(changed.clone(), &row, &Tried::new());
        assert_eq!(sifted.send, fields(&[("text", "b")]));
        assert_eq!(sifted.kept, [("title".to_owned(), digest("k", "title", &json!("two")))]);
        steps.remember(|p| keep(p, sifted.kept)).await.unwrap();
        assert_eq!(steps.changed(changed, &Tried::new()), fields(&[("text", "b")]));
    }

    #[tokio::test]
    async fn a_body_to_be_repeated_is_kept_as_it_is_with_what_belongs_to_it() {
        let mut ledger = MemoryLedger::default();
        let mut steps = Steps::new("k".into(), 7, &mut ledger, digest);
        let body = "{ \"a\" : 1 }";
        steps.about_to_repeat("own", body.into(), |p| set(p, "at:", "5")).await.unwrap();
        assert_eq!(steps.now().pending.as_ref().map(|p| p.body.as_str()), Some(body));
        assert_eq!(steps.value_of("at:").as_deref(), Some("5"));
        steps.remember(|p| forget(p, "at:")).await.unwrap();
        assert_eq!(steps.value_of("at:"), None);
        assert!(Steps::new("k".into(), 6, &mut ledger, digest).is_outdated());
    }

    // proves D6
    #[tokio::test]
    async fn a_value_of_a_lost_try_is_ours() {
        let mut ledger = MemoryLedger::default();
        let mut steps = Steps::new("k".into(), 1, &mut ledger, digest);
        for title in ["one", "two"] {
            steps.about_to("own", &fields(&[("title", title)])).await.unwrap();
        }
        let tried = steps.tried("own");
        assert_eq!(tried["title"].len(), 2);
        let met = steps.met(&tried, &json!({ "title": "one" }));
        assert_eq!(met["title"], digest("k", "title", &json!("one")));
        let edited = steps.met(&tried, &json!({ "title": "a person's" }));
        assert_eq!(edited["title"], digest("k", "title", &json!("two")));
        assert!(steps.tried("other").is_empty());
        assert!(matches!(
            steps.verdict::<()>(Err(Failure::retry("no"))),
            Err(Failure::Retry { known: Known::Unknown, .. })
        ));
    }
}
