//! B12: handing a chat on, to a queue and to an agent.

use crate::centre::*;
use crate::verbs::*;
use tieline_model::command::Presence;
use tieline_model::crm::{Channel, Side};
use tieline_model::live::{Place, Status};
use tieline_model::policy::{
    After, Delivery, FullLimit, OverflowTo, ParkOn, TenantPolicy, TransferUnavailable,
};
use tieline_model::{Code, Wish};

/// Anna has chat 1, active; Ben is Available with nothing; Carla serves "billing" and is Available.
fn handling() -> Centre {
    handling_with(|_| {})
}

fn handling_with(change: impl FnOnce(&mut TenantPolicy)) -> Centre {
    let mut c = Centre::with(|p| {
        with_billing(p);
        p.queues.get_mut(&queue("billing")).unwrap().overflow.closed = OverflowTo::Wait;
        change(p);
    });
    c.agent("carla").connects();
    c.agent("carla").goes(Presence::Available);
    c.customer(1).starts();
    c.anna().accepts();
    c.after(5);
    c.happened();
    c
}

fn nothing() -> Vec<String> {
    Vec::new()
}

// proves B12
#[test]
fn a_chat_goes_to_a_queue_at_once_and_the_customer_is_told_once() {
    let mut c = handling();
    c.anna().transfers_to_queue(1, "billing");
    assert_eq!(
        c.happened(),
        ["#1 transferred by anna to billing", "#1 notice Transferred", "#1 offered to carla, v2, for 30000",]
    );
    assert_eq!(c.status("anna"), Status::Present { presence: Presence::Available });
    assert!(c.engine.inbox(&agent("anna")).next().is_none());
    c.anna().cannot(Code::NotFound, |anna| anna.writes(1, 1));
    c.agent("carla").accepts();
    assert_eq!((owner(&c, 1), place(&c, 1)), ("carla".to_owned(), Place::Active));
    assert_eq!(c.happened(), ["#1 accepted by carla"], "told once");
}

// proves B12, A11
#[test]
fn a_transferred_chat_waits_by_its_original_start() {
    let mut c = handling_with(|p| {
        of(p, "carla").chat_capacity = 1;
    });
    let came = c.seen(1).started_at;
    c.customer(2).starts_in("billing");
    c.agent("carla").accepts();
    c.customer(3).starts_in("billing");
    c.anna().transfers_to_queue(1, "billing");
    assert_eq!(c.engine.queue_waiting(&queue("billing")), [chat(1), chat(3)], "it came first");
    assert_eq!(c.seen(1).started_at, came);
}

// proves B12
#[test]
fn who_sends_a_chat_to_a_queue_does_not_get_it_back_at_once() {
    let mut c = handling();
    c.ben().goes(on_break("lunch"));
    c.happened();
    c.anna().transfers_to_queue(1, "support");
    assert_eq!(c.happened(), ["#1 transferred by anna to support", "#1 notice Transferred"]);
    c.after(30);
    assert_eq!(
        c.happened(),
        ["#1 may go to anna again", "#1 offered to anna, v2, for 30000"],
        "nobody else came, and it does not starve"
    );
}

/// "billing" in trouble: closed, without an agent at work, or full.
fn in_trouble(trouble: &str, policy: TransferUnavailable) -> Centre {
    let mut c = handling_with(|p| {
        let billing = p.queues.get_mut(&queue("billing")).unwrap();
        billing.transfer_unavailable = policy;
        match trouble {
            "closed" => billing.hours = Some("office".parse().unwrap()),
            "full" => billing.overflow.full = Some(FullLimit { chats: 1, then: OverflowTo::Wait }),
            "unstaffed" => {}
            other => panic!("{other}"),
        }
    });
    if trouble == "unstaffed" {
        c.agent("carla").goes(Presence::Offline);
    }
    if trouble == "full" {
        c.agent("carla").goes(on_break("lunch"));
        c.customer(2).starts_in("billing");
    }
    c.happened();
    c
}

