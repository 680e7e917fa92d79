//! Logs without faults: one record, later facts, people's edits, named cases, erasure.

use super::Verdict;
use super::bench::{Ctx, Desk, field, holds, kind};
use crate::ledger::Progress;
use serde_json::json;

pub(super) async fn a_log_becomes_one_record(ctx: &Ctx<'_>) -> Verdict {
    let ada = ctx.contact("Ada Kit", Some(&ctx.email()), None).await?;
    let mut log = ctx.log();
    log.contact = Some(ada.clone());
    let saved = ctx.deliver(&log, &mut Progress::default()).await?;
    let record = ctx.whole(&log).await?;
    let facts = &ctx.bench.facts;
    holds(record.id == saved.record.id.as_str(), "the record that was said is not the one that is there")?;
    holds(!saved.label.is_empty() && saved.url.is_some(), "the record has no name for people, or no link")?;
    holds(
        field(&record, &facts.contact_field) == ada.id.as_str(),
        "the record does not point at its contact",
    )?;
    let name = log.person.name.clone().unwrap_or_default();
    holds(field(&record, &facts.title_field).contains(&name), "the title does not say who it was")?;
    holds(
        field(&record, &facts.text_field).contains("billing"),
        "the account does not say the classification",
    )
}

pub(super) async fn the_same_log_again_changes_nothing(ctx: &Ctx<'_>) -> Verdict {
    let log = ctx.log();
    let mut progress = Progress::default();
    let first = ctx.deliver(&log, &mut progress).await?;
    let (record, requests) = (ctx.whole(&log).await?, ctx.sandbox.requests().await);
    let again = ctx.deliver(&log, &mut progress).await?;
    let sent = ctx.sandbox.requests().await - requests;
    holds(
        first.record == again.record && first.label == again.label,
        "the second answer names another record",
    )?;
    holds(ctx.whole(&log).await? == record, "the second time changed the record")?;
    holds(sent == 0, format!("the second time sent {sent} requests; all was known to be there"))
}

pub(super) async fn a_lost_ledger_makes_no_second_record(ctx: &Ctx<'_>) -> Verdict {
    let log = ctx.log();
    let first = ctx.deliver(&log, &mut Progress::default()).await?;
    let again = ctx.deliver(&log, &mut Progress::default()).await?;
    holds(first.record == again.record, "without its ledger, a log made another record")?;
    ctx.whole(&log).await.map(drop)
}

pub(super) async fn logs_of_several_interactions_are_several_records(ctx: &Ctx<'_>) -> Verdict {
    let ada = ctx.contact("Ada Kit", Some(&ctx.email()), None).await?;
    let (mut one, mut two) = (ctx.log(), ctx.log());
    one.contact = Some(ada.clone());
    two.contact = Some(ada);
    let first = ctx.deliver(&one, &mut Progress::default()).await?;
    let second = ctx.deliver(&two, &mut Progress::default()).await?;
    holds(first.record != second.record, "two interactions of one contact share a record")?;
    ctx.whole(&one).await?;
    ctx.whole(&two).await.map(drop)
}

pub(super) async fn a_log_without_a_contact_is_kept(ctx: &Ctx<'_>) -> Verdict {
    let log = ctx.log();
    ctx.deliver(&log, &mut Progress::default()).await?;
    let record = ctx.whole(&log).await?;
    let facts = &ctx.bench.facts;
    holds(field(&record, &facts.contact_field) == facts.nobody, "a log of nobody points at a contact")
}

pub(super) async fn a_log_whose_contact_is_gone_is_kept(ctx: &Ctx<'_>) -> Verdict {
    let mut log = ctx.log();
    log.contact = Some(ctx.bench.facts.absent_contact.clone());
    let mut progress = Progress::default();
    ctx.deliver(&log, &mut progress).await?;
    ctx.whole(&log).await?;
    // Later an agent puts it right.
    let ada = ctx.contact("Ada Kit", Some(&ctx.email()), None).await?;
    log.contact = Some(ada.clone());
    log.version += 1;
    ctx.deliver(&log, &mut progress).await?;
    let record = ctx.whole(&log).await?;
    holds(
        field(&record, &ctx.bench.facts.contact_field) == ada.id.as_str(),
        "the right contact was not taken",
    )
}

pub(super) async fn later_facts_change_the_same_record(ctx: &Ctx<'_>) -> Verdict {
    let mut log = ctx.log();
    let mut progress = Progress::default();
    let first = ctx.deliver(&log, &mut progress).await?;
    log.version += 5;
    log.codes = vec!["refund-granted".into()];
    log.remarks.text = "called back on Monday".into();
    let mut line = log.transcript[1].clone();
    line.text = format!("one more thing {}", ctx.unique());
    log.transcript.push(line);
    let second = ctx.deliver(&log, &mut progress).await?;
    holds(first.record == second.record, "later facts went to another record")?;
    let record = ctx.whole(&log).await?;
    let text = field(&record, &ctx.bench.facts.text_field);
    holds(
        text.contains("refund-granted") && text.contains("called back on Monday"),
        "later facts are not there",
    )
}

