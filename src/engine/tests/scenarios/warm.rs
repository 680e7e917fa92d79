//! B12, warm: a second agent joins first, and the owner hands over when both are ready.

use crate::centre::*;
use crate::verbs::*;
use tieline_model::Code;
use tieline_model::command::{Presence, SupervisorAct};
use tieline_model::live::{Place, Status};
use tieline_model::policy::{OfferWhen, TenantPolicy};

/// Anna has chat 1 and has asked Ben to join; Carla is a supervisor.
fn consulting() -> Centre {
    consulting_with(|_| {})
}

fn consulting_with(change: impl FnOnce(&mut TenantPolicy)) -> Centre {
    let mut c = Centre::with(|p| {
        with_billing(p);
        of(p, "carla").supervisor = true;
        change(p);
    });
    c.agent("carla").connects();
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().consults(1, "ben");
    c.happened();
    c
}

fn joined() -> Centre {
    let mut c = consulting();
    c.ben().accepts();
    c.happened();
    c
}

// proves B12
#[test]
fn a_warm_transfer_makes_a_guest_first() {
    let mut c = consulting();
    c.ben().accepts();
    assert_eq!(c.happened(), ["#1 transfer from anna accepted by ben, warm"], "the customer is not told yet");
    assert_eq!((owner(&c, 1), place(&c, 1)), ("anna".to_owned(), Place::Active));
    assert_eq!(c.engine.load(&agent("ben")), 1, "a consulted agent has a hand full");
    assert_eq!(c.status("ben"), Status::Present { presence: Presence::Available });
}

// proves B12, A4
#[test]
fn accepting_twice_joins_once() {
    let mut c = consulting();
    let offer = c.offer("ben");
    c.ben().accepts_offer(offer);
    c.happened();
    c.ben().accepts_offer(offer);
    assert_eq!(c.happened(), Vec::<String>::new());
}

// proves B1, B9, B12
#[test]
fn a_guest_writes_without_having_the_chat_active_and_within_the_same_limit() {
    let mut c = joined();
    c.ben().writes(1, 5_000);
    c.ben().cannot(Code::TooLong, |ben| ben.writes(1, 5_001));
    c.anna().writes(1, 5);
    c.anna().parks(1);
    c.ben().writes(1, 5);
    c.anna().cannot(Code::NotActive, |anna| anna.writes(1, 5));
}

// proves B12, A15
#[test]
fn whispers_stay_between_the_agents_at_the_chat() {
    let mut c = joined();
    c.happened();
    c.ben().whispers(1, 2_000);
    c.anna().whispers(1, 1);
    assert_eq!(c.happened().len(), 2);
    let refusal = c.ben().cannot(Code::TooLong, |ben| ben.whispers(1, 2_001));
    assert_eq!((refusal.field.as_deref(), refusal.limit), (Some("text"), Some(2_000)));
    c.ben().cannot(Code::Invalid, |ben| ben.whispers(1, 0));
    c.agent("carla").cannot(Code::NotFound, |carla| carla.whispers(1, 1));
    c.customer(1).cannot(Code::NotPermitted, |one| one.whispers(1, 1));
    assert_eq!(c.seen(1).unanswered_since, None, "a whisper is no reply and no question");
    c.ben().leaves(1);
    c.anna().cannot(Code::WrongState, |anna| anna.whispers(1, 1));
}

// proves B12
#[test]
fn what_is_the_owner_s_is_not_the_guest_s() {
    let mut c = joined();
    c.ben().cannot(Code::NotFound, |ben| ben.ends(1));
    c.ben().cannot(Code::NotFound, |ben| ben.transfers_to(1, "carla"));
    c.ben().cannot(Code::NotFound, |ben| ben.hands_over(1, "ben"));
    c.ben().cannot(Code::NotFound, |ben| ben.activates(1));
    c.ben().cannot(Code::NotFound, |ben| ben.opens_case(1));
    c.ben().cannot(Code::NotFound, |ben| ben.shares(1));
}

// proves B12
#[test]
fn handing_over_moves_the_chat_and_tells_the_customer_once() {
    let mut c = joined();
    c.anna().hands_over(1, "ben");
    assert_eq!(c.happened(), ["#1 handed over by anna to ben", "#1 notice Transferred"]);
    assert_eq!((owner(&c, 1), place(&c, 1)), ("ben".to_owned(), Place::Active));
    assert!(c.seen(1).guests.is_empty());
    assert!(c.engine.agent(&agent("ben")).unwrap().guest_at.is_empty());
    assert_eq!((c.engine.load(&agent("anna")), c.engine.load(&agent("ben"))), (0, 1));
    let today = |name: &str| c.engine.agent(&agent(name)).unwrap().today;
    assert_eq!((today("anna").transferred, today("ben").chats), (1, 1));
}

