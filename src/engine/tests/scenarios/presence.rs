//! A1, A10, and what a restart leaves of timers (F2).

use crate::centre::*;
use tieline_model::Code;
use tieline_model::command::Presence;
use tieline_model::live::Status;

// proves A1
#[test]
fn status_follows_work_before_presence() {
    let mut c = Centre::new();
    assert_eq!(c.status("anna"), Status::Present { presence: Presence::Available });
    c.customer(1).starts();
    assert_eq!(c.status("anna"), Status::Offered);
    c.anna().accepts();
    assert_eq!(c.status("anna"), Status::HandlingChat);
    c.call("c1").answered_by("anna");
    assert_eq!(c.status("anna"), Status::OnCall);
    c.call("c1").ends();
    c.anna().activates(1);
    c.anna().ends(1);
    assert_eq!(c.status("anna"), Status::WrapUp);
    c.anna().parks(1);
    assert_eq!(
        c.status("anna"),
        Status::Present { presence: Presence::Available },
        "only an active wrap-up shows"
    );
}

// proves A1
#[test]
fn a_presence_chosen_during_work_waits_until_the_active_item_ends_and_the_last_wins() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.anna().accepts();
    c.happened();
    c.anna().goes(on_break("lunch"));
    c.anna().goes(Presence::StopNew);
    assert_eq!(c.status("anna"), Status::HandlingChat);
    assert_eq!(c.presence("anna"), Presence::Available);
    c.anna().ends(1);
    c.anna().completes(1);
    assert_eq!(
        c.happened(),
        [
            "anna wishes Some(OnBreak { reason: \"lunch\" })",
            "anna wishes Some(StopNew)",
            "#1 ended by Agent",
            "#1 wrap-up of anna, runs 60000, has 60000",
            "#1 completed by Agent",
            "#1 closed Answered, log true",
            "anna is StopNew (WishGranted)",
        ]
    );
}

// proves A1
#[test]
fn wishing_for_the_presence_one_has_takes_the_wish_back() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().goes(Presence::StopNew);
    c.happened();
    c.anna().goes(Presence::Available);
    assert_eq!(c.happened(), ["anna wishes None"]);
}

// proves A1
#[test]
fn a_wish_comes_due_when_the_call_is_over() {
    let mut c = Centre::new();
    c.call("c1").answered_by("anna");
    c.anna().goes(on_break("lunch"));
    assert_eq!(c.presence("anna"), Presence::Available);
    c.call("c1").ends();
    assert_eq!(c.presence("anna"), on_break("lunch"));
}

// proves A1
#[test]
fn a_wish_comes_due_when_the_item_was_parked_first_and_then_done() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().goes(on_break("lunch"));
    c.anna().ends(1);
    c.anna().parks(1);
    c.anna().completes(1);
    assert_eq!(c.presence("anna"), on_break("lunch"));
    assert_eq!(c.engine.agent(&agent("anna")).unwrap().wish, None);
}

// proves A1
#[test]
fn going_offline_with_open_chats_asks_first() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.anna().accepts();
    let refusal = c.anna().cannot(Code::NeedsConfirmation, |anna| anna.goes(Presence::Offline));
    assert_eq!(refusal.limit, Some(1));
}

// proves A1, A11
#[test]
fn going_offline_for_sure_requeues_chats_and_completes_wrap_ups() {
    let mut c = Centre::new();
    c.ben().goes(Presence::StopNew);
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().parks(1);
    c.customer(2).starts();
    c.anna().accepts();
    c.anna().ends(2);
    c.happened();
    c.anna().goes_offline_for_sure();
    assert_eq!(
        c.happened(),
        [
            "#1 returned from anna (AgentOffline)",
            "#2 completed by Offline",
            "#2 closed Answered, log true",
            "anna is Offline (Chosen)",
        ]
    );
    c.ben().goes(Presence::Available);
    assert_eq!(c.happened(), ["ben is Available (Chosen)", "#1 offered to ben, v2, for 30000"]);
}

// proves A1
#[test]
fn stop_new_finishes_what_is_open_and_takes_nothing() {
    let mut c = Centre::with(|p| support(p).delivery = tieline_model::policy::Delivery::Pull);
    c.customer(1).starts();
    c.anna().takes(1);
    c.anna().goes(Presence::StopNew);
    c.customer(2).starts();
    c.anna().cannot(Code::WrongState, |anna| anna.takes(2));
    c.anna().activates(1);
    c.anna().writes(1, 5);
}

// proves A1
#[test]
fn a_break_needs_a_reason_of_the_list() {
    let mut c = Centre::new();
    let refusal = c.anna().cannot(Code::Invalid, |anna| anna.goes(on_break("golf")));
    assert_eq!(refusal.field.as_deref(), Some("presence.reason"));
}

