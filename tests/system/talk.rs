//! The main job: a visitor comes, the record opens, they talk, it becomes one case with its transcript.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test waits for one kind of frame and lets the others pass"
)]

use crate::daemon::Centre;
use crate::panel::Panel;
use crate::visitor::{Visitor, person};
use tieline_connector_api::sandbox::Sandbox;
use tieline_model::command::Presence;
use tieline_model::content::Remarks;
use tieline_model::crm::{LogState, PopTarget, Side};
use tieline_model::live::{AgentDeed, ChatState, PanelFrame, Place};

pub(crate) async fn available(panel: &mut Panel) {
    panel.does(AgentDeed::SetPresence { presence: Presence::Available, confirmed: false }).await;
}

/// Waits for the offer and accepts it.
pub(crate) async fn accept(panel: &mut Panel) {
    let offer = panel.until("an offer", |p| p.view.offer.as_ref().map(|o| o.offer)).await;
    panel.does(AgentDeed::AcceptOffer { offer }).await;
}

// proves A14, B1, B10, B13, C3, D1, D2, D3, D6, D7, D11
#[tokio::test]
async fn a_chat_pops_before_accept_and_becomes_one_case_with_its_transcript() {
    let centre = Centre::start().await;
    let daemon = centre.daemon().await;
    let grace =
        centre.crm.add_contact("Amara Obi", Some("amara@obi.example"), Some("+44 20 7946 0321")).await;
    let mut anna = daemon.panel("anna").await;
    available(&mut anna).await;

    let mut visitor = Visitor::starts(&daemon, "support", person("Amara Obi", "amara@obi.example")).await;
    let offer = anna.until("an offer with its match", |p| {
        let offer = p.view.offer.clone()?;
        offer.lookups.iter().any(|l| l.contact.is_some()).then_some(offer)
    });
    let offer = offer.await;
    assert_eq!(offer.person.name.as_deref(), Some("Amara Obi"));
    let popped = anna.until("the pop", |p| p.pops.first().cloned()).await;
    match popped {
        PanelFrame::Pop { target: PopTarget::Record { record, .. }, .. } => {
            assert_eq!(record.id.as_str(), grace)
        }
        other => panic!("not a record: {other:?}"),
    }
    assert!(anna.view.items.is_empty(), "popped before anything was accepted");

    anna.does(AgentDeed::AcceptOffer { offer: offer.offer }).await;
    let chat = offer.interaction;
    visitor.until("the agent", |v| matches!(v.state, ChatState::Talking { .. }).then_some(())).await;
    visitor.writes("Where is my parcel? <b>It</b> is late.").await;
    anna.until("the question", |p| p.view.messages.iter().find(|m| !m.messages.is_empty()).map(|_| ())).await;
    anna.does(AgentDeed::Send { interaction: chat, text: "It left this morning.".into() }).await;
    visitor.until("the answer", |v| v.messages.iter().find(|m| m.from == Side::Agent).map(|_| ())).await;
    visitor.ends().await;

    anna.until("the end", |p| {
        p.view
            .items
            .iter()
            .find(|i| i.place == Place::Active && i.wrap_up.is_some() && !i.end_seen)
            .map(|_| ())
    })
    .await;
    anna.does(AgentDeed::SeeEnd { interaction: chat }).await;
    let remarks = Remarks { text: "late parcel".into(), notes: "told her it left".into() };
    anna.does(AgentDeed::Classify { interaction: chat, codes: vec!["delivery".into()], remarks }).await;
    anna.does(AgentDeed::CompleteWrapUp { interaction: chat }).await;

    let label = anna.until("the case", |p| saved(p, chat)).await;
    assert!(label.starts_with("Case 0"), "the label is {label}");
    let records = centre.crm.log_records().await;
    let ours: Vec<_> = records.iter().filter(|r| r.key == chat.to_string()).collect();
    assert_eq!(ours.len(), 1, "one case and no second: {records:?}");
    assert_eq!(ours[0].fields["ContactId"], grace.as_str());
    let (_, transcript) = ours[0].attachments.first().expect("the transcript as a file");
    assert!(transcript.contains("Where is my parcel? <b>It</b> is late."), "text stays text: {transcript}");
    assert!(transcript.contains("It left this morning."));
    assert!(centre.crm.log_records().await.len() == 1);
    daemon.stop().await;
}

/// The label of a chat's case, once it is saved.
pub(crate) fn saved(panel: &Panel, chat: tieline_model::InteractionId) -> Option<String> {
    let log = panel.view.logs.iter().find(|l| l.interaction == chat)?;
    log.deliveries.iter().find_map(|d| match &d.state {
        LogState::Saved { label, .. } => Some(label.clone()),
        LogState::Sending | LogState::Delayed { .. } | LogState::Refused { .. } => None,
    })
}

// proves B6
#[tokio::test]
async fn each_side_sees_that_the_other_is_typing() {
    let centre = Centre::start().await;
    let daemon = centre.daemon().await;
    let mut anna = daemon.panel("anna").await;
    available(&mut anna).await;
    let mut visitor = Visitor::starts(&daemon, "support", person("Ines", "ines@example.org")).await;
    accept(&mut anna).await;
    visitor.until("the agent", |v| matches!(v.state, ChatState::Talking { .. }).then_some(())).await;
    visitor.types().await;
    let chat = visitor.interaction;
    anna.until("the sign", |p| p.typing.contains(&chat).then_some(())).await;
    anna.types(chat).await;
    visitor.until("the sign", |v| (v.typing > 0).then_some(())).await;
    daemon.stop().await;
}

// proves B10
#[tokio::test]
async fn a_message_sent_again_after_a_reconnect_stands_once() {
    let centre = Centre::start().await;
    let daemon = centre.daemon().await;
    let mut visitor = Visitor::starts(&daemon, "support", person("Ines", "ines@example.org")).await;
    let id = crate::visitor::command();
    visitor.tries(id.clone(), "are you there?").await.expect("taken");
    let mut again = Visitor::joins(&daemon, visitor.interaction, visitor.token.clone()).await;
    again.tries(id.clone(), "are you there?").await.expect("the same answer");
    assert_eq!(again.messages.iter().filter(|m| m.id == id).count(), 1);
    let refusal = again.tries(id, "something else").await.expect_err("another body under the same id");
    assert_eq!(refusal.code, tieline_model::Code::IdReused);
    daemon.stop().await;
}
