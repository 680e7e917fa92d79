//! A15: a supervisor's hand.

use crate::centre::*;
use crate::staff::*;
use tieline_model::command::{Presence, SupervisorAct};
use tieline_model::live::{Place, Status};
use tieline_model::{Code, Mark, Wish};

/// Sue supervises and serves no queue; she is at her panel.
fn supervised() -> Centre {
    let mut c = Centre::with(|p| {
        adds_agent(p, "sue", &[]);
        of(p, "sue").supervisor = true;
        support(p).block_abusive = true;
    });
    arrives(&mut c, "sue");
    c.happened();
    c
}

fn requeue(n: u128) -> SupervisorAct {
    SupervisorAct::Requeue { interaction: chat(n) }
}

fn finish(n: u128) -> SupervisorAct {
    SupervisorAct::FinishWrapUp { interaction: chat(n) }
}

fn join(n: u128) -> SupervisorAct {
    SupervisorAct::Join { interaction: chat(n) }
}

// proves A15
#[test]
fn only_supervisors_act_and_say_why() {
    let mut c = supervised();
    c.customer(1).starts();
    c.anna().accepts();
    let acts_of_all_kinds = [
        set("ben", Presence::Offline),
        requeue(1),
        assign(1, "ben"),
        finish(1),
        join(1),
        SupervisorAct::Unblock { marks: Default::default() },
    ];
    for act in acts_of_all_kinds {
        c.ben().cannot(Code::NotPermitted, |ben| acts(ben, act.clone()));
        c.customer(1).cannot(Code::NotPermitted, |one| acts(one, act));
    }
    let says =
        |by: By<'_>, reason: &str| by.wishes(Wish::Supervise { act: requeue(1), reason: reason.to_owned() });
    for reason in ["", "   ", &"x".repeat(201)] {
        let refusal = c.agent("sue").cannot(Code::Invalid, |sue| says(sue, reason));
        assert_eq!((refusal.field.as_deref(), refusal.limit), (Some("reason"), Some(200)));
    }
    c.happened();
    says(c.agent("sue"), &format!(" {} ", "ß".repeat(200)));
    assert_eq!(c.happened()[0], format!("sue acted on anna: {}", "ß".repeat(200)));
}

// proves A15, A1
#[test]
fn a_presence_is_set_at_once_even_in_mid_work_and_takes_a_wish_away() {
    let mut c = supervised();
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().goes(on_break("lunch"));
    c.happened();
    acts(c.agent("sue"), set("anna", Presence::StopNew));
    assert_eq!(c.happened(), ["sue acted on anna: because", "anna is StopNew (Supervisor)"]);
    assert_eq!(c.status("anna"), Status::HandlingChat, "the chat goes on");
    c.anna().ends(1);
    c.anna().completes(1);
    assert_eq!(c.presence("anna"), Presence::StopNew);
    let refusal = c.agent("sue").cannot(Code::Invalid, |sue| acts(sue, set("anna", on_break("golf"))));
    assert_eq!(refusal.field.as_deref(), Some("presence.reason"));
    let refusal = c.agent("sue").cannot(Code::NotFound, |sue| acts(sue, set("nobody", Presence::Available)));
    assert_eq!(refusal.field.as_deref(), Some("agent"));
    c.happened();
    acts(c.agent("sue"), set("anna", Presence::StopNew));
    assert_eq!(c.happened(), NOTHING, "it is so already");
}

// proves A15, A10
#[test]
fn a_presence_set_by_a_supervisor_withdraws_the_open_offer() {
    let mut c = supervised();
    c.customer(1).starts();
    c.happened();
    acts(c.agent("sue"), set("anna", on_break("lunch")));
    assert_eq!(
        c.happened()[1..],
        [
            "#1 withdrawn from anna (PresenceLeft)",
            "anna is OnBreak { reason: \"lunch\" } (Supervisor)",
            "#1 offered to ben, v2, for 30000"
        ]
    );
}

// proves A15, A1
#[test]
fn offline_set_by_a_supervisor_gives_everything_back_without_asking() {
    let mut c = supervised();
    c.ben().goes(on_break("lunch"));
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().parks(1);
    c.customer(2).starts();
    c.anna().accepts();
    c.anna().ends(2);
    c.happened();
    acts(c.agent("sue"), set("anna", Presence::Offline));
    assert_eq!(
        c.happened(),
        [
            "sue acted on anna: because",
            "#1 returned from anna (AgentOffline)",
            "#2 completed by Offline",
            "#2 closed Answered, log true",
            "anna is Offline (Supervisor)",
        ]
    );
}

// proves A15, A17
#[test]
fn somebody_set_available_who_is_not_there_is_given_nothing_and_lost_in_the_end() {
    let mut c = supervised();
    c.anna().goes(Presence::Offline);
    c.anna().disconnects();
    c.ben().goes(on_break("lunch"));
    acts(c.agent("sue"), set("anna", Presence::Available));
    c.customer(1).starts();
    c.happened();
    c.after(90);
    assert_eq!(c.happened(), ["anna is Offline (Lost)"]);
}

