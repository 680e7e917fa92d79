//! B18: attachments, as far as the engine looks at them: who, how large, what kind.

use crate::centre::*;
use tieline_model::content::ContentRef;
use tieline_model::policy::TenantPolicy;
use tieline_model::{Code, Wish};

const MIB: u32 = 1024 * 1024;

fn handling() -> Centre {
    handling_with(|_| {})
}

fn handling_with(change: impl FnOnce(&mut TenantPolicy)) -> Centre {
    let mut c = Centre::with(change);
    c.customer(1).starts();
    c.anna().accepts();
    c.happened();
    c
}

// proves B18, B10
#[test]
fn files_go_both_ways_under_their_senders_ids() {
    let mut c = handling();
    c.customer(1).sends_file(1, 10, "application/pdf");
    c.anna().sends_file(1, 10, "image/png");
    let happened = c.happened();
    assert!(happened[0].ends_with("application/pdf from Customer"), "{happened:?}");
    assert!(happened[1].ends_with("image/png from Agent"), "{happened:?}");
}

// proves B18, B7, B17
#[test]
fn a_file_is_a_question_and_an_answer_like_any_message() {
    let mut c = handling();
    let asked = c.now;
    c.customer(1).sends_file(1, 10, "image/png");
    assert_eq!(c.seen(1).unanswered_since, Some(asked));
    c.after(10);
    c.anna().sends_file(1, 10, "image/png");
    assert_eq!(c.seen(1).unanswered_since, None);
    assert_eq!(c.seen(1).service.replies, 1);
}

// proves B18
#[test]
fn a_file_has_a_largest_size_and_is_never_empty() {
    let mut c = handling();
    c.customer(1).sends_file(1, 5 * MIB, "image/png");
    for sends in [
        c.customer(1).cannot(Code::TooLong, |one| one.sends_file(1, 5 * MIB + 1, "image/png")),
        c.anna().cannot(Code::TooLong, |anna| anna.sends_file(1, 5 * MIB + 1, "image/png")),
    ] {
        assert_eq!((sends.field.as_deref(), sends.limit), (Some("file"), Some(u64::from(5 * MIB))));
    }
    c.customer(1).cannot(Code::Invalid, |one| one.sends_file(1, 0, "image/png"));
    let mut c = handling_with(|p| support(p).attachments.bytes_max = 10);
    let refusal = c.customer(1).cannot(Code::TooLong, |one| one.sends_file(1, 11, "image/png"));
    assert_eq!(refusal.limit, Some(10));
}

// proves B18
#[test]
fn a_kind_that_is_not_listed_is_refused_with_those_that_are() {
    let mut c = handling();
    let refusal =
        c.customer(1).cannot(Code::Invalid, |one| one.sends_file(1, 10, "application/x-msdownload"));
    assert_eq!(refusal.field.as_deref(), Some("media_type"));
    assert!(refusal.message.contains("application/pdf"), "{refusal:?}");
    let mut c = handling_with(|p| support(p).attachments.types.clear());
    c.anna().cannot(Code::Invalid, |anna| anna.sends_file(1, 10, "image/png"));
}

// proves B18
#[test]
fn each_side_may_be_kept_from_sending_files() {
    let mut c = handling_with(|p| support(p).attachments.from_customer = false);
    let refusal = c.customer(1).cannot(Code::NotPermitted, |one| one.sends_file(1, 10, "image/png"));
    assert_eq!(refusal.field.as_deref(), Some("file"));
    c.anna().sends_file(1, 10, "image/png");
    let mut c = handling_with(|p| support(p).attachments.from_agent = false);
    c.anna().cannot(Code::NotPermitted, |anna| anna.sends_file(1, 10, "image/png"));
    c.customer(1).sends_file(1, 10, "image/png");
}

// proves B18
#[test]
fn a_file_s_name_has_a_limit() {
    let mut c = handling();
    let send = |chars| Wish::SendFile {
        interaction: chat(1),
        file: ContentRef { bytes: 10, ..text(chars) },
        media_type: "image/png".to_owned(),
    };
    c.customer(1).wishes(send(200));
    let refusal = c.customer(1).cannot(Code::TooLong, |one| one.wishes(send(201)));
    assert_eq!((refusal.field.as_deref(), refusal.limit), (Some("name"), Some(200)));
}

// proves B18, B1, B13
#[test]
fn a_file_is_sent_where_a_message_could_be() {
    let mut c = Centre::closed(|_| {});
    c.customer(1).starts();
    c.customer(1).sends_file(1, 10, "image/png");
    let mut c = handling();
    c.ben().cannot(Code::NotFound, |ben| ben.sends_file(1, 10, "image/png"));
    c.customer(2).cannot(Code::NotFound, |two| two.sends_file(1, 10, "image/png"));
    c.anna().consults(1, "ben");
    c.ben().accepts();
    c.ben().sends_file(1, 10, "image/png");
    c.anna().parks(1);
    c.anna().cannot(Code::NotActive, |anna| anna.sends_file(1, 10, "image/png"));
    c.anna().ends(1);
    c.anna().cannot(Code::WrongState, |anna| anna.sends_file(1, 10, "image/png"));
    c.customer(1).cannot(Code::WrongState, |one| one.sends_file(1, 10, "image/png"));
}