// proves B12
#[test]
fn a_target_that_cannot_serve_is_told_before_the_chat_leaves() {
    for (trouble, word) in
        [("closed", "is closed"), ("unstaffed", "without an agent at work"), ("full", "is full")]
    {
        let mut c = in_trouble(trouble, TransferUnavailable::Ask);
        let refusal = c.anna().cannot(Code::NeedsConfirmation, |anna| anna.transfers_to_queue(1, "billing"));
        assert!(refusal.message.contains(word), "{refusal:?}");
        assert_eq!(refusal.field.as_deref(), Some("to.queue"));
        assert_eq!(owner(&c, 1), "anna", "it has not left");
        c.anna().transfers_to_queue_for_sure(1, "billing");
        assert_eq!(c.happened()[0], "#1 transferred by anna to billing");

        let mut c = in_trouble(trouble, TransferUnavailable::Refuse);
        for confirmed in [false, true] {
            c.anna().cannot(Code::TargetUnavailable, |anna| {
                if confirmed {
                    anna.transfers_to_queue_for_sure(1, "billing");
                } else {
                    anna.transfers_to_queue(1, "billing");
                }
            });
        }

        let mut c = in_trouble(trouble, TransferUnavailable::Allow);
        c.anna().transfers_to_queue(1, "billing");
        assert_eq!(c.engine.chat(chat(1)).unwrap().queue, Some(queue("billing")));
    }
}

// proves B12, A12
#[test]
fn a_confirmed_transfer_into_a_closed_queue_follows_that_queue_s_overflow() {
    let mut c = handling_with(|p| {
        let billing = p.queues.get_mut(&queue("billing")).unwrap();
        billing.hours = Some("office".parse().unwrap());
        billing.overflow.closed = OverflowTo::Queue { queue: queue("support") };
    });
    c.anna().transfers_to_queue_for_sure(1, "billing");
    assert_eq!(
        c.happened(),
        [
            "#1 transferred by anna to billing",
            "#1 notice Transferred",
            "#1 overflowed from billing to support (Closed)",
            "#1 notice Overflowed",
            "#1 offered to ben, v2, for 30000",
        ]
    );
}

// proves B12
#[test]
fn a_queue_or_agent_that_is_not_there_is_named() {
    let mut c = handling();
    let refusal = c.anna().cannot(Code::NotFound, |anna| anna.transfers_to_queue(1, "nowhere"));
    assert_eq!(refusal.field.as_deref(), Some("to.queue"));
    let refusal = c.anna().cannot(Code::NotFound, |anna| anna.transfers_to(1, "nobody"));
    assert_eq!(refusal.field.as_deref(), Some("to.agent"));
    c.anna().cannot(Code::Invalid, |anna| anna.transfers_to(1, "anna"));
    c.ben().cannot(Code::NotFound, |ben| ben.transfers_to(1, "carla"));
    c.customer(1).cannot(Code::NotPermitted, |one| one.transfers_to(1, "ben"));
}

// proves B12, A4
#[test]
fn a_transfer_to_an_agent_is_an_offer_and_the_sender_owns_until_it_is_accepted() {
    let mut c = handling();
    c.anna().transfers_to(1, "ben");
    assert_eq!(c.happened(), ["#1 transfer offered by anna to ben, for 30000"]);
    assert_eq!((c.status("anna"), c.status("ben")), (Status::HandlingChat, Status::Offered));
    assert_eq!((c.engine.load(&agent("anna")), c.engine.load(&agent("ben"))), (1, 1), "capacity is reserved");
    c.anna().writes(1, 5);
    c.ben().cannot(Code::NotFound, |ben| ben.writes(1, 5));
    c.happened();
    c.ben().accepts();
    assert_eq!(
        c.happened(),
        ["#1 transfer from anna accepted by ben", "#1 notice Transferred"],
        "the customer is told once"
    );
    assert_eq!((owner(&c, 1), place(&c, 1)), ("ben".to_owned(), Place::Active));
    assert_eq!(c.engine.load(&agent("anna")), 0);
    c.ben().writes(1, 5);
    c.anna().cannot(Code::NotFound, |anna| anna.writes(1, 5));
}