// proves A15
#[test]
fn a_chat_taken_back_from_a_silent_agent_waits_ahead_and_goes_to_somebody_else() {
    let mut c = supervised();
    c.ben().goes(on_break("lunch"));
    c.customer(1).starts();
    c.anna().accepts();
    c.customer(2).starts();
    c.happened();
    acts(c.agent("sue"), requeue(1));
    assert_eq!(
        c.happened(),
        [
            "sue acted on anna: because",
            "#1 returned from anna (Supervisor)",
            "#2 offered to anna, v1, for 30000"
        ],
        "not straight back to her"
    );
    assert!(waits(&c, 1).ahead);
    c.ben().goes(Presence::Available);
    assert_eq!(last(&mut c), "#1 offered to ben, v2, for 30000");
}

// proves A15, A9
#[test]
fn a_chat_taken_back_from_the_only_agent_comes_again_after_a_pause() {
    let mut c = supervised();
    c.ben().goes(on_break("lunch"));
    c.customer(1).starts();
    c.happened();
    acts(c.agent("sue"), requeue(1));
    assert_eq!(c.happened(), ["sue acted on anna: because", "#1 withdrawn from anna (Supervisor)"]);
    assert_eq!(c.presence("anna"), Presence::Available, "it costs her nothing");
    assert!(waits(&c, 1).ahead, "a chat under offer too");
    c.after(30);
    assert_eq!(c.happened(), ["#1 may go to anna again", "#1 offered to anna, v2, for 30000"]);
    acts(c.agent("sue"), requeue(1));
    c.happened();
    acts(c.agent("sue"), requeue(1));
    assert_eq!(c.happened(), NOTHING, "it waits already");
}

// proves A15
#[test]
fn what_cannot_be_requeued_is_refused_with_the_way_out() {
    let mut c = supervised();
    c.customer(1).starts();
    c.anna().accepts();
    c.anna().ends(1);
    let refusal = c.agent("sue").cannot(Code::WrongState, |sue| acts(sue, requeue(1)));
    assert_eq!(refusal.message, "the chat has ended; its wrap-up can be finished, not requeued");
    c.agent("sue").cannot(Code::WrongState, |sue| acts(sue, assign(1, "ben")));
    c.agent("sue").cannot(Code::WrongState, |sue| acts(sue, join(1)));
    for act in [requeue(9), assign(9, "ben"), join(9)] {
        c.agent("sue").cannot(Code::NotFound, |sue| acts(sue, act));
    }
    c.agent("sue").cannot(Code::WrongState, |sue| acts(sue, finish(9)));
}

// proves A15, A1, A5
#[test]
fn a_chat_is_given_to_an_agent_whatever_presence_and_capacity_say() {
    let mut c = supervised();
    let mut policy = c.policy();
    of(&mut policy, "ben").chat_capacity = 0;
    c.configures(policy);
    let presences = [Presence::StopNew, on_break("lunch"), Presence::Available];
    for (n, presence) in (1..).zip(presences) {
        c.ben().goes(presence.clone());
        c.customer(n).starts();
        acts(c.agent("sue"), assign(n, "ben"));
        assert_eq!(owner(&c, n), Some(agent("ben")), "{presence:?}");
        assert!(matches!(c.seen(n).stage, tieline_engine::Stage::Owned { place: Place::New, .. }));
        c.happened();
        acts(c.agent("sue"), assign(n, "ben"));
        assert_eq!(c.happened(), NOTHING, "it is so already");
    }
}

// proves A15
#[test]
fn a_chat_is_given_only_to_somebody_who_is_there() {
    let mut c = supervised();
    c.customer(1).starts();
    c.ben().disconnects();
    let refusal = c.agent("sue").cannot(Code::TargetUnavailable, |sue| acts(sue, assign(1, "ben")));
    assert_eq!(refusal.message, "the agent is not at a panel; choose one who is");
    c.ben().goes(Presence::Offline);
    let refusal = c.agent("sue").cannot(Code::TargetUnavailable, |sue| acts(sue, assign(1, "ben")));
    assert_eq!(refusal.message, "the agent is Offline; choose one who is at work");
    c.agent("sue").cannot(Code::NotFound, |sue| acts(sue, assign(1, "nobody")));
}

// proves A15
#[test]
fn a_chat_under_offer_or_in_other_hands_moves_with_all_that_hangs_on_it() {
    let mut c = supervised();
    c.customer(1).starts();
    c.happened();
    acts(c.agent("sue"), assign(1, "ben"));
    assert_eq!(
        c.happened(),
        [
            "sue acted on ben: because",
            "#1 withdrawn from anna (Supervisor)",
            "#1 assigned to ben (Supervisor), for no limit"
        ]
    );
    c.ben().activates(1);
    transfers(c.ben(), 1, to_agent("anna", false));
    c.happened();
    acts(c.agent("sue"), assign(1, "anna"));
    assert_eq!(
        c.happened(),
        [
            "sue acted on anna: because",
            "#1 transfer to anna failed (Withdrawn { why: TransferCancelled })",
            "#1 returned from ben (Supervisor)",
            "#1 assigned to anna (Supervisor), for no limit",
        ]
    );
    let seen = c.seen(1);
    assert!(!seen.ahead && seen.declined.is_empty() && seen.transfer.is_none());
}

