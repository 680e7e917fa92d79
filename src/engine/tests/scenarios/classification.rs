//! C1, C2, C6: codes, trees, free text, and what becomes of a chat without.

use crate::centre::*;
use tieline_model::Code;
use tieline_model::policy::{Classification, TenantPolicy, WrapUp};

fn classified_by(codes: &[&str], several: bool, mandatory: bool) -> impl FnOnce(&mut TenantPolicy) {
    let codes = codes.iter().map(|c| (*c).to_owned()).collect();
    move |p| {
        of(p, "ben").queues.clear();
        support(p).classification = Classification { codes, several, mandatory };
    }
}

fn handling(codes: &[&str], several: bool, mandatory: bool) -> Centre {
    let mut c = Centre::with(classified_by(codes, several, mandatory));
    c.customer(1).starts();
    c.anna().accepts();
    c.happened();
    c
}

// proves C1
#[test]
fn of_a_tree_only_leaves_can_be_chosen_by_their_path() {
    let mut c = handling(&["Billing / Refund", "Billing / Invoice", "Other"], false, false);
    c.anna().classifies(1, &["Billing / Refund"], None);
    assert_eq!(c.seen(1).codes, ["Billing / Refund"]);
    for none in ["Billing", "Refund", "Billing/Refund", "billing / refund", "Billing / Refund / Late", ""] {
        let refusal = c.anna().cannot(Code::Invalid, |anna| anna.classifies(1, &[none], None));
        assert_eq!(refusal.field.as_deref(), Some("codes"));
    }
}

// proves C1
#[test]
fn a_queue_without_a_list_is_classified_by_text() {
    let mut c = handling(&[], false, true);
    let refusal = c.anna().cannot(Code::Invalid, |anna| anna.classifies(1, &["sale"], None));
    assert_eq!(refusal.field.as_deref(), Some("codes"));
    assert!(refusal.message.contains("text"), "{}", refusal.message);
    c.anna().classifies(1, &[], Some(text(12)));
    assert_eq!(c.seen(1).remarks, Some(text(12)));
    c.anna().ends(1);
    c.happened();
    c.after(60);
    assert_eq!(c.happened()[0], "#1 completed by Timer", "text is a classification here");
}

// proves C1
#[test]
fn several_codes_during_and_after_the_chat_and_the_last_word_stands() {
    let mut c = handling(&["a", "b", "c"], true, false);
    c.anna().classifies(1, &["a", "b"], Some(text(10)));
    c.anna().parks(1);
    c.anna().classifies(1, &["b"], None);
    c.customer(1).ends(1);
    c.anna().classifies(1, &["c", "a"], None);
    assert_eq!(
        (c.seen(1).codes.as_slice(), c.seen(1).remarks),
        (&["c".to_owned(), "a".to_owned()][..], Some(text(10)))
    );
    c.anna().activates(1);
    c.anna().classifies(1, &[], None);
    assert!(c.seen(1).codes.is_empty(), "a choice can be taken back");
    c.anna().completes(1);
    c.anna().cannot(Code::NotFound, |anna| anna.classifies(1, &["a"], None));
}

// proves C1
#[test]
fn text_and_notes_have_a_limit_that_is_named() {
    let mut c = handling(&["a"], false, false);
    c.anna().classifies(1, &["a"], Some(text(10_000)));
    let refusal = c.anna().cannot(Code::TooLong, |anna| anna.classifies(1, &["a"], Some(text(10_001))));
    assert_eq!((refusal.field.as_deref(), refusal.limit), (Some("remarks"), Some(10_000)));
    assert!(refusal.message.contains("10000"), "{}", refusal.message);
}

// proves C2
#[test]
fn what_was_classified_is_told_before_the_log_goes_and_only_of_chats_that_were_answered() {
    let mut c = handling(&["a"], false, false);
    c.anna().classifies(1, &["a"], None);
    c.anna().ends(1);
    c.anna().completes(1);
    let happened = c.happened();
    assert_eq!(happened.first().map(String::as_str), Some("#1 classified [\"a\"]"));
    assert_eq!(happened.last().map(String::as_str), Some("#1 closed Answered, log true"));
    // One that nobody answered is nobody's to classify, and goes nowhere.
    c.anna().goes(on_break("lunch"));
    c.customer(2).starts();
    c.anna().cannot(Code::NotFound, |anna| anna.classifies(2, &["a"], None));
    c.happened();
    c.customer(2).ends(2);
    assert_eq!(c.happened(), ["#2 ended by Customer", "#2 closed Abandoned, log false"]);
}

// proves C6
#[test]
fn notes_beside_a_list_are_no_classification() {
    let mut c = handling(&["a"], false, true);
    c.anna().classifies(1, &[], Some(text(100)));
    c.anna().ends(1);
    c.happened();
    c.after(60);
    assert_eq!(c.happened()[0], "#1 completed by Timer, not classified");
}

// proves C6
#[test]
fn not_classified_is_listed_for_follow_up_however_the_wrap_up_was_completed() {
    let mut c = handling(&["a"], false, true);
    c.anna().ends(1);
    c.happened();
    c.anna().completes(1);
    assert_eq!(c.happened()[0], "#1 completed by Agent, not classified", "it never blocks");
    let (_, listed) = c.engine.recent_logs(&agent("anna")).next().unwrap();
    assert!(listed.not_classified && !listed.unseen);
    c.customer(2).starts();
    c.anna().accepts();
    c.anna().classifies(2, &["a"], None);
    c.anna().ends(2);
    c.anna().goes_offline_for_sure();
    let (_, listed) = c.engine.recent_logs(&agent("anna")).next().unwrap();
    assert!(!listed.not_classified);
    // Where it is not mandatory, nobody is reminded.
    let mut c = handling(&["a"], false, false);
    c.anna().ends(1);
    c.anna().completes(1);
    assert!(!c.engine.recent_logs(&agent("anna")).next().unwrap().1.not_classified);
}

// proves C6, E5
#[test]
fn a_call_that_should_have_been_classified_is_listed_with_wrap_up_and_without() {
    for wrap_up in [None, Some(WrapUp::default())] {
        let mut c = Centre::with(|p| {
            p.calls.wrap_up = wrap_up;
            p.calls.classification =
                Classification { codes: vec!["Sale".to_owned()], several: false, mandatory: true };
        });
        for (name, codes) in [("c1", &[][..]), ("c2", &["Sale"][..])] {
            c.call(name).answered_by("anna");
            let id = c.call_id(name).0.as_u128();
            c.anna().classifies(id, codes, Some(text(5)));
            c.call(name).ends();
            c.after(60);
        }
        let listed: Vec<bool> =
            c.engine.recent_logs(&agent("anna")).map(|(_, closed)| closed.not_classified).collect();
        assert_eq!(listed, [false, true], "newest first, wrap-up {wrap_up:?}");
    }
}