// proves B12, B1
#[test]
fn accepting_a_transfer_parks_what_was_active() {
    let mut c = handling_with(|p| support(p).offer_when = tieline_model::policy::OfferWhen::BelowCapacity);
    c.customer(2).starts();
    c.ben().accepts();
    c.happened();
    c.anna().transfers_to(1, "ben");
    c.ben().accepts();
    assert_eq!(
        c.happened(),
        [
            "#1 transfer offered by anna to ben, for 30000",
            "#2 parked for ben by Activation, left none",
            "#1 transfer from anna accepted by ben",
            "#1 notice Transferred",
        ],
        "what Ben works on does not stand in the way: a colleague asks"
    );
    assert_eq!((place(&c, 1), place(&c, 2)), (Place::Active, Place::Parked));
}

// proves B12
#[test]
fn a_rejected_or_missed_transfer_leaves_the_chat_with_its_sender() {
    let mut c = handling();
    c.anna().transfers_to(1, "ben");
    c.happened();
    c.ben().rejects();
    assert_eq!(
        c.happened(),
        ["#1 transfer to ben failed (Rejected)", "ben is OnBreak { reason: \"rejected\" } (Rejected)"]
    );
    assert_eq!((owner(&c, 1), place(&c, 1)), ("anna".to_owned(), Place::Active));
    c.ben().goes(Presence::Available);
    c.anna().transfers_to(1, "ben");
    c.happened();
    c.after(30);
    assert_eq!(
        c.happened(),
        ["#1 transfer to ben failed (Missed)", "ben is OnBreak { reason: \"missed\" } (Missed)"]
    );
    assert_eq!(owner(&c, 1), "anna");
    let today = c.engine.agent(&agent("ben")).unwrap().today;
    assert_eq!((today.rejected, today.missed), (1, 1));
    assert!(c.engine.chat(chat(1)).unwrap().transfer.is_none());
}

// proves B12, A6
#[test]
fn who_may_not_reject_may_not_reject_a_transfer() {
    let mut c = handling_with(|p| of(p, "ben").may_reject = false);
    c.anna().transfers_to(1, "ben");
    let offer = c.offer("ben");
    c.ben().cannot(Code::NotPermitted, |ben| ben.rejects_offer(offer));
}

// proves B12, A4
#[test]
fn an_answer_that_comes_too_late_learns_what_became_of_the_transfer() {
    let mut c = handling_with(|p| {
        support(p).after_miss = After::Stay;
        support(p).after_reject = After::Stay;
    });
    c.anna().transfers_to(1, "ben");
    let missed = c.offer("ben");
    c.late_by(30);
    c.ben().cannot(Code::Expired, |ben| ben.accepts_offer(missed));
    c.ben().cannot(Code::Expired, |ben| ben.rejects_offer(missed));
    c.after(0);
    c.ben().cannot(Code::Expired, |ben| ben.accepts_offer(missed));
    c.anna().transfers_to(1, "ben");
    let withdrawn = c.offer("ben");
    c.anna().cancels_transfer(1);
    c.ben().cannot(Code::Withdrawn, |ben| ben.accepts_offer(withdrawn));
    c.anna().transfers_to(1, "ben");
    let rejected = c.offer("ben");
    c.ben().rejects();
    c.happened();
    c.ben().rejects_offer(rejected);
    assert_eq!(c.happened(), nothing(), "rejected is rejected");
    c.ben().cannot(Code::WrongState, |ben| ben.accepts_offer(rejected));
    c.anna().transfers_to(1, "ben");
    let accepted = c.offer("ben");
    c.ben().accepts();
    c.happened();
    c.ben().accepts_offer(accepted);
    assert_eq!(c.happened(), nothing(), "twice gives one owner");
    c.agent("carla").cannot(Code::NotFound, |carla| carla.accepts_offer(accepted));
}

