//! One log, one ticket (D6): what is sent when, and what is read before it is sent again.
//!
//! A ticket is made under an idempotency key and our external id; its body is kept in the ledger until the answer is
//! there, and repeated byte for byte. Updates have no such key: they carry the stamp that was read, and a line of ours
//! at the end of each comment, which is looked for after a lost answer. A field that a person changed in Zendesk is
//! left as it is.

use crate::client::{CLOSED, DEAD_REFERENCE, OTHER_BODY, is_rejected};
use crate::connector::Zendesk;
use crate::map::{self, TICKET, Words, digest};
use crate::under::Under;
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tieline_connector_api::connector::Saved;
use tieline_connector_api::ledger::Progress;
use tieline_connector_api::steps::{Fields, Kept, Sifted, Steps, Tried, forget, keep, set};
use tieline_connector_api::{Failure, Ledger, Outcome};
use tieline_model::Millis;
use tieline_model::crm::Log;

/// In `Progress::done`: the record is the interaction's own ticket, made by us.
const OWN: &str = "ticket";
/// In `Progress::done`: the log lies as a comment under somebody else's ticket.
pub(crate) const UNDER: &str = "under:";
/// In `Progress::done`: the ticket under which the comment lies.
pub(crate) const AT: &str = "at:";
/// In `Progress::done`: digest of the state that comments tell.
pub(crate) const MARK: &str = "mark:";
/// In `Progress::done`: digest of the transcript that comments tell.
pub(crate) const SAID: &str = "said:";
/// In `Progress::done`: tags that are ours.
const TAGS: &str = "tags:";
/// In `Progress::done`: the requester is one we set.
const CONTACT: &str = "contact";
/// In `Progress::done`: when the ticket's creation was first sent, milliseconds since the epoch.
const SENT_AT: &str = "sent_at:";
/// In `Progress::done`: how many creates Zendesk surely refused. Each later one has an idempotency key of its own: what
/// a refusal leaves behind under the old one is not documented.
const REFUSED: &str = "refused:";
const CREATE: &str = "create";
const UPDATE: &str = "update";
const REQUESTER: &str = "requester_id";

/// One try.
pub(crate) struct Delivery<'a> {
    pub(crate) crm: &'a Zendesk,
    pub(crate) log: &'a Log,
    pub(crate) steps: Steps<'a>,
    /// Zendesk said in this very try that the ticket is new, so nothing can lie on it yet.
    pub(crate) fresh: bool,
}

/// What is about to be written into a ticket.
pub(crate) struct Draft {
    pub(crate) fields: Fields,
    pub(crate) words: Option<Words>,
    pub(crate) author: Option<u64>,
    pub(crate) upload: Option<String>,
}

pub(crate) async fn deliver(crm: &Zendesk, log: &Log, ledger: &mut dyn Ledger) -> Outcome<Saved> {
    let steps = Steps::new(log.key(), log.version, ledger, digest);
    let mut delivery = Delivery { crm, log, steps, fresh: false };
    let result = delivery.run().await;
    delivery.steps.verdict(result)
}

