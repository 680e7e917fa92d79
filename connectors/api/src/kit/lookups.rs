//! Look-ups, contacts, history, pops: what reads.

use super::Verdict;
use super::bench::{Ctx, by_case_number, by_email, by_phone, holds};
use crate::connector::{NewContact, Severity};
use crate::ledger::Progress;
use tieline_model::content::Person;
use tieline_model::crm::{Certainty, PopTarget, Query};

/// `check` finds no fault in an account that is set up as its README says.
pub(super) async fn the_account_is_ready(ctx: &Ctx<'_>) -> Verdict {
    let findings = ctx.connect().check().await.map_err(|e| format!("check failed: {e}"))?;
    holds(!findings.is_empty(), "check looked at nothing")?;
    let bad: Vec<String> = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| format!("{}: {}", finding.what, finding.says))
        .collect();
    holds(bad.is_empty(), bad.join("; "))
}

pub(super) async fn a_contact_is_found_by_its_address(ctx: &Ctx<'_>) -> Verdict {
    let email = ctx.email();
    let ada = ctx.contact("Ada Kit", Some(&email), None).await?;
    for (typed, certainty) in
        [(email.clone(), Certainty::Exact), (email.to_uppercase(), Certainty::Normalised)]
    {
        let found = ctx.find_until(&by_email(&typed), |found| !found.is_empty()).await?;
        let right = found.len() == 1 && found[0].record == ada && found[0].certainty == certainty;
        holds(
            right,
            format!("an address must be found once as {certainty:?}, but {} were found", found.len()),
        )?;
        holds(found[0].title.contains("Ada"), "the match does not carry the contact's name")?;
    }
    let other = ctx.connect().find(&by_email(&format!("x{email}"))).await.map_err(|e| e.to_string())?;
    holds(other.found.is_empty(), "another address matched")
}

pub(super) async fn a_contact_is_found_however_its_number_is_written(ctx: &Ctx<'_>) -> Verdict {
    let spellings: [fn(&str, &str) -> String; 8] = [
        |a, b| format!("+4420{a}{b}"),
        |a, b| format!("+44 20 {a} {b}"),
        |a, b| format!("+44 (0)20 {a} {b}"),
        |a, b| format!("020 {a} {b}"),
        |a, b| format!("(020) {a}-{b}"),
        |a, b| format!("020{a}{b}"),
        |a, b| format!("0044 20 {a} {b}"),
        |a, b| format!("+44.20.{a}.{b}"),
    ];
    for (n, spell) in spellings.iter().enumerate() {
        let line = ctx.line();
        let (a, b) = line.split_at(4);
        let stored = spell(a, b);
        let ada = ctx.contact("Ada Kit", None, Some(&stored)).await?;
        for called in [
            format!("+4420{line}"),
            format!("4420{line}"),
            format!("020{line}"),
            format!("004420{line}"),
            format!("sip:+4420{line}@pbx.example;user=phone"),
        ] {
            let found = ctx.find_until(&by_phone(&called), |found| !found.is_empty()).await?;
            let ours = found.iter().find(|m| m.record == ada);
            let certainty = ours.map(|m| m.certainty);
            let want = if n == 0 { Certainty::Exact } else { Certainty::Normalised };
            let says =
                format!("stored as spelling {n}, called as {}: {certainty:?}, not {want:?}", shape(&called));
            holds(certainty == Some(want), says)?;
            holds(found.len() == 1, format!("{} matched one number", found.len()))?;
        }
    }
    Ok(())
}

/// A number's form without its digits, for messages.
fn shape(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect()
}

pub(super) async fn people_who_share_a_number_are_all_listed(ctx: &Ctx<'_>) -> Verdict {
    let line = ctx.line();
    let ada = ctx.contact("Ada Kit", None, Some(&format!("+4420{line}"))).await?;
    let bob = ctx.contact("Bob Kit", None, Some(&format!("020 {line}"))).await?;
    let found = ctx.find_until(&by_phone(&format!("+4420{line}")), |found| found.len() > 1).await?;
    let seen: Vec<_> = found.iter().map(|m| m.record.clone()).collect();
    holds(seen == [ada, bob], "both contacts of a number must be listed, the surer one first")
}

pub(super) async fn a_case_is_found_by_its_number(ctx: &Ctx<'_>) -> Verdict {
    let log = ctx.log();
    let saved = ctx.deliver(&log, &mut Progress::default()).await?;
    let number: String = saved.label.chars().filter(char::is_ascii_digit).collect();
    holds(!number.is_empty(), "the record's label does not name its number")?;
    let bare = number.trim_start_matches('0').to_owned();
    for typed in [number.clone(), bare.clone(), format!("#{bare}"), format!(" case {number} ")] {
        let found = ctx.find_until(&by_case_number(&typed), |found| !found.is_empty()).await?;
        let right = found.len() == 1 && found[0].record == saved.record;
        holds(right, format!("typed as {}, {} cases were found", shape(&typed), found.len()))?;
    }
    let found = ctx.connect().find(&by_case_number("987654321")).await.map_err(|e| e.to_string())?;
    holds(found.found.is_empty(), "a number nobody has matched a case")
}

pub(super) async fn a_withheld_or_short_number_is_not_asked_for(ctx: &Ctx<'_>) -> Verdict {
    ctx.contact("Anonymous", None, Some("anonymous")).await?;
    let connector = ctx.connect();
    let before = ctx.sandbox.requests().await;
    for phone in ["anonymous", "Unknown", "", "0", "sip:anonymous@anonymous.invalid", "4711", "999999"] {
        let found = connector.find(&by_phone(phone)).await.map_err(|e| e.to_string())?;
        holds(found.found.is_empty(), format!("`{phone}` matched somebody"))?;
    }
    holds(ctx.sandbox.requests().await == before, "the CRM was asked for a number that is none")
}