// proves B12
#[test]
fn a_transfer_is_taken_back_without_cost() {
    let mut c = handling();
    c.anna().cancels_transfer(1);
    assert_eq!(c.happened(), nothing(), "there is none");
    c.anna().transfers_to(1, "ben");
    c.happened();
    c.anna().cancels_transfer(1);
    assert_eq!(c.happened(), ["#1 transfer to ben failed (Withdrawn { why: TransferCancelled })"]);
    assert_eq!(c.presence("ben"), Presence::Available);
    assert_eq!(c.engine.agent(&agent("ben")).unwrap().today.missed, 0);
    c.ben().cannot(Code::NotFound, |ben| ben.cancels_transfer(1));
}

// proves B12
#[test]
fn one_transfer_at_a_time() {
    let mut c = handling();
    c.anna().transfers_to(1, "ben");
    c.anna().cannot(Code::WrongState, |anna| anna.transfers_to(1, "carla"));
    c.anna().cannot(Code::WrongState, |anna| anna.transfers_to_queue(1, "billing"));
    c.anna().cancels_transfer(1);
    c.anna().transfers_to(1, "carla");
}

// proves B12
#[test]
fn a_note_goes_along_and_has_a_limit() {
    let mut c = handling();
    let refusal = c.anna().cannot(Code::TooLong, |anna| anna.transfers_with_note(1, "ben", 2_001));
    assert_eq!((refusal.field.as_deref(), refusal.limit), (Some("note"), Some(2_000)));
    c.anna().transfers_with_note(1, "ben", 2_000);
    assert_eq!(c.seen(1).transfer.as_ref().unwrap().note, Some(text(2_000)));
}

// proves B12
#[test]
fn wrap_ups_are_not_transferred() {
    let mut c = handling();
    c.anna().ends(1);
    c.anna().cannot(Code::WrongState, |anna| anna.transfers_to(1, "ben"));
    c.anna().cannot(Code::WrongState, |anna| anna.transfers_to_queue(1, "billing"));
    c.anna().cannot(Code::WrongState, |anna| anna.hands_over(1, "ben"));
}

/// What makes Ben no target, and the words for it.
fn ruled_out(reason: &str) -> (Centre, &'static str) {
    let mut c = handling_with(|p| {
        if reason == "load" {
            support(p).units = 2;
        }
    });
    let word = match reason {
        "offline" => {
            c.ben().goes(Presence::Offline);
            "is Offline"
        }
        "break" => {
            c.ben().goes(on_break("lunch"));
            "is On Break"
        }
        "stop new" => {
            c.ben().goes(Presence::StopNew);
            "is Stop New"
        }
        "panel" => {
            c.ben().disconnects();
            "is not at a panel"
        }
        "wish" => {
            c.customer(2).starts();
            c.ben().accepts();
            c.ben().goes(on_break("lunch"));
            "takes no more chats"
        }
        "channel" => {
            let channels = [Channel::Call].into();
            c.ben().wishes(Wish::SetAvailability { channels, queues: None });
            "takes no chats"
        }
        "offer" => {
            c.customer(2).starts();
            "is being offered another chat"
        }
        "offer elsewhere" => {
            // Only for a queue that is not this chat's, and under offer there.
            let mut p = c.policy();
            of(&mut p, "ben").queues.insert(queue("billing"));
            c.configures(p);
            let channels = [Channel::Chat].into();
            c.ben().wishes(Wish::SetAvailability { channels, queues: Some([queue("billing")].into()) });
            c.agent("carla").goes(Presence::Offline);
            c.customer(2).starts_in("billing");
            assert_eq!(c.status("ben"), Status::Offered);
            "is being offered another chat"
        }
        "call" => {
            c.call("c1").rings_at(&["ben"]);
            "is on a call"
        }
        // Two units each: one chat leaves one unit of three.
        "load" => {
            c.customer(2).starts();
            c.ben().accepts();
            "has no capacity left"
        }
        other => panic!("{other}"),
    };
    c.happened();
    (c, word)
}