impl Delivery<'_> {
    async fn run(&mut self) -> Outcome<Saved> {
        if self.steps.is_outdated() {
            return self
                .saved()
                .ok_or_else(|| Failure::retry("an older account of the interaction came after a newer"));
        }
        if self.steps.is_pending(CREATE) {
            self.settle_create().await?;
        }
        match self.other_ticket() {
            Some(host) => match self.put_under(host).await? {
                Under::Done => {}
                Under::Closed => self.put_own(Some(host)).await?,
                Under::Gone => self.put_own(None).await?,
            },
            None => {
                self.put_own(None).await?;
                self.point().await?;
            }
        }
        self.put_call().await?;
        self.steps.through().await?;
        self.saved().ok_or_else(|| Failure::unknown("the ticket's id is not known"))
    }

    /// The ticket, not our own, under which the log goes as a comment: the one named, or the one it lies under.
    fn other_ticket(&self) -> Option<u64> {
        if self.steps.is_done(OWN) {
            return None;
        }
        let named = self.log.case.as_ref().and_then(|case| map::id_in(case, TICKET));
        named.or_else(|| self.steps.value_of(UNDER).and_then(|id| map::id(&id)))
    }

    async fn put_own(&mut self, follows: Option<u64>) -> Outcome<()> {
        if self.steps.is_done(OWN) { self.update_own().await } else { self.create_own(follows).await }
    }

    pub(crate) fn ticket_id(&self) -> Outcome<u64> {
        let id = self.steps.now().record.as_ref().and_then(|record| map::id_in(record, TICKET));
        id.ok_or_else(|| Failure::unknown("the ticket's id is not known"))
    }

    fn saved(&self) -> Option<Saved> {
        let record = self.steps.now().record.clone().filter(|_| self.steps.now().pending.is_none())?;
        let label = self.steps.now().label.clone()?;
        Some(Saved { url: self.crm.page(&record), record, label })
    }

    // ------------------------------------------------------------ making the interaction's own ticket

    async fn create_own(&mut self, follows: Option<u64>) -> Outcome<()> {
        // An earlier try whose ledger is lost can only have been made since the interaction began: as long as its
        // idempotency key would still count, the create itself tells.
        if !self.is_within_window(self.log.started_at.0) && self.find_own().await? {
            return self.update_own().await;
        }
        let crm = self.crm;
        let mut fields = map::create_set(self.log, &crm.settings);
        if let Some(follows) = follows {
            fields.insert("via_followup_source_id".into(), follows.into());
        }
        let words = map::first_words(self.log, &crm.settings, None);
        let mut draft = crm.draft(self.log, fields, Some(words)).await?;
        let created = match self.send_create(&draft).await {
            Err(failure) if is_rejected(&failure, DEAD_REFERENCE) => {
                let given_up = crm.repair(self.log, &mut draft).await?;
                if given_up.is_empty() {
                    return Err(failure);
                }
                self.steps.remember(|p| keep(p, given_up)).await?;
                self.send_create(&draft).await
            }
            other => other,
        };
        match created {
            Ok(ticket) => self.adopt(&ticket).await,
            Err(failure) if is_rejected(&failure, OTHER_BODY) => {
                // Another delivery of this interaction, or an earlier one whose ledger is lost, was first.
                if !self.find_own().await? {
                    return Err(Failure::unknown("another write of the same interaction is under way"));
                }
                self.update_own().await
            }
            Err(failure) => Err(failure),
        }
    }

    async fn send_create(&mut self, draft: &Draft) -> Outcome<Value> {
        let body = json!({ "ticket": draft.ticket() }).to_string();
        let now = self.crm.clock.now().0.to_string();
        let (mark, said, tags) = (map::mark(self.log), map::said_mark(self.log), self.tags());
        self.steps
            .about_to_repeat(CREATE, body.clone(), |p| {
                set(p, SENT_AT, &now);
                set(p, MARK, &mark);
                set(p, SAID, &said);
                set(p, TAGS, &tags);
            })
            .await?;
        match self.crm.client.create_ticket(&body, &self.once_key()).await {
            Ok(created) => {
                self.fresh = !created.repeated;
                Ok(created.ticket)
            }
            Err(failure) => {
                if matches!(failure, Failure::Reject { .. }) && !is_rejected(&failure, OTHER_BODY) {
                    self.refused().await?;
                }
                Err(failure)
            }
        }
    }

    /// A create was sent and not answered: within the time of the idempotency key it is repeated byte for byte;
    /// afterwards the ticket is looked for by our external id.
    async fn settle_create(&mut self) -> Outcome<()> {
        let Some(pending) = self.steps.now().pending.clone() else { return Ok(()) };
        let sent: Option<i64> = self.steps.value_of(SENT_AT).and_then(|ms| ms.parse().ok());
        if sent.is_some_and(|sent| self.is_within_window(sent)) {
            match self.crm.client.create_ticket(&pending.body, &self.once_key()).await {
                Ok(created) => return self.adopt(&created.ticket).await,
                Err(failure) if is_rejected(&failure, OTHER_BODY) => {}
                // What is wrong with it may have been put right since.
                Err(Failure::Reject { .. }) => return self.refused().await,
                Err(
                    failure @ (Failure::Retry { .. }
                    | Failure::Throttled { .. }
                    | Failure::Reauthorise { .. }),
                ) => return Err(failure),
            }
        }
        if !self.find_own().await? {
            self.steps
                .remember(|p| {
                    forget(p, SENT_AT);
                    p.pending = None;
                })
                .await?;
        }
        Ok(())
    }

    /// The idempotency key of the create that is due.
    fn once_key(&self) -> String {
        match self.steps.value_of(REFUSED) {
            Some(times) => format!("{}-{times}", self.steps.key),
            None => self.steps.key.clone(),
        }
    }

    /// Zendesk refused a create for good: nothing was made.
    async fn refused(&mut self) -> Outcome<()> {
        let times = self.steps.value_of(REFUSED).and_then(|n| n.parse().ok()).unwrap_or(0_u32) + 1;
        self.steps
            .remember(|p| {
                for prefix in [SENT_AT, MARK, SAID, TAGS] {
                    forget(p, prefix);
                }
                set(p, REFUSED, &times.to_string());
                p.pending = None;
            })
            .await
    }

    /// Whether an idempotency key of that time still counts.
    fn is_within_window(&self, since_ms: i64) -> bool {
        let window = Millis::secs(self.crm.settings.limits.idempotency_secs).0;
        let passed = self.crm.clock.now().0.saturating_sub(since_ms);
        u64::try_from(passed).is_ok_and(|passed| passed < window)
    }

    /// Looks for a ticket with our external id and takes it up. Nobody knows what was sent into it: what differs from
    /// our values counts as a person's edit.
    async fn find_own(&mut self) -> Outcome<bool> {
        let found = self.crm.client.tickets_by_external_id(&self.steps.key).await?;
        if found.len() > 1 {
            let key = &self.steps.key;
            tracing::warn!(
                key,
                tickets = found.len(),
                "several tickets hold one interaction; the oldest counts"
            );
        }
        let Some((ticket, id)) = found.first().and_then(|ticket| Some((ticket, map::id_of(ticket, "id")?)))
        else {
            return Ok(false);
        };
        let bodies = self.crm.bodies(id).await?;
        let first = map::first_words(self.log, &self.crm.settings, None).body;
        let mark = map::mark(self.log);
        let footer = map::footer(&self.steps.key, &mark);
        let told = bodies.iter().any(|body| body.trim() == first.trim() || map::ends_with(body, &footer));
        let said = told || bodies.iter().any(|body| map::says_all(self.log, body));
        let (mut sent, mut kept) = (BTreeMap::new(), Vec::new());
        for (name, value) in map::update_set(self.log, &self.crm.settings) {
            let next = self.steps.digest(&name, &value);
            if self.steps.digest(&name, &map::value_in(ticket, &name)) != next {
                kept.push((name.clone(), next.clone()));
            }
            sent.insert(name, next);
        }
        let (said_mark, contact, tags) = (map::said_mark(self.log), self.log.contact.is_some(), self.tags());
        self.steps
            .remember(|p| {
                own(p, id, sent);
                keep(p, kept);
                forget(p, MARK);
                forget(p, SAID);
                if told {
                    set(p, MARK, &mark);
                }
                if said {
                    set(p, SAID, &said_mark);
                }
                set(p, TAGS, &tags);
                if contact {
                    p.done.insert(CONTACT.into());
                }
            })
            .await?;
        Ok(true)
    }

    /// The ticket is ours: what Zendesk answered is what later edits are compared with.
    async fn adopt(&mut self, ticket: &Value) -> Outcome<()> {
        let Some(id) = map::id_of(ticket, "id") else {
            return Err(Failure::unknown("Zendesk answered without the ticket's id"));
        };
        let mut fields = map::update_set(self.log, &self.crm.settings);
        // Without a contact the requester is our own user; a contact may come later.
        fields.entry(REQUESTER).or_insert(Value::Null);
        let sent = self.steps.digests(&map::values_in(ticket, &fields));
        let contact = map::id_of(ticket, REQUESTER) != map::id_of(ticket, "submitter_id");
        self.steps
            .remember(|p| {
                own(p, id, sent);
                forget(p, SENT_AT);
                if contact {
                    p.done.insert(CONTACT.into());
                }
            })
            .await
    }

    // ------------------------------------------------------------ later facts

    /// Sends what changed on our side, except where a person changed it in Zendesk; what cannot be changed, because
    /// it was said, is said again in another private comment.
    async fn update_own(&mut self) -> Outcome<()> {
        let id = self.ticket_id()?;
        let tried = self.steps.tried(UPDATE);
        let want = map::update_set(self.log, &self.crm.settings);
        let taken_back = self.steps.is_done(CONTACT) && !want.contains_key(REQUESTER);
        let say = self.steps.value_of(MARK) != Some(map::mark(self.log));
        let mut changed = self.steps.changed(want, &tried);
        let (add, remove) = self.tags_to_change();
        let nothing = changed.is_empty() && !say && !taken_back && add.is_empty() && remove.is_empty();
        if nothing && !self.steps.is_pending(UPDATE) {
            return Ok(());
        }
        let Some(ticket) = self.crm.client.ticket(id).await? else {
            let reason = "the ticket was deleted in Zendesk; restore it there to have later facts added";
            return Err(Failure::reject(Some("RecordNotFound"), reason));
        };
        if map::is_closed(&ticket) {
            return Err(closed(&ticket));
        }
        if taken_back && let Some(user) = map::id_of(&ticket, "submitter_id") {
            changed.insert(REQUESTER.into(), user.into());
        }
        self.write(id, &ticket, changed, &tried, say).await?;
        self.change_tags(id, &add, &remove).await
    }

    /// One update: fields, and a comment where there is something to say that no comment says.
    async fn write(
        &mut self,
        id: u64,
        ticket: &Value,
        changed: Fields,
        tried: &Tried,
        say: bool,
    ) -> Outcome<()> {
        let row = Value::Object(map::values_in(ticket, &changed));
        let Sifted { send, mut sent, mut kept } = self.steps.sift(changed, &row, tried);
        let words = if say { self.words_due(id).await? } else { None };
        if !send.is_empty() || words.is_some() {
            let mut draft = self.crm.draft(self.log, send, words).await?;
            self.steps.about_to(UPDATE, &draft.fields).await?;
            let mut done = self.crm.send_update(id, ticket, &draft).await;
            if let Err(failure) = &done
                && is_rejected(failure, DEAD_REFERENCE)
            {
                let given_up = self.crm.repair(self.log, &mut draft).await?;
                if !given_up.is_empty() {
                    done = self.crm.send_update(id, ticket, &draft).await;
                    kept.extend(given_up);
                }
            }
            sent.extend(self.steps.digests(&map::values_in(&done?, &draft.fields)));
        }
        let (mark, said, contact) =
            (map::mark(self.log), map::said_mark(self.log), self.log.contact.is_some());
        self.steps
            .remember(|p| {
                p.sent.extend(sent);
                keep(p, kept);
                set(p, MARK, &mark);
                set(p, SAID, &said);
                p.pending = None;
                if contact {
                    p.done.insert(CONTACT.into());
                } else {
                    p.done.remove(CONTACT);
                }
            })
            .await
    }

    /// What a comment has to say now; nothing, when an update whose answer was lost has said it.
    async fn words_due(&mut self, id: u64) -> Outcome<Option<Words>> {
        let footer = map::footer(&self.steps.key, &map::mark(self.log));
        let mut said = self.steps.value_of(SAID) == Some(map::said_mark(self.log));
        if self.steps.is_pending(UPDATE) {
            let bodies = self.crm.bodies(id).await?;
            if bodies.iter().any(|body| map::ends_with(body, &footer)) {
                return Ok(None);
            }
            said = said || bodies.iter().any(|body| map::says_all(self.log, body));
        }
        Ok(Some(map::later_words(self.log, &self.crm.settings, said, &footer)))
    }

    // ------------------------------------------------------------ tags

    fn tags(&self) -> String {
        map::tags(self.log, &self.crm.settings).into_iter().collect::<Vec<_>>().join(" ")
    }

    /// Tags to add and tags of ours to take away.
    fn tags_to_change(&self) -> (Vec<String>, Vec<String>) {
        let had: BTreeSet<String> =
            self.steps.value_of(TAGS).unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        let want = map::tags(self.log, &self.crm.settings);
        (want.difference(&had).cloned().collect(), had.difference(&want).cloned().collect())
    }

    /// Adds and takes away; an update with `tags` would take away a person's. Both can be repeated without harm.
    async fn change_tags(&mut self, id: u64, add: &[String], remove: &[String]) -> Outcome<()> {
        if !add.is_empty() {
            self.crm.client.tag(id, Method::PUT, add).await?;
        }
        if !remove.is_empty() {
            self.crm.client.tag(id, Method::DELETE, remove).await?;
        }
        let tags = self.tags();
        self.steps.remember(|p| set(p, TAGS, &tags)).await
    }
}