// proves A15
#[test]
fn who_takes_over_a_chat_is_no_guest_of_it_any_more() {
    let mut c = supervised();
    c.customer(1).starts();
    c.anna().accepts();
    acts(c.agent("sue"), join(1));
    c.happened();
    acts(c.agent("sue"), assign(1, "sue"));
    assert_eq!(
        c.happened(),
        [
            "sue acted on sue: because",
            "#1 left by sue",
            "#1 returned from anna (Supervisor)",
            "#1 assigned to sue (Supervisor), for no limit",
        ]
    );
    assert!(c.seen(1).guests.is_empty());
    assert!(c.engine.agent(&agent("sue")).unwrap().guest_at.is_empty());
    c.agent("sue").activates(1);
    c.agent("sue").writes(1, 3);
    c.agent("sue").ends(1);
    c.agent("sue").completes(1);
    assert_eq!(last(&mut c), "#1 closed Answered, log true");
}

// proves A15, C3
#[test]
fn a_stuck_wrap_up_is_finished_and_a_wish_comes_due() {
    let mut c = supervised();
    c.customer(1).starts();
    c.anna().accepts();
    c.agent("sue").cannot(Code::WrongState, |sue| acts(sue, finish(1)));
    c.anna().goes(on_break("lunch"));
    c.customer(1).ends(1);
    c.happened();
    acts(c.agent("sue"), finish(1));
    assert_eq!(
        c.happened(),
        [
            "sue acted on anna: because",
            "#1 completed by Supervisor, unseen",
            "#1 closed Answered, log true",
            "anna is OnBreak { reason: \"lunch\" } (WishGranted)",
        ]
    );
}

// proves A15
#[test]
fn a_supervisor_joins_reads_along_whispers_and_writes_until_the_end() {
    let mut c = supervised();
    c.customer(1).starts();
    c.agent("sue").cannot(Code::WrongState, |sue| acts(sue, join(1)));
    c.anna().accepts();
    c.agent("sue").cannot(Code::NotFound, |sue| sue.writes(1, 3));
    c.happened();
    acts(c.agent("sue"), join(1));
    assert_eq!(c.happened(), ["sue acted on anna: because", "#1 joined by sue (Supervisor)"]);
    acts(c.agent("sue"), join(1));
    assert_eq!(c.happened(), NOTHING, "twice is once");
    assert_eq!(c.status("sue"), Status::Present { presence: Presence::Available }, "it is not her chat");
    c.agent("sue").wishes(Wish::Whisper { interaction: chat(1), text: text(9) });
    c.anna().wishes(Wish::Whisper { interaction: chat(1), text: text(9) });
    c.agent("sue").writes(1, 3);
    let said = c.happened();
    assert!(said[0].ends_with("whispered by sue") && said[1].ends_with("whispered by anna"), "{said:?}");
    assert!(said[2].ends_with("from Agent"), "{said:?}");
    c.agent("sue").cannot(Code::NotFound, |sue| sue.ends(1));
    c.customer(1).ends(1);
    assert_eq!(c.happened()[0], "#1 left by sue");
    c.agent("sue").cannot(Code::NotFound, |sue| sue.writes(1, 3));
}

// proves A15, A17
#[test]
fn a_supervisor_who_is_lost_leaves_and_the_chat_goes_on() {
    let mut c = supervised();
    c.customer(1).starts();
    c.anna().accepts();
    acts(c.agent("sue"), join(1));
    disconnects_at(&mut c, "sue", 1);
    c.happened();
    c.after(90);
    assert_eq!(c.happened(), ["#1 left by sue", "sue is Offline (Lost)"]);
    assert_eq!(owner(&c, 1), Some(agent("anna")));
}

// proves A15, C7
#[test]
fn a_blocked_visitor_is_let_in_again() {
    let mut c = supervised();
    let marked = With { marks: &["m1"], ..With::default() };
    starts_with(&mut c, 1, "support", &marked);
    c.anna().accepts();
    c.anna().wishes(Wish::FlagAbuse { interaction: chat(1), note: None });
    c.customer(2).cannot(Code::Blocked, |two| wishes_chat(two, 2, "support", &marked));
    let unblock = |mark: &str| SupervisorAct::Unblock { marks: [Mark::new(mark).unwrap()].into() };
    c.happened();
    acts(c.agent("sue"), unblock("m2"));
    assert_eq!(c.happened(), NOTHING, "nobody of this mark is blocked");
    acts(c.agent("sue"), unblock("m1"));
    assert_eq!(c.happened(), ["sue acted: because"]);
    starts_with(&mut c, 2, "support", &marked);
}