pub(super) async fn a_look_up_makes_nothing(ctx: &Ctx<'_>) -> Verdict {
    let before = ctx.sandbox.log_records().await.len();
    let query = Query {
        phone: Some(format!("+4420{}", ctx.line())),
        email: Some(ctx.email()),
        case_number: Some("987654322".into()),
    };
    for _ in 0..2 {
        let found = ctx.connect().find(&query).await.map_err(|e| e.to_string())?;
        holds(found.found.is_empty() && !found.more, "an unknown customer was found")?;
    }
    // A contact made by the look-up itself would be found by its address now, or by its number once indexed.
    let again = ctx.find_until(&by_email(query.email.as_deref().unwrap_or_default()), |_| true).await?;
    holds(again.is_empty(), "a look-up made a contact")?;
    holds(ctx.sandbox.log_records().await.len() == before, "a look-up made a case")
}

pub(super) async fn a_look_up_takes_any_text(ctx: &Ctx<'_>) -> Verdict {
    let connector = ctx.connect();
    for text in [
        "' OR Id != '",
        "\\' OR '1'='1",
        "%",
        "*",
        "?",
        "\"",
        "} RETURNING User",
        "a@b' OR Email LIKE '%",
        "((((",
        "\u{0}\u{7}\n\r\t",
        "😀@😀.org",
        "שלום@דוגמה.org",
        "+44 20 7946' 0000",
        "AND OR NOT",
        "a@b.org\\",
    ] {
        let text = text.to_owned();
        let query =
            Query { phone: Some(text.clone()), email: Some(text.clone()), case_number: Some(text.clone()) };
        let found = connector.find(&query).await.map_err(|e| format!("{text:?}: {e}"))?;
        holds(found.found.is_empty(), format!("{text:?} matched something"))?;
    }
    let long = "9".repeat(100_000);
    let query = Query {
        phone: Some(long.clone()),
        email: Some(format!("{long}@example.org")),
        case_number: Some(long),
    };
    let found = connector.find(&query).await.map_err(|e| format!("a very long text: {e}"))?;
    holds(found.found.is_empty(), "a very long text matched something")
}

pub(super) async fn a_new_contact_is_made_once(ctx: &Ctx<'_>) -> Verdict {
    let email = ctx.email();
    let person = Person {
        name: Some("Ada Kit".into()),
        email: Some(email.clone()),
        phone: Some(format!("+4420{}", ctx.line())),
        ..Person::default()
    };
    let new = NewContact { key: ctx.log().key(), person };
    let first = ctx.connect().create_contact(&new).await.map_err(|e| e.to_string())?;
    let again = ctx.connect().create_contact(&new).await.map_err(|e| e.to_string())?;
    holds(first.record == again.record, "the same key made two contacts")?;
    holds(first.title.contains("Ada"), "the new contact's name is not given back")?;
    let found = ctx.find_until(&by_email(&email), |found| !found.is_empty()).await?;
    holds(found.len() == 1 && found[0].record == first.record, "the new contact is not found by its address")
}

pub(super) async fn history_is_newest_first(ctx: &Ctx<'_>) -> Verdict {
    let ada = ctx.contact("Ada Kit", Some(&ctx.email()), None).await?;
    let mut records = Vec::new();
    for _ in 0..3 {
        let mut log = ctx.log();
        log.contact = Some(ada.clone());
        records.insert(0, ctx.deliver(&log, &mut Progress::default()).await?.record);
    }
    let connector = ctx.connect();
    let all = connector.history(&ada, 10).await.map_err(|e| e.to_string())?;
    let seen: Vec<_> = all.iter().map(|entry| entry.record.clone()).collect();
    let same_set = seen.len() == 3 && records.iter().all(|r| seen.contains(r));
    holds(same_set, format!("3 records are the contact's, {} are listed", seen.len()))?;
    holds(all.windows(2).all(|pair| pair[0].at >= pair[1].at), "history is not newest first")?;
    let two = connector.history(&ada, 2).await.map_err(|e| e.to_string())?;
    holds(two.len() == 2, "the limit of a history is not kept")
}

pub(super) async fn a_pop_names_the_record(ctx: &Ctx<'_>) -> Verdict {
    let email = ctx.email();
    let ada = ctx.contact("Ada Kit", Some(&email), None).await?;
    let connector = ctx.connect();
    connector.find(&by_email(&email)).await.map_err(|e| e.to_string())?;
    match connector.pop(&ada) {
        PopTarget::Record { record, url } => {
            holds(record == ada, "a pop names another record")?;
            holds(url.is_some_and(|url| url.contains(ada.id.as_str())), "a pop has no link to its record")?;
        }
        PopTarget::NewRecord { .. } | PopTarget::Search { .. } => {
            return Err("a record pops as something else".into());
        }
    }
    let person = Person { name: Some("Ada Kit".into()), email: Some(email.clone()), ..Person::default() };
    match connector.pop_new(&person) {
        PopTarget::NewRecord { fields, .. } => {
            holds(fields.iter().any(|(_, value)| *value == email), "a new form does not carry the address")
        }
        PopTarget::Record { .. } | PopTarget::Search { .. } => {
            Err("a new form pops as something else".into())
        }
    }
}