impl Draft {
    /// The draft as a request names it.
    fn ticket(&self) -> Map<String, Value> {
        let mut ticket = map::body(&self.fields);
        if let Some(words) = &self.words {
            let comment = map::comment(&words.body, self.author, self.upload.as_deref());
            ticket.insert("comment".into(), comment);
        }
        ticket
    }
}

/// What became of a user that is pointed at.
pub(crate) enum Fate {
    There,
    Merged(u64),
    Gone,
}

/// What a delivery asks Zendesk beside its own ticket.
impl Zendesk {
    /// A draft, with its file uploaded where the comment does not say all.
    pub(crate) async fn draft(&self, log: &Log, fields: Fields, words: Option<Words>) -> Outcome<Draft> {
        let upload = match words.as_ref().and_then(|words| words.file.as_ref()) {
            Some(file) => Some(self.client.upload(file).await?),
            None => None,
        };
        let author = map::agent(log).filter(|_| self.settings.ticket.comment_as_agent);
        Ok(Draft { fields, words, author, upload })
    }

    /// Writes a draft into a ticket; fails when somebody else changed it since it was read (sheet 2.3).
    pub(crate) async fn send_update(&self, id: u64, read: &Value, draft: &Draft) -> Outcome<Value> {
        let mut ticket = draft.ticket();
        if ticket.is_empty() {
            return Ok(read.clone());
        }
        if let Some(stamp) = map::member(read, "updated_at") {
            ticket.insert("safe_update".into(), true.into());
            ticket.insert("updated_stamp".into(), stamp.into());
        }
        self.client.update_ticket(id, &ticket).await
    }

