//! C7: a chat is flagged as abusive, and its visitor is kept out where the queue says so.

use crate::centre::*;
use std::collections::BTreeSet;
use tieline_model::command::{Presence, SupervisorAct};
use tieline_model::policy::WrapUp;
use tieline_model::{Code, Mark, Wish};

fn marks(names: &[&str]) -> BTreeSet<Mark> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

/// The customer of chat `n`, recognised by these marks, asks for it.
fn starts_with(c: &mut Centre, n: u128, names: &[&str]) {
    let Wish::StartChat { interaction, conversation, queue, person, skills, previous, .. } =
        c.customer(n).start_of("support")
    else {
        panic!("a start")
    };
    let marks = marks(names);
    c.customer(n).wishes(Wish::StartChat {
        interaction,
        conversation,
        queue,
        person,
        skills,
        marks,
        previous,
    });
}

fn flags(by: By<'_>, n: u128, note: Option<u32>) {
    by.wishes(Wish::FlagAbuse { interaction: chat(n), note: note.map(text) });
}

fn handling(block: bool) -> Centre {
    let mut c = Centre::with(|p| {
        of(p, "ben").queues.clear();
        of(p, "ben").supervisor = true;
        support(p).block_abusive = block;
    });
    starts_with(&mut c, 1, &["cookie-1", "address-1"]);
    c.anna().accepts();
    c.happened();
    c
}

// proves C7
#[test]
fn a_chat_is_flagged_in_progress_and_goes_on() {
    let mut c = handling(false);
    flags(c.anna(), 1, Some(40));
    assert_eq!(c.happened(), ["#1 flagged by anna, blocked {}"]);
    assert!(c.seen(1).abusive);
    flags(c.anna(), 1, None);
    assert_eq!(c.happened(), Vec::<String>::new(), "it is flagged already");
    flags(c.anna(), 1, Some(20));
    assert_eq!(c.happened(), ["#1 flagged by anna, blocked {}"], "a further note is kept too");
    c.anna().writes(1, 5);
    c.customer(1).writes(1, 5);
    c.customer(1).ends(1);
    starts_with(&mut c, 2, &["cookie-1"]);
    assert!(c.engine.chat(chat(2)).is_some(), "the queue does not block");
}

// proves C7
#[test]
fn only_its_agent_flags_a_chat_in_progress_or_in_wrap_up() {
    let mut c = handling(false);
    c.ben().cannot(Code::NotFound, |ben| flags(ben, 1, None));
    let refusal = c.anna().cannot(Code::TooLong, |anna| flags(anna, 1, Some(2_001)));
    assert_eq!((refusal.field.as_deref(), refusal.limit), (Some("note"), Some(2_000)));
    let refusal = c.anna().cannot(Code::Invalid, |anna| flags(anna, 1, Some(0)));
    assert_eq!(refusal.field.as_deref(), Some("note"));
    c.customer(1).ends(1);
    flags(c.anna(), 1, Some(2_000));
    assert!(c.seen(1).abusive);
    c.anna().completes(1);
    c.anna().cannot(Code::NotFound, |anna| flags(anna, 1, None));
}

// proves C7
#[test]
fn a_call_is_not_flagged() {
    let mut c = Centre::with(|p| p.calls.wrap_up = Some(WrapUp::default()));
    c.call("c1").answered_by("anna");
    c.call("c1").ends();
    let id = c.call_id("c1").0.as_u128();
    c.anna().cannot(Code::WrongState, |anna| flags(anna, id, None));
}

// proves C7
#[test]
fn a_blocked_visitor_cannot_start_by_any_of_the_marks() {
    let mut c = handling(true);
    flags(c.anna(), 1, None);
    assert_eq!(c.engine.blocked().count(), 2);
    c.customer(1).writes(1, 5);
    c.customer(1).ends(1);
    c.anna().completes(1);
    for names in [&["cookie-1"][..], &["cookie-9", "address-1"], &["cookie-1", "address-1"]] {
        let wish = {
            let Wish::StartChat { interaction, conversation, queue, person, skills, previous, .. } =
                c.customer(2).start_of("support")
            else {
                panic!("a start")
            };
            Wish::StartChat {
                interaction,
                conversation,
                queue,
                person,
                skills,
                marks: marks(names),
                previous,
            }
        };
        c.customer(2).cannot(Code::Blocked, |customer| customer.wishes(wish));
    }
    starts_with(&mut c, 3, &["cookie-3", "address-3"]);
    assert!(c.engine.chat(chat(3)).is_some(), "others are served");
    c.restarts_after(10);
    assert_eq!(c.engine.blocked().count(), 2, "it outlasts a restart");
}

// proves C7, B15
#[test]
fn a_blocked_visitor_cannot_come_back_in_wrap_up_or_after_it() {
    let mut c = handling(true);
    c.customer(1).ends(1);
    flags(c.anna(), 1, None);
    let back = || Wish::ReturnToChat { interaction: chat(1), fresh: chat(9) };
    c.customer(1).cannot(Code::Blocked, |customer| customer.wishes(back()));
    c.anna().completes(1);
    c.customer(1).cannot(Code::Blocked, |customer| customer.wishes(back()));
}

// proves C7, A15
#[test]
fn a_supervisor_lets_a_visitor_in_again() {
    let mut c = handling(true);
    flags(c.anna(), 1, None);
    c.anna().ends(1);
    c.anna().completes(1);
    let unblock = || Wish::Supervise {
        act: SupervisorAct::Unblock { marks: marks(&["cookie-1", "cookie-7"]) },
        reason: "it was a misunderstanding".to_owned(),
    };
    c.anna().cannot(Code::NotPermitted, |anna| anna.wishes(unblock()));
    c.happened();
    c.ben().wishes(unblock());
    assert_eq!(c.happened(), ["ben acted: it was a misunderstanding"]);
    assert_eq!(c.engine.blocked().cloned().collect::<BTreeSet<_>>(), marks(&["address-1"]));
    c.ben().wishes(unblock());
    assert_eq!(c.happened(), Vec::<String>::new(), "nobody is left to let in");
    c.anna().goes(Presence::Available);
    starts_with(&mut c, 2, &["cookie-1"]);
    assert!(c.engine.chat(chat(2)).is_some());
}