// proves A1
#[test]
fn an_agent_who_leaves_the_settings_leaves_no_wish_behind() {
    let mut c = Centre::closed(|_| {});
    c.call("c1").answered_by("anna");
    c.anna().goes(Presence::Available);
    let mut policy = c.policy();
    let record = policy.agents.remove(&agent("anna")).unwrap();
    c.configures(policy.clone());
    c.call("c1").ends();
    policy.agents.insert(agent("anna"), record);
    c.configures(policy);
    assert_eq!(c.presence("anna"), Presence::Offline);
}

// proves A10
#[test]
fn leaving_available_withdraws_the_offer_and_is_no_miss() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.happened();
    c.anna().goes(on_break("lunch"));
    assert_eq!(
        c.happened(),
        [
            "#1 withdrawn from anna (PresenceLeft)",
            "anna is OnBreak { reason: \"lunch\" } (Chosen)",
            "#1 offered to ben, v2, for 30000",
        ]
    );
}

// proves A10
#[test]
fn a_break_for_an_unopened_chat_withdraws_the_open_offer_too() {
    let mut c = Centre::with(|p| {
        let mut quick = support(p).clone();
        quick.delivery = tieline_model::policy::Delivery::Auto;
        quick.offer_when = tieline_model::policy::OfferWhen::BelowCapacity;
        p.queues.insert(queue("quick"), quick);
        support(p).offer_when = tieline_model::policy::OfferWhen::BelowCapacity;
        support(p).accept_within = tieline_model::Millis::secs(300);
        of(p, "anna").queues.insert(queue("quick"));
        of(p, "ben").queues.clear();
    });
    c.customer(1).starts_in("quick");
    c.customer(2).starts();
    c.happened();
    c.after(60);
    assert_eq!(
        c.happened(),
        [
            "#1 returned from anna (Unopened)",
            "#2 withdrawn from anna (PresenceLeft)",
            "anna is OnBreak { reason: \"missed\" } (Missed)",
        ]
    );
}

// proves F2
#[test]
fn timers_have_the_time_they_had_before_the_downtime() {
    let mut c = Centre::with(|p| of(p, "ben").queues.clear());
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().ends(1);
    c.after(20);
    c.happened();
    c.restarts_after(3_600);
    c.after_ms(39_999);
    assert_eq!(c.happened(), ["resumed after 3600000"]);
    c.after_ms(1);
    assert_eq!(c.happened(), ["#1 completed by Timer", "#1 closed Answered, log true"]);
}

// proves F2, A4
#[test]
fn an_offer_runs_on_after_a_restart_and_costs_nothing_while_the_panel_is_away() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.after(10);
    c.restarts_after(60);
    c.happened();
    c.after_ms(19_999);
    assert_eq!(c.happened(), Vec::<String>::new());
    c.after_ms(1);
    assert_eq!(c.happened(), ["#1 withdrawn from anna (AgentLost)"]);
    c.ben().connects();
    assert_eq!(c.happened(), ["ben connected", "#1 offered to ben, v2, for 30000"]);
}

// proves F5
#[test]
fn only_the_daemon_or_the_agent_takes_a_session_away() {
    let mut c = Centre::new();
    let session = *c.engine.agent(&agent("anna")).unwrap().sessions.first().unwrap();
    let wish = tieline_model::Wish::Disconnect { agent: agent("anna"), session };
    let by = tieline_model::Actor::Agent { agent: agent("ben") };
    let command = tieline_model::Command { id: tieline_model::CommandId::new("x").unwrap(), by, wish };
    assert_eq!(c.engine.decide(c.now, &command).unwrap_err().code, Code::NotPermitted);
    c.anna().disconnects();
}

// proves F3, A10
#[test]
fn a_drain_takes_offers_back_and_they_come_again_in_their_order_after_the_restart() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.customer(2).starts();
    c.after(10);
    c.happened();
    c.drains();
    assert_eq!(c.happened(), ["#1 withdrawn from anna (Stopping)", "#2 withdrawn from ben (Stopping)"]);
    assert_eq!(c.presence("anna"), Presence::Available, "a drain is nobody's miss");
    c.drains();
    assert_eq!(c.happened(), Vec::<String>::new(), "twice is once");
    c.restarts_after(60);
    c.ben().connects();
    c.anna().connects();
    assert_eq!(
        c.happened(),
        [
            "resumed after 60000",
            "ben connected",
            "#1 offered to ben, v2, for 30000",
            "anna connected",
            "#2 offered to anna, v2, for 30000"
        ],
        "the chats kept their places in the line, and have the whole time again"
    );
}

// proves F3
#[test]
fn a_drain_leaves_chats_and_their_timers_alone() {
    let mut c = Centre::with(|p| of(p, "ben").queues.clear());
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().ends(1);
    c.after(20);
    c.happened();
    c.drains();
    c.restarts_after(3_600);
    c.after_ms(39_999);
    assert_eq!(c.happened(), ["resumed after 3600000"]);
    c.after_ms(1);
    assert_eq!(c.happened(), ["#1 completed by Timer", "#1 closed Answered, log true"]);
}