    /// Texts of a ticket's comments.
    pub(crate) async fn bodies(&self, id: u64) -> Outcome<Vec<String>> {
        Ok(self.client.comments(id).await?.iter().map(map::said_in).collect())
    }

    /// Zendesk refused somebody on the ticket: a requester who was merged is followed to the surviving user, one who
    /// is gone is left out (D10), and so is an agent who is none there. Gives the values that were given up; none
    /// when everybody is there.
    pub(crate) async fn repair(&self, log: &Log, draft: &mut Draft) -> Outcome<Vec<Kept>> {
        let key = log.key();
        let mut given_up = Vec::new();
        if let Some(value) = draft.fields.get(REQUESTER).cloned()
            && let Some(user) = value.as_u64()
        {
            let fate = self.fate(user, &log.person).await?;
            match fate {
                Fate::There => {}
                Fate::Merged(survivor) => drop(draft.fields.insert(REQUESTER.into(), survivor.into())),
                Fate::Gone => drop(draft.fields.remove(REQUESTER)),
            }
            if !matches!(fate, Fate::There) {
                given_up.push((REQUESTER.to_owned(), digest(&key, REQUESTER, &value)));
            }
        }
        if let Some(user) = draft.author
            && !self.is_agent(user).await?
        {
            draft.author = None;
            given_up.push(("author_id".to_owned(), digest(&key, "author_id", &user.into())));
        }
        if let Some(user) = draft.fields.get("assignee_id").and_then(Value::as_u64)
            && !self.is_agent(user).await?
        {
            draft.fields.remove("assignee_id");
            if draft.fields.get("status").and_then(Value::as_str) == Some("solved") {
                draft.fields.remove("status");
            }
            given_up.push(("assignee_id".to_owned(), digest(&key, "assignee_id", &user.into())));
        }
        Ok(given_up)
    }

