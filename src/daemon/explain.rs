//! `tieline explain`: why a chat is where it is, and what happened to it, as operators read it.

use super::cli;
use crate::settings::Settings;
use anyhow::Context;
use std::io::Write;
use tieline_model::timeline::Explained;

/// What is asked.
#[derive(Debug, clap::Args)]
pub(super) struct Asked {
    /// The chat or call.
    interaction: tieline_model::InteractionId,
    /// Its contact centre. Default: all are looked through.
    #[arg(long)]
    tenant: Option<tieline_model::TenantId>,
    /// Prints the answer of the daemon as JSON.
    #[arg(long)]
    json: bool,
}

/// Asks the running daemon and prints what it says.
///
/// # Errors
/// No daemon answers, or it knows nothing of the id.
pub(super) async fn explain(settings: &Settings, asked: Asked) -> anyhow::Result<()> {
    let arguments = serde_json::json!({ "tenant": asked.tenant, "interaction": asked.interaction });
    super::install_crypto();
    let answer = cli::ask(settings.http.admin_listen, "explain", &arguments).await?;
    let text = if asked.json {
        format!("{answer:#}\n")
    } else {
        let explained = serde_json::from_value(answer).context("the daemon's answer cannot be read")?;
        readable(&explained)
    };
    // Whoever reads may stop reading (`| head`).
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}

/// The answer as a person reads it: sentences first, then two tables.
fn readable(explained: &Explained) -> String {
    let mut text = format!("{}\n", explained.interaction);
    for sentence in &explained.because {
        text.push_str(&format!("  {sentence}\n"));
    }
    let rows = explained.considered.iter().map(|one| vec![one.name.clone(), one.words.clone()]);
    text.push_str(&table("Agents of the queue", rows.collect()));
    let title = match explained.earlier {
        0 => "What happened (UTC)".to_owned(),
        more => format!("What happened (UTC), after {more} moments that are left out"),
    };
    let rows = explained.timeline.iter().map(|one| vec![clock(one.at), one.who.clone(), one.words.clone()]);
    text.push_str(&table(&title, rows.collect()));
    text
}

/// Rows with a title, each column as wide as its widest entry; nothing where there are none.
fn table(title: &str, rows: Vec<Vec<String>>) -> String {
    let Some(columns) = rows.first().map(Vec::len) else { return String::new() };
    let chars = |text: &String| text.chars().count();
    let width = |column: usize| rows.iter().map(|row| chars(&row[column])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = format!("\n{title}\n");
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(&format!("  {}\n", cells.collect::<Vec<_>>().join("  ").trim_end()));
    }
    text
}

/// A moment to the millisecond.
fn clock(at: tieline_model::Timestamp) -> String {
    let moment = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1_000_000);
    let form = time::macros::format_description!(
        "[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:3]"
    );
    moment.ok().and_then(|moment| moment.format(&form).ok()).unwrap_or_else(|| at.0.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tieline_model::timeline::{AgentStanding, Moment};
    use tieline_model::{InteractionId, Seq, Timestamp};

    #[test]
    fn an_answer_is_aligned() {
        let standing = |agent: &str, name: &str, words: &str| AgentStanding {
            agent: agent.parse().unwrap(),
            name: name.to_owned(),
            words: words.to_owned(),
        };
        let moment = |seq, who: &str, words: &str| Moment {
            seq: Seq(seq),
            at: Timestamp(1_800_000_000_000 + i64::try_from(seq).unwrap()),
            event: "chat.started.v1".to_owned(),
            who: who.to_owned(),
            words: words.to_owned(),
        };
        let explained = Explained {
            interaction: InteractionId(uuid::Uuid::nil()),
            explanation: None,
            because: vec!["It waits.".to_owned()],
            considered: vec![
                standing("zoe", "Zoë Ó", "Offline"),
                standing("anna", "Anna Berg", "On Break (Lunch)"),
            ],
            timeline: vec![moment(7, "Customer", "came to Support"), moment(8, "Zoë Ó", "missed the offer")],
            earlier: 0,
        };
        let wanted = "00000000-0000-0000-0000-000000000000\n  It waits.\n\n\
            Agents of the queue\n  Zoë Ó      Offline\n  Anna Berg  On Break (Lunch)\n\n\
            What happened (UTC)\n  2027-01-15 08:00:00.007  Customer  came to Support\n  \
            2027-01-15 08:00:00.008  Zoë Ó     missed the offer\n";
        assert_eq!(readable(&explained), wanted);
    }
}
