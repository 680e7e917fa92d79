use super::*;
use crate::journal::suite::{interaction, tenant};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tieline_model::command::{Notice, Open, Presence, SupervisorAct};
use tieline_model::content::ContentRef;
use tieline_model::crm::{Channel, ConnectionInfo, Direction, LogState, LookupResult, Outcome, Record, Side};
use tieline_model::event::{
    AssignedHow, CompletedBy, Guest, OverflowWhy, ParkedBy, PresenceWhy, ReturnedWhy, Suggestion,
    TransferFailed, WithdrawnWhy,
};
use tieline_model::policy::{AgentPolicy, CallPolicy, QueuePolicy, TenantPolicy};
use tieline_model::{
    AgentId, CallId, CommandId, ConnectionId, ContentId, ConversationId, InteractionId, Mark, Millis,
    OfferId, QueueId, RecordId, ScheduleId, SessionId, ShareId,
};
use uuid::Uuid;

/// A line of a golden journal.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    seq: Seq,
    at: Timestamp,
    event: Value,
}

fn golden_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn golden(path: &Path) -> Vec<Line> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn decode_line(line: &Line) -> Result<Event, Error> {
    let kind = line.event["type"].as_str().unwrap();
    decode(&tenant("golden"), line.seq, kind, &line.event.to_string())
}

fn current() -> PathBuf {
    golden_dir().join(concat!(env!("CARGO_PKG_VERSION"), ".jsonl"))
}

#[test]
fn the_journals_of_all_releases_decode() {
    let mut releases = 0;
    for file in std::fs::read_dir(golden_dir()).unwrap() {
        let path = file.unwrap().path();
        for line in golden(&path) {
            let event = decode_line(&line).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let again = encode(&event).unwrap();
            let back = decode(&tenant("golden"), line.seq, event.kind(), &again).unwrap();
            assert_eq!(back, event);
        }
        releases += 1;
    }
    assert!(releases > 0);
}

/// When this fails before a release, an event was added or changed: write the file anew with the environment variable
/// `TIELINE_WRITE_GOLDEN=1`. The file of a version that was released is never written again; add an upcaster.
#[test]
fn the_golden_journal_of_this_version_holds_every_event() {
    if std::env::var_os("TIELINE_WRITE_GOLDEN").is_some() {
        let lines = every_event().into_iter().zip(1..).map(|(event, seq)| {
            let at = Timestamp(1_795_000_000_000 + 1_000 * i64::try_from(seq).unwrap());
            let event = serde_json::to_value(&event).unwrap();
            serde_json::to_string(&Line { seq: Seq(seq), at, event }).unwrap() + "\n"
        });
        std::fs::write(current(), lines.collect::<String>()).unwrap();
    }
    let lines = golden(&current());
    let decoded: Vec<_> = lines.iter().map(|line| decode_line(line).unwrap()).collect();
    assert_eq!(decoded, every_event());
    let held: BTreeSet<_> = decoded.iter().map(|e| e.kind().to_owned()).collect();
    let known: BTreeSet<_> = kinds().into_iter().collect();
    assert_eq!(held, known, "every event the model knows stands in the golden journal");
}