    async fn is_agent(&self, id: u64) -> Outcome<bool> {
        let user = self.client.user(id).await?;
        let agent = user.is_some_and(|user| map::is_active(&user) && !map::is_end_user(&user));
        if !agent {
            tracing::warn!(
                user = id,
                "`crm_users` or `ticket.assignee_id` names no agent of Zendesk; the log goes on without"
            );
        }
        Ok(agent)
    }
}

/// A closed ticket takes nothing more, and says why where it can.
pub(crate) fn closed(ticket: &Value) -> Failure {
    let tags = ticket.get("tags").and_then(Value::as_array);
    let merged = tags.into_iter().flatten().any(|tag| tag == "closed_by_merge");
    let reason = if merged {
        "the ticket was merged into another in Zendesk; later facts must be added there by hand"
    } else {
        "the ticket is closed in Zendesk, which is final; later facts must be added by hand"
    };
    Failure::reject(Some(CLOSED), reason)
}

fn own(progress: &mut Progress, id: u64, sent: BTreeMap<String, String>) {
    progress.done.insert(OWN.to_owned());
    forget(progress, UNDER);
    forget(progress, AT);
    progress.record = map::record(TICKET, id);
    progress.label = Some(map::label(id));
    progress.sent = sent;
    progress.pending = None;
}
