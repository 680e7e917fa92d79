//! Our account of one interaction, made from its journal rows. Pure: the same rows give the same log.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a reader of the journal looks for a few kinds of events; the rest do not concern it"
)]

use crate::journal::Recorded;
use std::collections::HashMap;
use tieline_model::content::{Content, ContentRef, Person, Remarks};
use tieline_model::crm::{
    CallDetails, Channel, Direction, Leg, Line, Log, LookupResult, Outcome, Record, Side,
};
use tieline_model::policy::TenantPolicy;
use tieline_model::{AgentId, ConnectionId, ContentId, Event, InteractionId, QueueId, Timestamp};

/// The content that an account of these rows needs.
pub(super) fn content_of(rows: &[Recorded]) -> Vec<ContentId> {
    let refs = rows.iter().filter_map(|row| match &row.event {
        Event::ChatStarted { person, .. } => Some(*person),
        Event::MessageSent { text, .. } => Some(*text),
        Event::FileSent { file, .. } => Some(*file),
        Event::ChatTransferred { note, .. }
        | Event::TransferOffered { note, .. }
        | Event::AbuseFlagged { note, .. } => *note,
        Event::ScriptFilled { answers, .. } => Some(*answers),
        Event::Classified { remarks, .. } => *remarks,
        Event::CallRang { numbers, .. } | Event::CallDialled { numbers, .. } => Some(*numbers),
        Event::RecordingReady { recording, .. } => Some(*recording),
        _ => None,
    });
    refs.map(|r: ContentRef| r.id).collect()
}

/// What the rows are read with.
struct Reader<'a> {
    content: &'a HashMap<ContentId, Content>,
    policy: &'a TenantPolicy,
    connection: &'a ConnectionId,
    log: Log,
    known: Known,
}

/// What a contact or a case was found to be, row by row.
#[derive(Default)]
struct Known {
    found: Option<Record>,
    case: Option<Record>,
    chosen: Option<Option<Record>>,
    /// Something was told of the customer and is there no more.
    erased: bool,
    /// What the next leg is given along.
    handed_with: String,
}

/// The account for one connection; `None` when the rows hold no interaction, or its content has been erased.
pub(super) fn account(
    rows: &[Recorded],
    content: &HashMap<ContentId, Content>,
    policy: &TenantPolicy,
    connection: &ConnectionId,
) -> Option<Log> {
    let started = rows.first()?;
    let log = match &started.event {
        Event::ChatStarted { interaction, queue, person, previous, .. } => {
            let person = person_of(content.get(&person.id)?)?;
            let log = blank(*interaction, Channel::Chat, started.at, person, queue_of(policy, Some(queue)));
            Log { previous: *previous, ..log }
        }
        // Numbers and queue are in the rows; a call may be heard of first by its answer.
        Event::CallRang { interaction, .. }
        | Event::CallDialled { interaction, .. }
        | Event::CallAnswered { interaction, .. } => {
            blank(*interaction, Channel::Call, started.at, Person::default(), (None, None))
        }
        _ => return None,
    };
    let mut reader = Reader { content, policy, connection, log, known: Known::default() };
    for row in rows {
        reader.note(row);
        reader.note_way(row);
        reader.note_call(row);
        reader.log.version = row.seq.0;
    }
    let Reader { mut log, known, .. } = reader;
    if known.erased {
        return None;
    }
    log.contact = known.chosen.unwrap_or(known.found);
    log.case = known.case;
    let own = log.agent.as_ref().and_then(|agent| policy.agents.get(agent));
    log.crm_user = own.and_then(|agent| agent.crm_users.get(connection)).cloned();
    Some(log)
}

/// A queue's id, and its name as shown.
fn queue_of(policy: &TenantPolicy, id: Option<&QueueId>) -> (Option<QueueId>, Option<String>) {
    (id.cloned(), id.and_then(|id| policy.queues.get(id)).map(|queue| queue.name.clone()))
}

