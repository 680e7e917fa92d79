//! Calls (E4): one record each, of the CRM's own kind of call record, with what only calls have.

use super::Verdict;
use super::bench::{CallSeen, Ctx, field, holds};
use crate::ledger::Progress;
use crate::sandbox::LogRecord;
use serde_json::json;
use tieline_model::crm::{Direction, Log, Outcome, Record};

/// The four ways a call goes.
const WAYS: [(Direction, Outcome); 4] = [
    (Direction::Inbound, Outcome::Answered),
    (Direction::Inbound, Outcome::Missed),
    (Direction::Outbound, Outcome::Answered),
    (Direction::Outbound, Outcome::Missed),
];

/// A call that went this way.
fn went(ctx: &Ctx<'_>, direction: Direction, outcome: Outcome) -> Log {
    let mut log = ctx.call();
    log.outcome = outcome;
    if outcome != Outcome::Answered {
        log.answered_at = None;
    }
    if let Some(call) = &mut log.call {
        call.direction = direction;
    }
    log
}

/// What the record must say, whatever else it says.
fn says(log: &Log, seen: &CallSeen) -> Verdict {
    let Some(call) = &log.call else { return Err("the log is no call's".into()) };
    holds(seen.direction == Some(call.direction), format!("{:?} is not its direction", seen.direction))?;
    let answered = log.outcome == Outcome::Answered;
    holds(seen.answered == Some(answered), format!("{:?} is not how it ended", seen.answered))?;
    holds(seen.number == call.number, "the number is not the customer's")?;
    holds(seen.recording == call.recording, "the recording is not the one that was made")?;
    let codes = log.codes.iter().all(|code| seen.text.contains(code));
    holds(codes, "the record does not say the classification")
}

async fn right(ctx: &Ctx<'_>, log: &Log) -> Result<LogRecord, String> {
    let record = ctx.record(log).await?;
    says(log, &ctx.seen(&record))?;
    Ok(record)
}

pub(super) async fn a_call_becomes_one_record_of_its_own_kind(ctx: &Ctx<'_>) -> Verdict {
    let ada = ctx.contact("Ada Kit", Some(&ctx.email()), None).await?;
    for (direction, outcome) in WAYS {
        let way = format!("{direction:?}, {outcome:?}");
        let mut log = went(ctx, direction, outcome);
        log.contact = Some(ada.clone());
        let saved = ctx.deliver(&log, &mut Progress::default()).await?;
        let record = right(ctx, &log).await.map_err(|why| format!("{way}: {why}"))?;
        let kind = &ctx.bench.facts.call.object;
        holds(
            saved.record.object == *kind,
            format!("{way}: became a {}, not a {kind}", saved.record.object),
        )?;
        holds(
            record.id == saved.record.id.as_str(),
            "the record that was said is not the one that is there",
        )?;
        holds(
            !saved.label.is_empty() && saved.url.is_some(),
            "the record has no name for people, or no link",
        )?;
        let contact = ctx.seen(&record).contact;
        holds(contact.as_deref() == Some(ada.id.as_str()), format!("{way}: not under its contact"))?;
        let title = field(&record, &ctx.bench.facts.call.title_field);
        holds(!title.is_empty(), format!("{way}: the record has no title"))?;
    }
    Ok(())
}

pub(super) async fn a_call_from_a_hidden_number_is_kept(ctx: &Ctx<'_>) -> Verdict {
    let mut log = went(ctx, Direction::Inbound, Outcome::Answered);
    log.person.phone = None;
    if let Some(call) = &mut log.call {
        call.number = None;
        call.line = None;
    }
    ctx.deliver(&log, &mut Progress::default()).await?;
    right(ctx, &log).await.map(drop)
}

pub(super) async fn a_call_of_nobody_known_is_kept(ctx: &Ctx<'_>) -> Verdict {
    let mut log = ctx.call();
    let mut progress = Progress::default();
    let first = ctx.deliver(&log, &mut progress).await?;
    let seen = ctx.seen(&right(ctx, &log).await?);
    holds(seen.contact.is_none(), "a call of nobody points at a contact")?;
    // Later an agent says who it was.
    let ada = ctx.contact("Ada Kit", Some(&ctx.email()), None).await?;
    log.contact = Some(ada.clone());
    log.version += 1;
    let second = ctx.deliver(&log, &mut progress).await?;
    holds(first.record == second.record, "the contact made another record")?;
    let seen = ctx.seen(&right(ctx, &log).await?);
    holds(seen.contact.as_deref() == Some(ada.id.as_str()), "the contact was not taken")
}

pub(super) async fn a_call_whose_contact_is_gone_is_kept(ctx: &Ctx<'_>) -> Verdict {
    let mut log = ctx.call();
    log.contact = Some(ctx.bench.facts.absent_contact.clone());
    ctx.deliver(&log, &mut Progress::default()).await?;
    right(ctx, &log).await.map(drop)
}

