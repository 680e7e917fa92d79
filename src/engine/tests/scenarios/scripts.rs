//! G3: what an agent fills into the script of a chat or a call.

use crate::centre::*;
use tieline_model::content::ContentRef;
use tieline_model::policy::WrapUp;
use tieline_model::{Code, InteractionId, Wish};

fn fills(by: By<'_>, interaction: InteractionId, answers: ContentRef) {
    by.wishes(Wish::FillScript { interaction, answers });
}

// proves G3
#[test]
fn answers_are_filled_in_during_a_chat_and_in_its_wrap_up_and_the_later_ones_stand() {
    let mut c = Centre::with(|p| of(p, "ben").queues.clear());
    c.customer(1).starts();
    c.anna().cannot(Code::NotFound, |anna| fills(anna, chat(1), text(1)));
    c.anna().accepts();
    c.happened();
    fills(c.anna(), chat(1), text(10));
    c.anna().parks(1);
    fills(c.anna(), chat(1), text(20));
    assert_eq!(c.seen(1).script, Some(text(20)));
    c.ben().cannot(Code::NotFound, |ben| fills(ben, chat(1), text(1)));
    c.customer(1).ends(1);
    fills(c.anna(), chat(1), text(30));
    assert_eq!(c.seen(1).script, Some(text(30)));
    let filled = c.happened().into_iter().filter(|line| line == "#1 script filled by anna").count();
    assert_eq!(filled, 3);
    c.anna().activates(1);
    c.anna().completes(1);
    c.anna().cannot(Code::NotFound, |anna| fills(anna, chat(1), text(1)));
}

// proves G3, E5
#[test]
fn answers_of_a_call_go_along_into_its_wrap_up() {
    let mut c = Centre::with(|p| p.calls.wrap_up = Some(WrapUp::default()));
    let id = c.call_id("c1");
    c.call("c1").rings_at(&["anna", "ben"]);
    c.anna().cannot(Code::NotFound, |anna| fills(anna, id, text(1)));
    c.call("c1").answered_by("anna");
    fills(c.anna(), id, text(10));
    c.ben().cannot(Code::NotFound, |ben| fills(ben, id, text(1)));
    c.call("c1").transferred_to("ben");
    c.anna().cannot(Code::NotFound, |anna| fills(anna, id, text(1)));
    assert_eq!(c.engine.call(id).unwrap().script, Some(text(10)), "the next agent finds them filled");
    fills(c.ben(), id, text(20));
    c.call("c1").ends();
    assert_eq!(c.engine.chat(id).unwrap().script, Some(text(20)));
    fills(c.ben(), id, text(30));
    assert_eq!(c.engine.chat(id).unwrap().script, Some(text(30)));
    c.ben().completes(id.0.as_u128());
    c.ben().cannot(Code::NotFound, |ben| fills(ben, id, text(1)));
}

// proves G3
#[test]
fn answers_stay_with_a_chat_that_goes_to_another_agent() {
    let mut c = Centre::new();
    c.customer(1).starts();
    c.anna().accepts();
    fills(c.anna(), chat(1), text(10));
    c.anna().goes_offline_for_sure();
    c.ben().accepts();
    assert_eq!(c.seen(1).script, Some(text(10)));
    c.anna().cannot(Code::NotFound, |anna| fills(anna, chat(1), text(1)));
}