// proves B12, A1, A2, A5
#[test]
fn an_agent_who_may_not_be_given_it_is_no_target_and_the_sender_learns_why() {
    let reasons = [
        "offline",
        "break",
        "stop new",
        "panel",
        "wish",
        "channel",
        "offer",
        "offer elsewhere",
        "call",
        "load",
    ];
    for reason in reasons {
        let (mut c, word) = ruled_out(reason);
        for warm in [false, true] {
            let refusal = c.anna().cannot(Code::TargetUnavailable, |anna| {
                if warm { anna.consults(1, "ben") } else { anna.transfers_to(1, "ben") }
            });
            assert!(refusal.message.contains(word), "{reason}: {refusal:?}");
            assert_eq!(refusal.field.as_deref(), Some("to.agent"));
        }
    }
}

// proves B12, A2
#[test]
fn being_available_for_some_queues_only_is_about_what_comes_by_itself() {
    let mut c = handling_with(|p| {
        of(p, "ben").queues.insert(queue("billing"));
    });
    let (channels, queues) = ([Channel::Chat].into(), Some([queue("billing")].into()));
    c.ben().wishes(Wish::SetAvailability { channels, queues });
    c.happened();
    c.anna().transfers_to(1, "ben");
    c.ben().accepts();
    assert_eq!(owner(&c, 1), "ben");
}

/// Ben is offered Anna's chat; something happens at Ben's.
fn what_loses_the_target(happens: impl FnOnce(&mut Centre)) -> (Vec<String>, Centre) {
    let mut c = handling_with(|p| p.calls.park_on = ParkOn::Answered);
    c.anna().transfers_to(1, "ben");
    c.happened();
    happens(&mut c);
    assert_eq!(owner(&c, 1), "anna");
    let today = c.engine.agent(&agent("ben")).unwrap().today;
    assert_eq!((today.rejected, today.missed), (0, 0), "it costs nothing");
    (c.happened(), c)
}

// proves B12, A8, A10, F3
#[test]
fn a_target_that_is_lost_gives_the_transfer_up_without_cost() {
    let (happened, _) = what_loses_the_target(|c| c.ben().goes(Presence::Offline));
    assert_eq!(happened[0], "#1 transfer to ben failed (Withdrawn { why: PresenceLeft })");
    let (happened, _) = what_loses_the_target(|c| c.ben().goes(Presence::StopNew));
    assert_eq!(happened[0], "#1 transfer to ben failed (Withdrawn { why: PresenceLeft })");
    let (happened, _) = what_loses_the_target(|c| c.call("c1").rings_at(&["ben"]));
    assert_eq!(happened[0], "#1 transfer to ben failed (Withdrawn { why: Call })");
    let (happened, _) = what_loses_the_target(|c| c.call("c1").dialled_by("ben"));
    assert_eq!(happened[0], "#1 transfer to ben failed (Withdrawn { why: Call })");
    let (happened, _) = what_loses_the_target(Centre::drains);
    assert_eq!(happened[0], "#1 transfer to ben failed (Withdrawn { why: Stopping })");
    let (happened, c) = what_loses_the_target(|c| {
        c.ben().disconnects();
        c.after(20);
    });
    assert_eq!(
        happened,
        ["ben disconnected", "#1 transfer to ben failed (Withdrawn { why: AgentLost })"],
        "at the end of the grace"
    );
    assert_eq!(c.presence("ben"), Presence::Available);
    let (happened, _) = what_loses_the_target(|c| {
        let mut p = c.policy();
        p.agents.remove(&agent("ben"));
        c.configures(p);
    });
    assert_eq!(happened[0], "#1 transfer to ben failed (Withdrawn { why: Settings })");
}

// proves B12, A8
#[test]
fn a_transfer_whose_target_has_no_panel_at_its_deadline_is_not_missed() {
    let (happened, c) = what_loses_the_target(|c| {
        c.after(15);
        c.ben().disconnects();
        c.after(15);
    });
    assert_eq!(happened.last().unwrap(), "#1 transfer to ben failed (Withdrawn { why: AgentLost })");
    assert_eq!(c.presence("ben"), Presence::Available);
}