// proves B12
#[test]
fn only_who_has_joined_is_handed_a_chat() {
    let mut c = consulting();
    let refusal = c.anna().cannot(Code::WrongState, |anna| anna.hands_over(1, "ben"));
    assert_eq!(refusal.field.as_deref(), Some("agent"));
    c.ben().accepts();
    c.ben().leaves(1);
    c.anna().cannot(Code::WrongState, |anna| anna.hands_over(1, "ben"));
    c.ben().leaves(1);
    c.anna().consults(1, "ben");
    c.ben().accepts();
    c.anna().cannot(Code::WrongState, |anna| anna.consults(1, "ben"));
    c.anna().hands_over(1, "ben");
}

// proves B12, A1
#[test]
fn a_guest_who_is_not_ready_is_not_handed_the_chat() {
    let mut c = joined();
    c.ben().goes(Presence::StopNew);
    let refusal = c.anna().cannot(Code::TargetUnavailable, |anna| anna.hands_over(1, "ben"));
    assert!(refusal.message.contains("is Stop New"), "{refusal:?}");
    c.ben().goes(Presence::Available);
    c.call("c1").answered_by("ben");
    let refusal = c.anna().cannot(Code::TargetUnavailable, |anna| anna.hands_over(1, "ben"));
    assert!(refusal.message.contains("on a call"), "{refusal:?}");
    c.call("c1").ends();
    c.ben().disconnects();
    let refusal = c.anna().cannot(Code::TargetUnavailable, |anna| anna.hands_over(1, "ben"));
    assert!(refusal.message.contains("not at a panel"), "{refusal:?}");
    c.ben().connects();
    c.anna().hands_over(1, "ben");
}

// proves B12, B1
#[test]
fn a_chat_handed_over_parks_what_the_guest_works_on() {
    let mut c = consulting_with(|p| {
        support(p).offer_when = OfferWhen::BelowCapacity;
        of(p, "anna").chat_capacity = 1;
    });
    c.ben().accepts();
    c.customer(2).starts();
    c.ben().accepts();
    c.happened();
    c.anna().hands_over(1, "ben");
    assert_eq!(c.happened()[0], "#2 parked for ben by Activation, left none");
    assert_eq!((place(&c, 1), place(&c, 2)), (Place::Active, Place::Parked));
}

// proves B12, A1
#[test]
fn the_owner_s_pending_wish_comes_due_on_handing_over() {
    let mut c = joined();
    c.anna().goes(on_break("lunch"));
    c.anna().hands_over(1, "ben");
    assert_eq!(c.presence("anna"), on_break("lunch"));
}

// proves B12, B13, A17
#[test]
fn guests_leave_at_the_end_and_when_the_chat_goes_back() {
    let mut c = joined();
    c.customer(1).ends(1);
    assert_eq!(
        c.happened(),
        ["#1 left by ben", "#1 ended by Customer", "#1 wrap-up of anna, runs 60000, has 60000"]
    );
    assert_eq!(c.engine.load(&agent("ben")), 0);
    let mut c = joined();
    c.anna().goes_offline_for_sure();
    assert_eq!(c.happened()[..2], ["#1 left by ben", "#1 returned from anna (AgentOffline)"]);
    let mut c = joined();
    c.anna().transfers_to_queue_for_sure(1, "billing");
    assert_eq!(c.happened()[..2], ["#1 left by ben", "#1 transferred by anna to billing"]);
}

// proves B12, A15
#[test]
fn a_cold_transfer_sends_the_guests_away_and_a_supervisor_may_be_handed_the_chat() {
    let mut c = consulting();
    c.anna().cancels_transfer(1);
    c.agent("carla").goes(Presence::Available);
    c.agent("carla").acts(SupervisorAct::Join { interaction: chat(1) });
    c.anna().transfers_to(1, "ben");
    c.happened();
    c.ben().accepts();
    assert_eq!(
        c.happened(),
        ["#1 left by carla", "#1 transfer from anna accepted by ben", "#1 notice Transferred"]
    );
    c.agent("carla").acts(SupervisorAct::Join { interaction: chat(1) });
    c.ben().consults(1, "anna");
    c.happened();
    c.ben().hands_over(1, "carla");
    assert_eq!(
        c.happened(),
        [
            "#1 transfer to anna failed (Withdrawn { why: TransferCancelled })",
            "#1 handed over by ben to carla",
            "#1 notice Transferred",
        ],
        "what was asked of another comes to nothing"
    );
    assert_eq!(owner(&c, 1), "carla");
}

// proves B12, A17
#[test]
fn a_guest_who_goes_or_is_lost_leaves() {
    let mut c = joined();
    c.ben().goes(Presence::Offline);
    assert_eq!(c.happened(), ["#1 left by ben", "ben is Offline (Chosen)"]);
    let mut c = joined();
    c.ben().disconnects();
    c.happened();
    c.after(90);
    assert_eq!(c.happened(), ["#1 left by ben", "ben is Offline (Lost)"]);
    assert_eq!(owner(&c, 1), "anna");
}

// proves B12
#[test]
fn a_warm_offer_that_is_rejected_leaves_everything_as_it_was() {
    let mut c = consulting();
    c.ben().rejects();
    assert_eq!(c.happened()[0], "#1 transfer to ben failed (Rejected)");
    assert!(c.seen(1).guests.is_empty());
    assert_eq!((owner(&c, 1), place(&c, 1)), ("anna".to_owned(), Place::Active));
}