pub(super) async fn an_older_account_never_wins(ctx: &Ctx<'_>) -> Verdict {
    let older = ctx.log();
    let mut newer = older.clone();
    newer.version += 1;
    newer.codes = vec!["newest".into()];
    let mut progress = Progress::default();
    ctx.deliver(&newer, &mut progress).await?;
    let before = ctx.record(&newer).await?;
    let mut desk = Desk::new(progress);
    let answer = ctx.connect().upsert_log(&older, &mut desk).await;
    holds(matches!(kind(&answer), "done" | "retry"), "an older account is refused for good")?;
    holds(ctx.record(&newer).await? == before, "an older account overwrote a newer one")
}

pub(super) async fn a_persons_edit_is_kept(ctx: &Ctx<'_>) -> Verdict {
    let facts = &ctx.bench.facts;
    let mut log = ctx.log();
    let mut progress = Progress::default();
    let saved = ctx.deliver(&log, &mut progress).await?;
    ctx.sandbox.edit(saved.record.id.as_str(), &facts.title_field, json!("Edited by a person")).await;
    log.version += 1;
    log.person.name = Some("Somebody Else".into());
    log.codes = vec!["newest".into()];
    ctx.deliver(&log, &mut progress).await?;
    let record = ctx.whole(&log).await?;
    holds(field(&record, &facts.title_field) == "Edited by a person", "a person's edit was overwritten")?;
    holds(
        field(&record, &facts.text_field).contains("newest"),
        "what nobody edited was not brought up to date",
    )?;
    // And it stays kept, whatever comes next.
    log.version += 1;
    log.person.name = Some("Somebody Else Again".into());
    ctx.deliver(&log, &mut progress).await?;
    let record = ctx.whole(&log).await?;
    holds(field(&record, &facts.title_field) == "Edited by a person", "a person's edit was overwritten later")
}

pub(super) async fn a_log_goes_under_the_case_that_was_named(ctx: &Ctx<'_>) -> Verdict {
    let host = ctx.log();
    let case = ctx.deliver(&host, &mut Progress::default()).await?;
    let before = ctx.record(&host).await?;
    let mut log = ctx.log();
    log.case = Some(case.record.clone());
    let mut progress = Progress::default();
    for version in 0..2 {
        log.version += version;
        log.remarks.notes = format!("noted {version}");
        let saved = ctx.deliver(&log, &mut progress).await?;
        holds(
            saved.record == case.record && saved.label == case.label,
            "the log did not go under the named case",
        )?;
    }
    holds(ctx.records(&log).await.is_empty(), "a case of its own was made as well")?;
    let after = ctx.record(&host).await?;
    let facts = &ctx.bench.facts;
    for name in [&facts.title_field, &facts.text_field] {
        holds(
            field(&after, name) == field(&before, name),
            format!("{name} of the named case was overwritten"),
        )?;
    }
    ctx.said_once(&log, &after)?;
    let noted = after.attachments.iter().any(|(_, text)| text.contains("noted 1"));
    holds(noted, "later facts did not reach the log under the named case")
}

pub(super) async fn erasing_removes_what_was_written(ctx: &Ctx<'_>) -> Verdict {
    let (log, other) = (ctx.log(), ctx.log());
    ctx.deliver(&log, &mut Progress::default()).await?;
    ctx.deliver(&other, &mut Progress::default()).await?;
    for _ in 0..2 {
        ctx.connect().erase(&log.key()).await.map_err(|e| format!("erasing failed: {e}"))?;
    }
    holds(ctx.records(&log).await.is_empty(), "the record is still there")?;
    ctx.whole(&other).await.map_err(|e| format!("another interaction was touched: {e}"))?;
    // What lies under somebody else's case goes, and the case stays.
    let mut under = ctx.log();
    under.case = Some(ctx.deliver(&other, &mut Progress::default()).await?.record);
    ctx.deliver(&under, &mut Progress::default()).await?;
    ctx.connect().erase(&under.key()).await.map_err(|e| format!("erasing failed: {e}"))?;
    let host = ctx.whole(&other).await.map_err(|e| format!("the named case was touched: {e}"))?;
    let words = &under.transcript[0].text;
    holds(!host.attachments.iter().any(|(_, text)| text.contains(words)), "what was said is still there")
}