/// Ben is offered Anna's chat; something happens at Anna's.
fn while_it_is_offered(happens: impl FnOnce(&mut Centre)) -> (Vec<String>, Centre) {
    let mut c = handling();
    c.anna().transfers_to(1, "ben");
    c.happened();
    happens(&mut c);
    (c.happened(), c)
}

// proves B12, A17
#[test]
fn a_sender_who_loses_the_chat_takes_the_transfer_along() {
    let (happened, _) = while_it_is_offered(|c| c.anna().goes_offline_for_sure());
    assert_eq!(
        happened,
        [
            "#1 transfer to ben failed (Withdrawn { why: TransferCancelled })",
            "#1 returned from anna (AgentOffline)",
            "anna is Offline (Chosen)",
            "#1 offered to ben, v2, for 30000",
        ]
    );
    // The agent is gone, and so is the transfer that waits longer than that.
    let mut c = handling_with(|p| support(p).accept_within = tieline_model::Millis::secs(300));
    c.anna().transfers_to(1, "ben");
    c.anna().disconnects();
    c.happened();
    c.after(90);
    assert_eq!(
        c.happened(),
        [
            "#1 transfer to ben failed (Withdrawn { why: TransferCancelled })",
            "#1 returned from anna (AgentLost)",
            "#1 notice AgentLost",
            "anna is Offline (Lost)",
            "#1 offered to ben, v2, for 300000",
        ]
    );
}

// proves B12, B13
#[test]
fn an_end_by_either_side_ends_the_transfer() {
    let (happened, c) = while_it_is_offered(|c| c.customer(1).ends(1));
    assert_eq!(happened[0], "#1 transfer to ben failed (Withdrawn { why: CustomerLeft })");
    assert_eq!(happened[1], "#1 ended by Customer");
    assert_eq!(c.status("ben"), Status::Present { presence: Presence::Available });
    let (happened, c) = while_it_is_offered(|c| c.anna().ends(1));
    assert_eq!(happened[0], "#1 transfer to ben failed (Withdrawn { why: TransferCancelled })");
    assert_eq!((owner(&c, 1), c.status("anna")), ("anna".to_owned(), Status::WrapUp));
}

// proves B12, B2, B4
#[test]
fn parking_and_calls_of_the_sender_do_not_touch_the_transfer() {
    let (_, mut c) = while_it_is_offered(|c| c.anna().parks(1));
    c.ben().accepts();
    assert_eq!((owner(&c, 1), place(&c, 1)), ("ben".to_owned(), Place::Active));
    let (_, mut c) = while_it_is_offered(|c| c.call("c1").answered_by("anna"));
    c.ben().accepts();
    assert_eq!((owner(&c, 1), place(&c, 1)), ("ben".to_owned(), Place::Active));
    c.call("c1").ends();
    assert!(c.engine.agent(&agent("anna")).unwrap().active.is_none(), "what the call parked is gone");
}

// proves B12, A3
#[test]
fn a_chat_that_goes_back_unopened_takes_its_transfer_along() {
    let mut c = Centre::with(|p| {
        support(p).delivery = Delivery::Auto;
        support(p).accept_within = tieline_model::Millis::secs(300);
        support(p).after_miss = After::Stay;
    });
    c.customer(1).starts();
    c.anna().transfers_to(1, "ben");
    c.happened();
    c.after(60);
    assert_eq!(
        c.happened(),
        [
            "#1 transfer to ben failed (Withdrawn { why: TransferCancelled })",
            "#1 returned from anna (Unopened)",
            "#1 assigned to ben (Auto), for 60000",
        ]
    );
    assert!(c.seen(1).transfer.is_none());
    assert!(c.engine.agent(&agent("ben")).unwrap().offered.is_none(), "nothing is left behind");
}