pub(super) async fn the_same_call_again_changes_nothing(ctx: &Ctx<'_>) -> Verdict {
    for (direction, outcome) in WAYS {
        let log = went(ctx, direction, outcome);
        let mut progress = Progress::default();
        let first = ctx.deliver(&log, &mut progress).await?;
        let (record, requests) = (right(ctx, &log).await?, ctx.sandbox.requests().await);
        let again = ctx.deliver(&log, &mut progress).await?;
        let sent = ctx.sandbox.requests().await - requests;
        holds(
            first.record == again.record && first.label == again.label,
            "the second answer names another record",
        )?;
        holds(right(ctx, &log).await? == record, "the second time changed the record")?;
        holds(sent == 0, format!("the second time sent {sent} requests; all was known to be there"))?;
    }
    Ok(())
}

pub(super) async fn a_lost_ledger_makes_no_second_call(ctx: &Ctx<'_>) -> Verdict {
    let log = ctx.call();
    let first = ctx.deliver(&log, &mut Progress::default()).await?;
    let again = ctx.deliver(&log, &mut Progress::default()).await?;
    holds(first.record == again.record, "without its ledger, a call made another record")?;
    right(ctx, &log).await.map(drop)
}

pub(super) async fn a_recording_that_comes_later_changes_the_same_call(ctx: &Ctx<'_>) -> Verdict {
    let mut log = ctx.call();
    let mut progress = Progress::default();
    let first = ctx.deliver(&log, &mut progress).await?;
    log.version += 1;
    ctx.record_call(&mut log);
    let second = ctx.deliver(&log, &mut progress).await?;
    holds(first.record == second.record, "the recording went to another record")?;
    right(ctx, &log).await?;
    // And classification after that, without losing it again.
    log.version += 1;
    log.codes = vec!["refund-granted".into()];
    ctx.deliver(&log, &mut progress).await?;
    right(ctx, &log).await.map(drop)
}

pub(super) async fn a_persons_edit_of_a_call_is_kept(ctx: &Ctx<'_>) -> Verdict {
    let title = &ctx.bench.facts.call.title_field;
    let mut log = ctx.call();
    let mut progress = Progress::default();
    let saved = ctx.deliver(&log, &mut progress).await?;
    ctx.sandbox.edit(saved.record.id.as_str(), title, json!("Edited by a person")).await;
    for version in 1..3 {
        log.version += version;
        log.person.name = Some(format!("Somebody Else {version}"));
        ctx.record_call(&mut log);
        ctx.deliver(&log, &mut progress).await?;
        let record = right(ctx, &log).await?;
        holds(field(&record, title) == "Edited by a person", "a person's edit was overwritten")?;
    }
    Ok(())
}

pub(super) async fn a_call_goes_under_the_case_that_was_named(ctx: &Ctx<'_>) -> Verdict {
    let host = ctx.log();
    let case = ctx.deliver(&host, &mut Progress::default()).await?;
    let before = ctx.record(&host).await?;
    let mut log = ctx.call();
    log.case = Some(case.record.clone());
    let mut progress = Progress::default();
    for version in 0..2 {
        log.version += version;
        log.remarks.notes = format!("noted {version} {}", ctx.unique());
        ctx.deliver(&log, &mut progress).await?;
        lies_under(ctx, &log, &host, &case.record).await?;
    }
    let after = ctx.record(&host).await?;
    let facts = &ctx.bench.facts;
    for name in [&facts.title_field, &facts.text_field] {
        holds(
            field(&after, name) == field(&before, name),
            format!("{name} of the named case was overwritten"),
        )?;
    }
    Ok(())
}

/// A record of its own that points at the case, or words at the case itself, as the CRM keeps calls; and once.
async fn lies_under(ctx: &Ctx<'_>, log: &Log, host: &Log, case: &Record) -> Verdict {
    let own = ctx.records(log).await;
    if let [record] = own.as_slice() {
        let seen = ctx.seen(record);
        says(log, &seen)?;
        holds(seen.case.as_deref() == Some(case.id.as_str()), "the call is not under the named case")?;
        return holds(seen.text.contains(&log.remarks.notes), "later facts did not reach the call");
    }
    holds(own.is_empty(), format!("{} records hold this call; there must be one", own.len()))?;
    let host = ctx.record(host).await?;
    let told = host.attachments.iter().filter(|(_, text)| text.contains(&log.remarks.notes)).count();
    holds(told == 1, format!("the named case tells the call {told} times"))
}

pub(super) async fn erasing_removes_a_call(ctx: &Ctx<'_>) -> Verdict {
    let (log, other) = (ctx.call(), ctx.call());
    for one in [&log, &other] {
        ctx.deliver(one, &mut Progress::default()).await?;
    }
    for _ in 0..2 {
        ctx.connect().erase(&log.key()).await.map_err(|e| format!("erasing failed: {e}"))?;
    }
    holds(ctx.records(&log).await.is_empty(), "the call is still there")?;
    right(ctx, &other).await.map(drop).map_err(|why| format!("another call was touched: {why}"))
}