fn blank(
    interaction: InteractionId,
    channel: Channel,
    started_at: Timestamp,
    person: Person,
    (queue, queue_name): (Option<QueueId>, Option<String>),
) -> Log {
    Log {
        interaction,
        version: 0,
        channel,
        started_at,
        answered_at: None,
        ended_at: None,
        outcome: Outcome::Answered,
        queue,
        queue_name,
        agent: None,
        agent_name: None,
        person,
        contact: None,
        case: None,
        codes: Vec::new(),
        not_classified: false,
        remarks: Remarks::default(),
        transcript: Vec::new(),
        call: match channel {
            Channel::Chat => None,
            Channel::Call => Some(CallDetails::default()),
        },
        crm_user: None,
        legs: Vec::new(),
        answers: Default::default(),
        abuse: None,
        previous: None,
    }
}

impl Reader<'_> {
    fn agent_name(&self, id: &AgentId) -> String {
        self.policy.agents.get(id).map_or_else(|| id.to_string(), |agent| agent.name.clone())
    }

    /// An agent has it in hand from here on: a leg of its own, unless it is the agent's already.
    fn taken_by(&mut self, agent: &AgentId, at: Timestamp) {
        let agent_name = self.agent_name(agent);
        self.log.agent_name = Some(agent_name.clone());
        self.log.agent = Some(agent.clone());
        if self.log.legs.last().is_some_and(|leg| leg.agent == *agent && leg.until.is_none()) {
            return;
        }
        self.leg_over(at);
        let handed_with = std::mem::take(&mut self.known.handed_with);
        let (agent, remarks) = (agent.clone(), Remarks::default());
        self.log.legs.push(Leg { agent, agent_name, from: at, until: None, handed_with, remarks });
    }

    fn leg_over(&mut self, at: Timestamp) {
        if let Some(leg) = self.log.legs.last_mut() {
            leg.until = leg.until.or(Some(at));
        }
    }

    /// What somebody wrote beside the conversation.
    fn words(&self, note: Option<ContentRef>) -> String {
        match note.and_then(|note| self.content.get(&note.id)) {
            Some(Content::Remarks { remarks }) => remarks.notes.clone(),
            Some(Content::Message { text }) => text.clone(),
            _ => String::new(),
        }
    }

    fn line(&mut self, at: Timestamp, from: Side, agent: Option<&AgentId>, text: String) {
        let name = match (from, agent) {
            (_, Some(agent)) => self.agent_name(agent),
            (Side::System, None) => self.log.queue_name.clone().unwrap_or_default(),
            (Side::Customer | Side::Agent, None) => {
                self.log.person.name.clone().unwrap_or_else(|| "Visitor".to_owned())
            }
        };
        self.log.transcript.push(Line { at, from, name, text });
    }

    /// Where a chat went, and what was said beside messages.
    fn note_way(&mut self, row: &Recorded) {
        match &row.event {
            Event::ChatOverflowed { to: Some(queue), .. } => {
                (self.log.queue, self.log.queue_name) = queue_of(self.policy, Some(queue));
            }
            Event::ChatTransferred { to, note, .. } => {
                self.leg_over(row.at);
                self.known.handed_with = self.words(*note);
                (self.log.queue, self.log.queue_name) = queue_of(self.policy, Some(to));
            }
            Event::ChatReturned { .. } => self.leg_over(row.at),
            Event::TransferOffered { note, .. } => self.known.handed_with = self.words(*note),
            Event::TransferFailed { .. } => self.known.handed_with.clear(),
            Event::TransferAccepted { to, warm: false, .. } | Event::HandedOver { to, .. } => {
                self.taken_by(to, row.at);
            }
            Event::NoticeSent { text, agent, .. } if !text.is_empty() => {
                self.line(row.at, Side::System, agent.as_ref(), text.clone());
            }
            Event::FileSent { from, agent, file, media_type, .. } => {
                let name = match self.content.get(&file.id) {
                    Some(Content::File { name, .. }) => name.as_str(),
                    _ => "file",
                };
                let text = format!("[{name}, {media_type}, {} bytes]", file.bytes);
                self.line(row.at, *from, agent.as_ref(), text);
            }
            Event::ScriptFilled { answers, .. } => {
                if let Some(Content::Answers { answers }) = self.content.get(&answers.id) {
                    self.log.answers.clone_from(answers);
                }
            }
            Event::AbuseFlagged { note, .. } => {
                let words = self.words(*note);
                let before = self.log.abuse.take().filter(|_| words.is_empty());
                self.log.abuse = Some(before.unwrap_or(words));
            }
            _ => {}
        }
    }

    fn note(&mut self, row: &Recorded) {
        match &row.event {
            Event::OfferAccepted { agent, .. } | Event::ItemActivated { agent, .. } => {
                self.log.answered_at = self.log.answered_at.or(Some(row.at));
                self.taken_by(agent, row.at);
            }
            Event::MessageSent { from, agent, text, .. } => {
                let text = match self.content.get(&text.id) {
                    Some(Content::Message { text }) => text.clone(),
                    _ => String::new(),
                };
                self.line(row.at, *from, agent.as_ref(), text);
            }
            Event::ChatEnded { .. } => {
                self.log.ended_at = Some(row.at);
                self.leg_over(row.at);
            }
            // The customer came back during wrap-up (B15).
            Event::ChatReopened { .. } => {
                self.log.ended_at = None;
                self.log.legs.last_mut().into_iter().for_each(|leg| leg.until = None);
            }
            Event::WrapUpCompleted { not_classified, .. } => self.log.not_classified = *not_classified,
            Event::Classified { codes, remarks, agent, .. } => {
                self.log.codes.clone_from(codes);
                if let Some(Content::Remarks { remarks }) = remarks.and_then(|r| self.content.get(&r.id)) {
                    self.log.remarks = remarks.clone();
                    let mut own = self.log.legs.iter_mut().filter(|leg| leg.agent == *agent);
                    own.next_back().into_iter().for_each(|leg| leg.remarks = remarks.clone());
                }
            }
            Event::InteractionClosed { outcome, .. } => self.log.outcome = *outcome,
            Event::LookedUp { connection, result: LookupResult::Found { contact, case, .. }, .. }
                if connection == self.connection =>
            {
                self.known.found.clone_from(contact);
                self.known.case.clone_from(case);
            }
            Event::ContactChosen { connection, contact, .. } if connection == self.connection => {
                self.known.chosen = Some(contact.clone());
            }
            _ => {}
        }
    }

    /// What only calls have.
    fn note_call(&mut self, row: &Recorded) {
        match &row.event {
            Event::CallRang { queue, numbers, withheld, direction, .. } => {
                self.told(queue.as_ref(), *numbers, *direction, *withheld);
            }
            Event::CallDialled { queue, numbers, agent, .. } => {
                self.told(queue.as_ref(), *numbers, Direction::Outbound, false);
                self.taken_by(agent, row.at);
            }
            Event::CallAnswered { agent, .. } => {
                self.log.answered_at = self.log.answered_at.or(Some(row.at));
                self.taken_by(agent, row.at);
            }
            Event::CallTransferred { to, .. } => self.taken_by(to, row.at),
            Event::CallEnded { .. } => {
                self.log.ended_at = Some(row.at);
                self.leg_over(row.at);
            }
            Event::RecordingReady { recording, .. } => match self.content.get(&recording.id) {
                Some(Content::Recording { url }) => {
                    self.log.call.get_or_insert_default().recording = Some(url.clone());
                }
                _ => self.known.erased = true,
            },
            _ => {}
        }
    }

    /// Which way, by which numbers, through which queue; later words replace earlier ones.
    fn told(&mut self, queue: Option<&QueueId>, numbers: ContentRef, direction: Direction, withheld: bool) {
        let Some(Content::Call { numbers }) = self.content.get(&numbers.id) else {
            self.known.erased = true;
            return;
        };
        if queue.is_some() {
            (self.log.queue, self.log.queue_name) = queue_of(self.policy, queue);
        }
        let number = numbers.customer(direction).filter(|_| !withheld).map(str::to_owned);
        self.log.person.phone.clone_from(&number);
        let call = self.log.call.get_or_insert_default();
        call.direction = direction;
        call.number = number;
        call.line = numbers.line(direction).map(str::to_owned);
    }
}