// proves B12, A1
#[test]
fn a_pending_wish_of_the_sender_comes_due_when_the_chat_has_gone() {
    let mut c = handling();
    c.anna().goes(on_break("lunch"));
    c.happened();
    c.anna().transfers_to(1, "ben");
    assert_eq!(c.presence("anna"), Presence::Available, "not while it is offered");
    c.ben().accepts();
    assert_eq!(c.presence("anna"), on_break("lunch"));
    let mut c = handling();
    c.anna().goes(on_break("lunch"));
    c.anna().transfers_to_queue(1, "billing");
    assert_eq!(c.presence("anna"), on_break("lunch"));
    let mut c = handling();
    c.anna().goes(on_break("lunch"));
    c.call("c1").answered_by("anna");
    c.anna().transfers_to_queue(1, "billing");
    assert_eq!(c.presence("anna"), Presence::Available, "a call is work too");
    c.call("c1").ends();
    assert_eq!(c.presence("anna"), on_break("lunch"));
}

// proves B12, G1
#[test]
fn each_leg_counts_for_its_agent_and_its_queue() {
    let mut c = handling();
    c.anna().transfers_to(1, "ben");
    c.ben().accepts();
    c.ben().transfers_to_queue(1, "billing");
    c.agent("carla").accepts();
    let today = |c: &Centre, name: &str| c.engine.agent(&agent(name)).unwrap().today;
    let figures = |c: &Centre, name: &str| c.engine.figures(&queue(name)).today;
    for name in ["anna", "ben", "carla"] {
        assert_eq!(today(&c, name).chats, 1, "{name}");
        assert_eq!(today(&c, name).transferred, u32::from(name != "carla"), "{name}");
    }
    for name in ["support", "billing"] {
        assert_eq!((figures(&c, name).came, figures(&c, name).answered), (1, 1), "{name}");
        assert_eq!(figures(&c, name).connected_in_time, 1, "{name}");
    }
    c.agent("carla").parks(1);
    c.agent("carla").activates(1);
    assert_eq!(today(&c, "carla").chats, 1, "having it in hand again is no further chat");
}

// proves B12, G1
#[test]
fn one_who_leaves_before_the_second_queue_served_has_abandoned_there() {
    let mut c = handling();
    c.agent("carla").goes(on_break("lunch"));
    c.anna().transfers_to_queue(1, "billing");
    c.happened();
    c.customer(1).ends(1);
    assert_eq!(c.happened(), ["#1 ended by Customer", "#1 closed Answered, log true"]);
    let figures = |name: &str| c.engine.figures(&queue(name)).today;
    assert_eq!((figures("billing").abandoned, figures("support").abandoned), (1, 0));
}

/// Whether the agent is the one who had the chat last.
fn last_with(c: &Centre, n: u128, by: &str) -> bool {
    c.seen(n).last_agent == Some(agent(by))
}

// proves B12
#[test]
fn who_had_it_last_is_known_while_it_waits_again() {
    let mut c = handling();
    c.anna().transfers_to(1, "ben");
    assert!(last_with(&c, 1, "anna"), "an offer moves nothing");
    c.ben().accepts();
    assert!(last_with(&c, 1, "ben"));
    c.agent("carla").goes(on_break("lunch"));
    c.ben().transfers_to_queue(1, "billing");
    assert!(last_with(&c, 1, "ben"));
}

// proves B6, B12
#[test]
fn a_transfer_ends_the_sender_s_typing() {
    let mut c = handling();
    let may = |c: &Centre, name: &str| {
        let by = tieline_model::Actor::Agent { agent: agent(name) };
        c.engine.may_type(&by, chat(1)).map_err(|refusal| refusal.code)
    };
    assert_eq!(may(&c, "anna"), Ok(Side::Agent));
    c.anna().transfers_to(1, "ben");
    c.ben().accepts();
    assert_eq!((may(&c, "anna"), may(&c, "ben")), (Err(Code::NotFound), Ok(Side::Agent)));
}

// proves F2, B12
#[test]
fn a_transfer_s_time_does_not_run_while_the_daemon_is_down() {
    let mut c = handling();
    c.anna().transfers_to(1, "ben");
    c.after(10);
    c.restarts_after(600);
    c.ben().connects();
    c.anna().connects();
    c.happened();
    c.after(19);
    assert_eq!(c.happened(), nothing());
    c.after(1);
    assert_eq!(c.happened()[0], "#1 transfer to ben failed (Missed)");
}