#[test]
fn a_row_of_a_newer_version_is_named_and_stops_the_reader() {
    let body = r#"{"type":"chat.teleported.v1","interaction":"00000000-0000-0000-0000-000000000007"}"#;
    let error = decode(&tenant("acme"), Seq(12), "chat.teleported.v1", body).unwrap_err();
    assert!(matches!(error, Error::Unreadable(_)));
    let text = error.to_string();
    for part in ["row 12", "acme", "`chat.teleported.v1`", "newer version"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_damaged_row_is_told_from_a_newer_one() {
    for body in [r#"{"type":"chat.ended.v1"}"#, r#"{"type":"chat.ended.v1","intera"#, ""] {
        let text = decode(&tenant("acme"), Seq(3), "chat.ended.v1", body).unwrap_err().to_string();
        assert!(text.contains("row 3") && text.contains("damaged"), "{text}");
    }
}

#[test]
fn old_rows_are_lifted_step_by_step() {
    fn first(mut map: Map<String, Value>) -> Map<String, Value> {
        map.insert("type".into(), "chat.closed.v2".into());
        map.insert("side".into(), "customer".into());
        map
    }
    fn second(mut map: Map<String, Value>) -> Map<String, Value> {
        let side = map.remove("side").unwrap();
        map.insert("type".into(), "chat.ended.v1".into());
        map.insert("by".into(), side);
        map
    }
    let upcasters: [(&str, Upcaster); 2] = [("chat.closed.v1", first), ("chat.closed.v2", second)];
    let lifted = Event::ChatEnded { interaction: interaction(7), by: Side::Customer };
    let old = format!(r#"{{"type":"chat.closed.v1","interaction":"{}"}}"#, interaction(7));
    assert_eq!(decode_with(&upcasters, &old, "chat.closed.v1").unwrap(), lifted);

    let circle: [(&str, Upcaster); 1] = [("chat.closed.v2", first)];
    let stuck = decode_with(&circle, &old, "chat.closed.v2").unwrap_err();
    assert!(matches!(stuck, Trouble::Damaged(_)));
}

#[test]
fn any_change_of_a_row_changes_its_checksum() {
    let sum =
        |t: &str, seq, at, kind: &str, body: &str| checksum(&tenant(t), Seq(seq), Timestamp(at), kind, body);
    let all = [
        sum("a", 1, 2, "k", "body"),
        sum("b", 1, 2, "k", "body"),
        sum("a", 2, 2, "k", "body"),
        sum("a", 1, 3, "k", "body"),
        sum("a", 1, 2, "kb", "ody"),
        sum("a", 1, 2, "k", "bodz"),
    ];
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
}

fn agent() -> AgentId {
    AgentId::new("anna").unwrap()
}

fn queue() -> QueueId {
    QueueId::new("support").unwrap()
}

fn connection() -> ConnectionId {
    ConnectionId::new("salesforce-main").unwrap()
}

fn uuid(n: u128) -> Uuid {
    Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0000 + n)
}

fn content() -> ContentRef {
    ContentRef { id: ContentId(uuid(9)), chars: 11, bytes: 12 }
}

fn contact() -> Record {
    Record { object: "Contact".into(), id: RecordId::new("003000000000001AAA").unwrap() }
}

fn policy() -> TenantPolicy {
    let agent_policy = AgentPolicy {
        name: "Agent One".into(),
        queues: BTreeSet::from([queue()]),
        extension: Some("101".into()),
        may_reject: true,
        supervisor: false,
        chat_capacity: 3,
        crm_users: std::collections::BTreeMap::new(),
        skills: Default::default(),
    };
    TenantPolicy {
        agents: BTreeMap::from([(agent(), agent_policy)]),
        queues: BTreeMap::from([(queue(), QueuePolicy::named("Support"))]),
        connections: vec![ConnectionInfo {
            id: connection(),
            vendor: "salesforce".into(),
            name: "Salesforce".into(),
        }],
        break_reasons: vec!["Lunch".into()],
        calls: CallPolicy::default(),
        ..TenantPolicy::default()
    }
}

/// One of every event, and of every shape of what events hold.
fn every_event() -> Vec<Event> {
    let mut all = about_agents();
    all.extend(about_routing(InteractionId(uuid(1)), ConversationId(uuid(2)), OfferId(uuid(3))));
    all.extend(about_chats(InteractionId(uuid(1)), ConversationId(uuid(2))));
    all.extend(about_calls(InteractionId(uuid(4)), ConversationId(uuid(5))));
    all.extend(about_crms(InteractionId(uuid(1))));
    all.extend(about_the_centre());
    all.extend(about_ways(InteractionId(uuid(1)), OfferId(uuid(3))));
    all.extend(about_conversations(InteractionId(uuid(1)), ConversationId(uuid(2))));
    all
}

fn ben() -> AgentId {
    AgentId::new("ben").unwrap()
}

fn about_the_centre() -> Vec<Event> {
    let schedule = || ScheduleId::new("office").unwrap();
    let open = Open { from: Timestamp(1_795_000_000_000), until: Timestamp(1_795_030_000_000) };
    let marks = BTreeSet::from([Mark::new("m1").unwrap()]);
    let acted =
        |act, agent| Event::SupervisorActed { supervisor: ben(), act, agent, reason: "Shift over".into() };
    let interaction = InteractionId(uuid(1));
    vec![
        Event::HoursSet { hours: BTreeMap::from([(schedule(), vec![open])]) },
        Event::HoursTurned { schedule: schedule(), open: true, next: Some(open.until) },
        Event::HoursTurned { schedule: schedule(), open: false, next: None },
        Event::DayBegan { day: "2026-11-21".into() },
        Event::AvailabilityChanged {
            agent: agent(),
            channels: BTreeSet::from([Channel::Chat, Channel::Call]),
            queues: Some(BTreeSet::from([queue()])),
        },
        Event::AvailabilityChanged { agent: agent(), channels: BTreeSet::new(), queues: None },
        acted(SupervisorAct::SetPresence { agent: agent(), presence: Presence::Offline }, Some(agent())),
        acted(SupervisorAct::Requeue { interaction }, Some(agent())),
        acted(SupervisorAct::Assign { interaction, agent: agent() }, Some(agent())),
        acted(SupervisorAct::FinishWrapUp { interaction }, Some(agent())),
        acted(SupervisorAct::Join { interaction }, Some(agent())),
        acted(SupervisorAct::Unblock { marks }, None),
        Event::PresenceChanged { agent: agent(), presence: Presence::Offline, why: PresenceWhy::Lost },
        Event::PresenceChanged {
            agent: agent(),
            presence: Presence::Available,
            why: PresenceWhy::Supervisor,
        },
    ]
}

fn about_ways(interaction: InteractionId, offer: OfferId) -> Vec<Event> {
    let (from, to) = (agent(), ben());
    let deadline = Timestamp(1_795_000_060_000);
    let overflowed =
        |to, why, deadline| Event::ChatOverflowed { interaction, from: queue(), to, why, deadline };
    let failed = |failed| Event::TransferFailed { interaction, from: agent(), to: ben(), offer, failed };
    let offered = |note, warm| {
        let (from, to) = (agent(), ben());
        Event::TransferOffered { interaction, from, to, offer, deadline, note, warm }
    };
    vec![
        Event::NeedsRelaxed { interaction, steps: 2 },
        Event::DeclineForgotten { interaction, agent: agent() },
        overflowed(None, OverflowWhy::Closed, Some(deadline)),
        overflowed(Some(queue()), OverflowWhy::Unstaffed, None),
        overflowed(Some(queue()), OverflowWhy::Waited, None),
        overflowed(Some(queue()), OverflowWhy::Full, None),
        Event::ChatTransferred { interaction, agent: agent(), to: queue(), note: Some(content()) },
        offered(Some(content()), false),
        offered(None, true),
        Event::TransferAccepted { interaction, from: from.clone(), to: to.clone(), offer, warm: true },
        failed(TransferFailed::Rejected),
        failed(TransferFailed::Missed),
        failed(TransferFailed::Withdrawn { why: WithdrawnWhy::TransferCancelled }),
        failed(TransferFailed::Withdrawn { why: WithdrawnWhy::Overflowed }),
        failed(TransferFailed::Withdrawn { why: WithdrawnWhy::Supervisor }),
        Event::HandedOver { interaction, from: from.clone(), to: to.clone() },
        Event::GuestJoined { interaction, agent: ben(), guest: Guest::Consulted },
        Event::GuestJoined { interaction, agent: ben(), guest: Guest::Supervisor },
        Event::GuestLeft { interaction, agent: ben() },
        Event::ChatReturned { interaction, agent: agent(), why: ReturnedWhy::AgentLost },
        Event::ChatReturned { interaction, agent: agent(), why: ReturnedWhy::Supervisor },
        Event::ChatReopened { interaction, agent: agent() },
        Event::CallHeld { call: CallId::new("c-1").unwrap(), interaction },
        Event::CallResumed { call: CallId::new("c-1").unwrap(), interaction },
        Event::CallTransferred {
            call: CallId::new("c-1").unwrap(),
            interaction,
            conversation: ConversationId(uuid(5)),
            from,
            to,
        },
    ]
}

fn about_conversations(interaction: InteractionId, conversation: ConversationId) -> Vec<Event> {
    let message = || CommandId::new("m-9").unwrap();
    let noticed =
        |notice, agent| Event::NoticeSent { interaction, notice, text: "One moment.".into(), agent };
    let flagged = |note, blocked| Event::AbuseFlagged { interaction, agent: agent(), note, blocked };
    vec![
        Event::Whispered { interaction, message: message(), agent: ben(), text: content() },
        noticed(Notice::Nudge, None),
        noticed(Notice::FewMinutes, Some(agent())),
        Event::FileSent {
            interaction,
            message: message(),
            from: Side::Customer,
            agent: None,
            file: content(),
            media_type: "image/png".into(),
        },
        Event::Suggested { interaction, suggestion: Suggestion::Nudge },
        Event::Suggested { interaction, suggestion: Suggestion::End },
        Event::Suggested { interaction, suggestion: Suggestion::OpenCase },
        Event::Suggested { interaction, suggestion: Suggestion::Update },
        Event::HistoryShared {
            interaction,
            conversation,
            agent: agent(),
            share: ShareId(uuid(8)),
            expires_at: Timestamp(1_795_600_000_000),
        },
        Event::CaseOpened { interaction, conversation, agent: agent() },
        flagged(Some(content()), BTreeSet::from([Mark::new("m1").unwrap()])),
        flagged(None, BTreeSet::new()),
        Event::ScriptFilled { interaction, agent: agent(), answers: content() },
    ]
}

fn about_agents() -> Vec<Event> {
    let session = SessionId(uuid(6));
    let lunch = || Presence::OnBreak { reason: "Lunch".into() };
    let changed = |presence, why| Event::PresenceChanged { agent: agent(), presence, why };
    vec![
        Event::TenantOpened { seed: 7 },
        Event::Configured { policy: Box::new(policy()) },
        Event::Resumed { down: Millis(1_500) },
        Event::AgentConnected { agent: agent(), session },
        Event::AgentDisconnected { agent: agent(), session },
        changed(Presence::Available, PresenceWhy::Chosen),
        changed(lunch(), PresenceWhy::Rejected),
        changed(Presence::StopNew, PresenceWhy::WishGranted),
        changed(lunch(), PresenceWhy::Missed),
        changed(Presence::Offline, PresenceWhy::Removed),
        Event::PresenceWished { agent: agent(), presence: Some(lunch()) },
        Event::PresenceWished { agent: agent(), presence: None },
    ]
}

fn about_routing(interaction: InteractionId, conversation: ConversationId, offer: OfferId) -> Vec<Event> {
    let agent = agent();
    let deadline = Timestamp(1_795_000_060_000);
    let withdrawn =
        |why| Event::OfferWithdrawn { interaction, agent: AgentId::new("anna").unwrap(), offer, why };
    vec![
        Event::ChatStarted {
            interaction,
            conversation,
            queue: queue(),
            person: content(),
            skills: Default::default(),
            marks: Default::default(),
            previous: None,
            preferred: None,
        },
        Event::ChatOffered { interaction, agent: agent.clone(), offer, version: 2, deadline },
        Event::OfferAccepted { interaction, agent: agent.clone(), offer },
        Event::OfferRejected { interaction, agent: agent.clone(), offer },
        Event::OfferMissed { interaction, agent: agent.clone(), offer },
        withdrawn(WithdrawnWhy::PresenceLeft),
        withdrawn(WithdrawnWhy::Call),
        withdrawn(WithdrawnWhy::CustomerLeft),
        withdrawn(WithdrawnWhy::AgentLost),
        withdrawn(WithdrawnWhy::Settings),
        Event::ChatAssigned {
            interaction,
            agent: agent.clone(),
            how: AssignedHow::Auto,
            deadline: Some(deadline),
        },
        Event::ChatAssigned { interaction, agent: agent.clone(), how: AssignedHow::Taken, deadline: None },
        Event::ChatReturned { interaction, agent: agent.clone(), why: ReturnedWhy::Unopened },
        Event::ChatReturned { interaction, agent, why: ReturnedWhy::AgentOffline },
    ]
}

fn about_chats(interaction: InteractionId, conversation: ConversationId) -> Vec<Event> {
    let agent = agent();
    let deadline = Some(Timestamp(1_795_000_090_000));
    let message = CommandId::new("01J-message").unwrap();
    let parked = |by, wrap_up_left| Event::ItemParked {
        interaction,
        agent: AgentId::new("anna").unwrap(),
        by,
        wrap_up_left,
    };
    let completed = |by, unseen| Event::WrapUpCompleted {
        interaction,
        agent: AgentId::new("anna").unwrap(),
        by,
        not_classified: true,
        unseen,
    };
    vec![
        Event::ItemActivated { interaction, agent: agent.clone(), wrap_up_deadline: deadline },
        parked(ParkedBy::Agent, None),
        parked(ParkedBy::Activation, Some(Millis(20_000))),
        parked(ParkedBy::Call, None),
        Event::MessageSent {
            interaction,
            message: message.clone(),
            from: Side::Customer,
            agent: None,
            text: content(),
        },
        Event::MessageSent {
            interaction,
            message,
            from: Side::Agent,
            agent: Some(agent.clone()),
            text: content(),
        },
        Event::ChatEnded { interaction, by: Side::Customer },
        Event::EndSeen { interaction },
        Event::WrapUpStarted { interaction, agent: agent.clone(), deadline, time: Some(Millis(60_000)) },
        Event::WrapUpExtended {
            interaction,
            deadline: None,
            time_left: Some(Millis(50)),
            extensions_left: 2,
        },
        completed(CompletedBy::Agent, false),
        completed(CompletedBy::Timer, true),
        completed(CompletedBy::Offline, false),
        Event::Classified {
            interaction,
            agent: agent.clone(),
            codes: vec!["billing".into()],
            remarks: Some(content()),
        },
        Event::InteractionClosed {
            interaction,
            conversation,
            outcome: Outcome::Answered,
            agent: Some(agent),
            log: true,
            service: Some(Default::default()),
        },
        Event::InteractionClosed {
            interaction,
            conversation,
            outcome: Outcome::Abandoned,
            agent: None,
            log: false,
            service: None,
        },
    ]
}

fn about_calls(interaction: InteractionId, conversation: ConversationId) -> Vec<Event> {
    let call = CallId::new("pbx-7/1795000000.12").unwrap();
    vec![
        Event::CallRang {
            call: call.clone(),
            interaction,
            conversation,
            queue: Some(queue()),
            agents: vec![agent()],
            numbers: content(),
            withheld: false,
            direction: Direction::Inbound,
        },
        Event::CallDialled {
            call: call.clone(),
            interaction,
            conversation,
            queue: Some(queue()),
            agent: agent(),
            numbers: content(),
        },
        Event::CallAnswered { call: call.clone(), interaction, conversation, agent: agent() },
        Event::CallHeld { call: call.clone(), interaction },
        Event::CallResumed { call: call.clone(), interaction },
        Event::CallTransferred { call: call.clone(), interaction, conversation, from: agent(), to: agent() },
        Event::CallEnded { call: call.clone(), interaction, outcome: Outcome::Missed, presumed: true },
        Event::RecordingReady { call, interaction, conversation, recording: content(), log: true },
    ]
}

fn about_crms(interaction: InteractionId) -> Vec<Event> {
    let looked_up =
        |result, matches| Event::LookedUp { interaction, connection: connection(), result, matches };
    let reported = |state| Event::DeliveryReported { interaction, connection: connection(), state };
    let chosen =
        |contact| Event::ContactChosen { interaction, agent: agent(), connection: connection(), contact };
    let case = Record { object: "Case".into(), id: RecordId::new("500000000000001AAA").unwrap() };
    vec![
        looked_up(
            LookupResult::Found { count: 1, contact: Some(contact()), case: Some(case.clone()) },
            Some(content()),
        ),
        looked_up(LookupResult::Found { count: 0, contact: None, case: None }, None),
        looked_up(LookupResult::Failed { reason: "no answer within 3 s".into() }, None),
        chosen(Some(contact())),
        chosen(None),
        reported(LogState::Sending),
        reported(LogState::Saved { record: case, label: "Case 00001027".into(), url: None }),
        reported(LogState::Delayed { reason: "429".into(), next_at: Timestamp(1_795_000_120_000) }),
        reported(LogState::Refused { reason: "a required field is missing".into() }),
    ]
}