fn person_of(content: &Content) -> Option<Person> {
    match content {
        Content::Person { person } => Some(person.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tieline_model::content::CallNumbers;
    use tieline_model::policy::{AgentPolicy, QueuePolicy};
    use tieline_model::{CallId, ConversationId, Millis, Seq};
    use uuid::Uuid;

    const START: Timestamp = Timestamp(1_795_165_200_000);

    fn interaction() -> InteractionId {
        InteractionId(Uuid::from_u128(1))
    }
    fn conversation() -> ConversationId {
        ConversationId(Uuid::from_u128(2))
    }
    fn crm() -> ConnectionId {
        "crm".parse().unwrap()
    }
    fn anna() -> AgentId {
        "anna".parse().unwrap()
    }
    fn call() -> CallId {
        CallId::new("c-1").unwrap()
    }
    fn refer(n: u128) -> ContentRef {
        ContentRef { id: ContentId(Uuid::from_u128(n)), chars: 0, bytes: 0 }
    }

    fn policy() -> TenantPolicy {
        let agent = AgentPolicy {
            name: "Anna Berg".into(),
            queues: std::collections::BTreeSet::new(),
            extension: None,
            may_reject: true,
            supervisor: false,
            chat_capacity: 3,
            crm_users: [(crm(), "005A".to_owned())].into(),
            skills: Default::default(),
        };
        let mut policy = TenantPolicy::default();
        policy.agents.insert(anna(), agent);
        policy.queues.insert("sales".parse().unwrap(), QueuePolicy::named("Sales"));
        policy
    }

    /// Rows a second apart, and what they refer to.
    fn read(events: Vec<Event>, content: &[(u128, Content)], connection: &str) -> Option<Log> {
        let rows: Vec<Recorded> = events
            .into_iter()
            .zip(1..)
            .map(|(event, seq)| Recorded { seq: Seq(seq), at: START + Millis::secs(seq), event })
            .collect();
        let held: HashMap<ContentId, Content> =
            content.iter().map(|(n, content)| (refer(*n).id, content.clone())).collect();
        let known = content_of(&rows).into_iter().filter_map(|id| Some((id, held.get(&id)?.clone())));
        account(&rows, &known.collect(), &policy(), &connection.parse().unwrap())
    }

    fn rang(numbers: u128, withheld: bool) -> Event {
        Event::CallRang {
            call: call(),
            interaction: interaction(),
            conversation: conversation(),
            queue: Some("sales".parse().unwrap()),
            agents: vec![anna()],
            numbers: refer(numbers),
            withheld,
            direction: Direction::Inbound,
        }
    }
    fn dialled() -> Event {
        let (interaction, conversation, numbers) = (interaction(), conversation(), refer(10));
        Event::CallDialled { call: call(), interaction, conversation, queue: None, agent: anna(), numbers }
    }
    fn answered() -> Event {
        let (interaction, conversation) = (interaction(), conversation());
        Event::CallAnswered { call: call(), interaction, conversation, agent: anna() }
    }
    fn over(outcome: Outcome) -> [Event; 2] {
        let (interaction, conversation, agent) = (interaction(), conversation(), None);
        let closed =
            Event::InteractionClosed { interaction, outcome, conversation, agent, log: true, service: None };
        [Event::CallEnded { call: call(), interaction, outcome, presumed: false }, closed]
    }
    fn recorded(n: u128) -> Event {
        let (interaction, conversation, recording) = (interaction(), conversation(), refer(n));
        Event::RecordingReady { call: call(), interaction, conversation, recording, log: true }
    }
    fn numbers(from: Option<&str>, to: Option<&str>) -> Content {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Content::Call { numbers: CallNumbers { from: own(from), to: own(to) } }
    }
    fn url(text: &str) -> Content {
        Content::Recording { url: text.into() }
    }

    // proves E4
    #[test]
    fn a_call_that_came_in_is_told_with_its_numbers_times_and_agent() {
        let events: Vec<Event> = [rang(10, false), answered()]
            .into_iter()
            .chain(over(Outcome::Answered))
            .chain([recorded(11)])
            .collect();
        let held =
            [(10, numbers(Some("+442079460777"), Some("+442079460001"))), (11, url("https://rec.example/1"))];
        let log = read(events.clone(), &held, "crm").unwrap();
        assert_eq!((log.channel, log.outcome, log.version), (Channel::Call, Outcome::Answered, 5));
        let at = |secs| START + Millis::secs(secs);
        assert_eq!((log.started_at, log.answered_at, log.ended_at), (at(1), Some(at(2)), Some(at(3))));
        assert_eq!((log.agent_name.as_deref(), log.crm_user.as_deref()), (Some("Anna Berg"), Some("005A")));
        assert_eq!(log.queue_name.as_deref(), Some("Sales"));
        assert_eq!(log.person.phone.as_deref(), Some("+442079460777"));
        let call = log.call.unwrap();
        assert_eq!(call.direction, Direction::Inbound);
        assert_eq!(call.number.as_deref(), Some("+442079460777"));
        assert_eq!(call.line.as_deref(), Some("+442079460001"));
        assert_eq!(call.recording.as_deref(), Some("https://rec.example/1"));
        assert_eq!(
            read(events, &held, "another").unwrap().crm_user,
            None,
            "a user of one CRM is none of another"
        );
    }

    // proves E4
    #[test]
    fn a_dialled_call_that_nobody_answered_names_the_number_dialled_and_who_dialled() {
        let events = [dialled()].into_iter().chain(over(Outcome::Missed)).collect();
        let held = [(10, numbers(Some("+442079460001"), Some("+442079460777")))];
        let log = read(events, &held, "crm").unwrap();
        assert_eq!((log.outcome, log.answered_at), (Outcome::Missed, None));
        assert_eq!(log.agent, Some(anna()));
        let call = log.call.unwrap();
        assert_eq!((call.direction, call.number.as_deref()), (Direction::Outbound, Some("+442079460777")));
        assert_eq!(
            (call.line.as_deref(), log.person.phone.as_deref()),
            (Some("+442079460001"), Some("+442079460777"))
        );
    }

    // proves E1, E2, E4
    #[test]
    fn what_is_not_known_of_a_call_is_left_out() {
        let hidden: Vec<Event> =
            [rang(10, true), answered()].into_iter().chain(over(Outcome::Answered)).collect();
        let log = read(hidden, &[(10, numbers(Some("anonymous"), Some("+442079460001")))], "crm").unwrap();
        assert_eq!((log.call.unwrap().number, log.person.phone), (None, None));
        // First heard of by its answer; its ringing came too late to be taken.
        let joined: Vec<Event> = [answered()].into_iter().chain(over(Outcome::Answered)).collect();
        let log = read(joined, &[], "crm").unwrap();
        assert_eq!((log.started_at, log.call), (START + Millis::secs(1), Some(CallDetails::default())));
        assert!(read(over(Outcome::Missed).to_vec(), &[], "crm").is_none(), "an orphan end is no call");
    }

    // proves D6
    #[test]
    fn the_latest_recording_and_the_latest_numbers_count() {
        let events: Vec<Event> = [rang(10, false), rang(12, false), answered(), recorded(11)]
            .into_iter()
            .chain(over(Outcome::Answered))
            .chain([recorded(13)])
            .collect();
        let held = [
            (10, numbers(Some("+441"), None)),
            (12, numbers(Some("+442"), None)),
            (11, url("https://rec.example/first")),
            (13, url("https://rec.example/second")),
        ];
        let call = read(events, &held, "crm").unwrap().call.unwrap();
        assert_eq!(call.number.as_deref(), Some("+442"));
        assert_eq!(call.recording.as_deref(), Some("https://rec.example/second"));
    }

    #[test]
    fn nothing_is_told_of_a_call_whose_content_was_erased() {
        let events: Vec<Event> = [rang(10, false), answered()]
            .into_iter()
            .chain(over(Outcome::Answered))
            .chain([recorded(11)])
            .collect();
        let all = [(10, numbers(Some("+441"), None)), (11, url("https://rec.example/1"))];
        assert!(read(events.clone(), &all, "crm").is_some());
        for held in [&all[..1], &all[1..], &[]] {
            assert!(read(events.clone(), held, "crm").is_none());
        }
    }

    fn said(n: u128, from: Side, agent: Option<AgentId>) -> Event {
        let message = tieline_model::CommandId::new(format!("m{n}")).unwrap();
        Event::MessageSent { interaction: interaction(), message, from, agent, text: refer(n) }
    }
    fn words(text: &str) -> Content {
        Content::Message { text: text.into() }
    }
    fn remarks(notes: &str) -> Content {
        Content::Remarks { remarks: Remarks { text: String::new(), notes: notes.into() } }
    }
    fn ben() -> AgentId {
        "ben".parse().unwrap()
    }
    fn chat(previous: Option<InteractionId>) -> Event {
        Event::ChatStarted {
            interaction: interaction(),
            conversation: conversation(),
            queue: "sales".parse().unwrap(),
            person: refer(1),
            skills: Default::default(),
            marks: Default::default(),
            previous,
            preferred: None,
        }
    }
    fn offer() -> tieline_model::OfferId {
        tieline_model::OfferId(Uuid::from_u128(5))
    }
    fn accepted(agent: AgentId) -> Event {
        Event::OfferAccepted { interaction: interaction(), agent, offer: offer() }
    }
    fn classified(agent: AgentId, n: u128) -> Event {
        Event::Classified {
            interaction: interaction(),
            agent,
            codes: vec!["Billing".into()],
            remarks: Some(refer(n)),
        }
    }
    fn closed(outcome: Outcome) -> [Event; 2] {
        let (interaction, conversation, agent) = (interaction(), conversation(), Some(ben()));
        let ended = Event::ChatEnded { interaction, by: Side::Customer };
        [
            ended,
            Event::InteractionClosed { interaction, outcome, conversation, agent, log: true, service: None },
        ]
    }
    fn handed_on(note: u128) -> Event {
        Event::TransferOffered {
            interaction: interaction(),
            from: anna(),
            to: ben(),
            offer: offer(),
            deadline: START,
            note: Some(refer(note)),
            warm: false,
        }
    }
    fn visitor() -> Content {
        Content::Person { person: Person { name: Some("Ada".into()), ..Person::default() } }
    }

    // proves B12
    #[test]
    fn each_leg_keeps_its_agents_notes_under_the_one_log() {
        let interaction = interaction();
        let handed = handed_on(21);
        let taken =
            Event::TransferAccepted { interaction, from: anna(), to: ben(), offer: offer(), warm: false };
        let events: Vec<Event> = [chat(None), accepted(anna()), classified(anna(), 20), handed, taken]
            .into_iter()
            .chain([classified(ben(), 22)])
            .chain(closed(Outcome::Answered))
            .collect();
        let held = [
            (1, visitor()),
            (20, remarks("wants a refund")),
            (21, remarks("please check")),
            (22, remarks("paid")),
        ];
        let log = read(events, &held, "crm").unwrap();
        let at = |secs| START + Millis::secs(secs);
        let legs: Vec<_> = log
            .legs
            .iter()
            .map(|leg| {
                (
                    leg.agent.as_str(),
                    leg.from,
                    leg.until,
                    leg.handed_with.as_str(),
                    leg.remarks.notes.as_str(),
                )
            })
            .collect();
        assert_eq!(
            legs,
            [
                ("anna", at(2), Some(at(5)), "", "wants a refund"),
                ("ben", at(5), Some(at(7)), "please check", "paid"),
            ]
        );
        assert_eq!((log.agent, log.remarks.notes.as_str()), (Some(ben()), "paid"));
    }

    // proves B12
    #[test]
    fn a_transfer_that_fails_leaves_no_leg_and_no_note_behind() {
        let interaction = interaction();
        let handed = handed_on(21);
        let failed = tieline_model::event::TransferFailed::Missed;
        let failed = Event::TransferFailed { interaction, from: anna(), to: ben(), offer: offer(), failed };
        let events: Vec<Event> = [chat(None), accepted(anna()), handed, failed]
            .into_iter()
            .chain(closed(Outcome::Answered))
            .collect();
        let log = read(events, &[(1, visitor()), (21, remarks("please check"))], "crm").unwrap();
        assert_eq!(log.legs.len(), 1);
        assert_eq!((log.legs[0].agent.as_str(), log.legs[0].handed_with.as_str()), ("anna", ""));
    }

    // proves B8, B18, C7, G3, B15
    #[test]
    fn notices_files_scripts_abuse_and_the_earlier_chat_are_told() {
        let (id, earlier) = (interaction(), InteractionId(Uuid::from_u128(77)));
        let notice = tieline_model::command::Notice::Nudge;
        let message = tieline_model::CommandId::new("f").unwrap();
        let file = ContentRef { id: refer(30).id, chars: 8, bytes: 1_234 };
        let events: Vec<Event> = [
            chat(Some(earlier)),
            accepted(ben()),
            said(10, Side::Customer, None),
            Event::FileSent {
                interaction: id,
                message,
                from: Side::Customer,
                agent: None,
                file,
                media_type: "image/png".into(),
            },
            Event::NoticeSent { interaction: id, notice, text: String::new(), agent: None },
            Event::NoticeSent { interaction: id, notice, text: "Are you there?".into(), agent: None },
            Event::ScriptFilled { interaction: id, agent: ben(), answers: refer(31) },
            Event::AbuseFlagged {
                interaction: id,
                agent: ben(),
                note: Some(refer(32)),
                blocked: Default::default(),
            },
            Event::AbuseFlagged { interaction: id, agent: ben(), note: None, blocked: Default::default() },
        ]
        .into_iter()
        .chain(closed(Outcome::Answered))
        .collect();
        let answers = [("order".to_owned(), "4711".to_owned())];
        let held = [
            (1, visitor()),
            (10, words("Hello")),
            (30, Content::File { name: "shot.png".into(), data: String::new() }),
            (31, Content::Answers { answers: answers.clone().into() }),
            (32, words("shouts")),
        ];
        let log = read(events, &held, "crm").unwrap();
        let lines: Vec<_> =
            log.transcript.iter().map(|line| (line.from, line.name.as_str(), line.text.as_str())).collect();
        assert_eq!(
            lines,
            [
                (Side::Customer, "Ada", "Hello"),
                (Side::Customer, "Ada", "[shot.png, image/png, 1234 bytes]"),
                (Side::System, "Sales", "Are you there?"),
            ]
        );
        assert_eq!((log.answers, log.abuse.as_deref()), (answers.into(), Some("shouts")));
        assert_eq!(log.previous, Some(earlier));
    }

    // proves A12, B20
    #[test]
    fn a_message_left_in_the_form_is_the_log() {
        let interaction = interaction();
        let to_form = Event::ChatOverflowed {
            interaction,
            from: "sales".parse().unwrap(),
            to: None,
            why: tieline_model::event::OverflowWhy::Closed,
            deadline: Some(START),
        };
        let events: Vec<Event> = [chat(None), to_form, said(10, Side::Customer, None)]
            .into_iter()
            .chain(closed(Outcome::MessageLeft))
            .collect();
        let log = read(events, &[(1, visitor()), (10, words("Call me"))], "crm").unwrap();
        assert_eq!((log.outcome, log.answered_at, log.legs.len()), (Outcome::MessageLeft, None, 0));
        assert_eq!(log.transcript.len(), 1);
    }

    // proves B15
    #[test]
    fn who_comes_back_goes_on_in_the_same_leg() {
        let id = interaction();
        let events: Vec<Event> = [
            chat(None),
            accepted(ben()),
            Event::ChatEnded { interaction: id, by: Side::Customer },
            Event::ChatReopened { interaction: id, agent: ben() },
        ]
        .to_vec();
        let open = read(events.clone(), &[(1, visitor())], "crm").unwrap();
        assert_eq!((open.ended_at, open.legs.len(), open.legs[0].until), (None, 1, None));
        let over: Vec<Event> = events.into_iter().chain(closed(Outcome::Answered)).collect();
        let log = read(over, &[(1, visitor())], "crm").unwrap();
        assert_eq!((log.ended_at, log.legs.len()), (Some(START + Millis::secs(5)), 1));
    }
}
