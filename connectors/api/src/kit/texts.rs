//! What people write: long, in any script, with anything in it that a CRM could mistake for its own.

use super::Verdict;
use super::bench::{Ctx, field, holds};
use crate::ledger::Progress;
use tieline_model::content::{Person, Remarks};
use tieline_model::crm::Outcome;

pub(super) async fn a_transcript_longer_than_the_field_is_kept_whole(ctx: &Ctx<'_>) -> Verdict {
    let mut log = ctx.log();
    let line = log.transcript[0].clone();
    for n in 0..3_000 {
        let mut next = line.clone();
        next.text = format!("{n} 👩‍👩‍👧‍👦 שלום {}", "words and more words ".repeat(4));
        next.text.truncate(next.text.trim_end().len());
        log.transcript.push(next);
    }
    ctx.deliver(&log, &mut Progress::default()).await?;
    let record = ctx.whole(&log).await?;
    let text = field(&record, &ctx.bench.facts.text_field);
    holds(text.contains(&line.text), "the field does not begin with the beginning")?;
    holds(text.chars().count() < 200_000, "the field holds more than any field does")?;
    let last = log.transcript.last().map(|l| l.text.clone()).unwrap_or_default();
    holds(!text.contains(&last) && text.contains("cut"), "the cut is not marked")
}

pub(super) async fn any_script_and_markup_stays_text(ctx: &Ctx<'_>) -> Verdict {
    let mut log = ctx.log();
    let sample = log.transcript[0].clone();
    for text in [
        "=HYPERLINK(\"http://example.org\")",
        "<script>alert('x')</script> &amp; <b>bold</b>",
        "{{7*7}} ${jndi:ldap://x} %s %n",
        "'; DROP TABLE cases; --",
        "👩‍👩‍👧‍👦 🏳️‍🌈 e\u{301} ﷽",
        "مرحبا \u{202e}abc\u{202c} שלום",
        "\u{fffd} \u{1f4a9} ｆｕｌｌｗｉｄｔｈ",
        "@{case.id} \\u0041 \"quoted\" \\",
    ] {
        let mut line = sample.clone();
        line.text = format!("{text} {}", ctx.unique());
        log.transcript.push(line);
    }
    log.person.name = Some("=1+1 <i>Ada</i> 👩‍👩‍👧‍👦 ' \" \\".into());
    log.remarks = Remarks { text: "<b>שלום</b>".into(), notes: "=2+2\u{0}\u{1}".into() };
    ctx.deliver(&log, &mut Progress::default()).await?;
    let record = ctx.whole(&log).await?;
    let title = field(&record, &ctx.bench.facts.title_field);
    holds(title.contains("=1+1 <i>Ada</i> 👩‍👩‍👧‍👦 ' \" \\"), "the name in the title is not what was written")?;
    holds(
        field(&record, &ctx.bench.facts.text_field).contains("<b>שלום</b>"),
        "the remark is not what was written",
    )
}

pub(super) async fn a_log_with_nothing_in_it_is_kept(ctx: &Ctx<'_>) -> Verdict {
    let mut log = ctx.log();
    log.person = Person::default();
    log.outcome = Outcome::Abandoned;
    (log.answered_at, log.ended_at, log.queue_name, log.agent_name) = (None, None, None, None);
    log.codes.clear();
    log.not_classified = true;
    log.transcript.clear();
    let mut progress = Progress::default();
    ctx.deliver(&log, &mut progress).await?;
    let record = ctx.record(&log).await?;
    holds(!field(&record, &ctx.bench.facts.title_field).is_empty(), "the record has no title")?;
    log.version += 1;
    log.person =
        Person { email: Some("not an address".into()), phone: Some("x".repeat(300)), ..Person::default() };
    ctx.deliver(&log, &mut progress).await?;
    let mut odd = ctx.log();
    odd.person = Person {
        email: Some("not an address".into()),
        phone: Some("9".repeat(300)),
        name: Some("n".repeat(5_000)),
        ..Person::default()
    };
    ctx.deliver(&odd, &mut Progress::default()).await?;
    ctx.whole(&odd).await.map(drop)
}
