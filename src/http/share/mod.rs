//! `/share/{token}`: a transcript that an agent shared with its customer, for whoever holds the link until it expires
//! (B14). A page without scripts. What people wrote goes in as text, escaped; what agents whispered does not go in.

use super::Shared;
use super::drafts::{MessageDraft, Names, Readers, Refers, Told};
use super::limits::From;
use crate::auth::{Network, SharePass};
use crate::journal;
use aws_lc_rs::digest;
use axum::extract::{Extension, Path, State};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use http::{HeaderValue, StatusCode, header};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::LazyLock;
use tieline_engine::Engine;
use tieline_model::crm::Side;
use tieline_model::live::{Message, Said};
use tieline_model::{Event, InteractionId, Seq, ShareId, TenantId, Timestamp};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

const STYLE: &str = include_str!("style.css");
const DAY_AND_TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[day padding:none] [month repr:short] [year], [hour]:[minute] UTC");

/// Only this style, named by its hash; no scripts, no pictures, no frames, no forms.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = digest::digest(&digest::SHA256, STYLE.as_bytes());
    let hash = base64::engine::general_purpose::STANDARD.encode(hash);
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).expect("base64 is printable ASCII")
});

/// Where a customer reads a shared transcript; the same again for the same share.
pub(super) fn link(
    app: &Shared,
    tenant: &TenantId,
    interaction: InteractionId,
    share: ShareId,
    expires_at: Timestamp,
) -> String {
    let pass = SharePass { tenant: tenant.clone(), interaction, share, expires_at };
    let token = app.parts.auth.tokens().share(&pass);
    let base = app.parts.settings.http.public_url.as_deref().unwrap_or_default();
    format!("{}/share/{token}", base.trim_end_matches('/'))
}

/// The page.
pub(super) async fn page(
    State(app): State<Shared>,
    Path(token): Path<String>,
    Extension(From(address)): Extension<From>,
) -> Response {
    if !app.shares.take(Network::of(address), app.parts.clock.now()) {
        app.counts.throttled.add();
        let words = "Too many pages were asked for from your address. Please try again in a minute.";
        let mut response = plain(StatusCode::TOO_MANY_REQUESTS, "Please wait", words);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        return response;
    }
    let Ok(pass) = app.parts.auth.tokens().read_share(&token) else { return unknown() };
    match transcript(&app, &pass).await {
        Ok(Found::Transcript(html)) => {
            app.counts.shares_read.add();
            with_headers(StatusCode::OK, html)
        }
        Ok(Found::Nothing) => unknown(),
        Ok(Found::Gone) => {
            let words = "This link has expired. Ask the people you chatted with for a new one.";
            plain(StatusCode::GONE, "No longer available", words)
        }
        Err(error) => {
            tracing::error!(tenant = %pass.tenant, %error, "a shared transcript could not be read");
            let words = "The transcript cannot be shown right now. Please try again in a minute.";
            plain(StatusCode::SERVICE_UNAVAILABLE, "Please try again", words)
        }
    }
}

enum Found {
    Transcript(String),
    /// Its time is over, or the customer was erased.
    Gone,
    Nothing,
}

async fn transcript(app: &Shared, pass: &SharePass) -> Result<Found, journal::Error> {
    let look = |engine: &Engine| -> Names {
        engine.policy().agents.iter().map(|(id, agent)| (id.clone(), agent.name.clone())).collect()
    };
    let Ok(names) = app.parts.drive.read(&pass.tenant, look).await else { return Ok(Found::Nothing) };
    let contents = app.parts.hub.contents();
    let rows = contents.store().read_interaction(&pass.tenant, pass.interaction).await?;
    let shared = rows.iter().find_map(|row| {
        let Event::HistoryShared { share, expires_at, .. } = &row.event else { return None };
        (*share == pass.share).then_some(*expires_at)
    });
    let Some(expires_at) = shared else { return Ok(Found::Nothing) };
    if app.parts.clock.now() >= expires_at {
        return Ok(Found::Gone);
    }
    let told = Told::from_rows(&rows, Seq(u64::MAX), &names, Readers::Customer);
    let mut ids = BTreeSet::from_iter(told.person);
    told.messages.refs(&mut ids);
    let known = contents.get(&pass.tenant, ids).await?;
    if told.person.is_none_or(|person| !known.has(person)) {
        return Ok(Found::Gone);
    }
    let said: Vec<Message> =
        told.messages.into_iter().map(|draft: MessageDraft| draft.fill(&known)).collect();
    let centre = app.parts.settings.tenant(&pass.tenant).and_then(|its| its.name.clone());
    Ok(Found::Transcript(render(centre.as_deref(), &said, expires_at)))
}

fn render(centre: Option<&str>, said: &[Message], expires_at: Timestamp) -> String {
    let title = centre.map_or_else(|| "Your chat".to_owned(), |centre| format!("Your chat with {centre}"));
    let mut body = format!(
        "<h1>{}</h1>\n<p class=\"about\">This page can be read until {}. Times are in UTC.</p>\n<ol>\n",
        escape(&title),
        time_tag(expires_at)
    );
    for message in said {
        let (class, who) = match message.from {
            Side::Customer => ("customer", message.name.as_str()),
            Side::Agent => ("agent", message.name.as_str()),
            Side::System => ("system", "Notice"),
        };
        let words = match &message.said {
            Said::Words | Said::Notice { .. } => message.text.clone(),
            Said::File { bytes, .. } => format!("File: {} ({})", message.text, size(*bytes)),
            Said::Shared { .. } => "Shared this transcript.".to_owned(),
            // Not for customers; whoever read the rows for one has left them out already.
            Said::Whisper | Said::Note => continue,
        };
        let _ = writeln!(
            body,
            "<li class=\"{class}\"><p class=\"who\"><strong><bdi>{}</bdi></strong> {}</p><p class=\"text\" dir=\"auto\">{}</p></li>",
            escape(who),
            time_tag(message.at),
            escape(&words)
        );
    }
    body.push_str("</ol>");
    document(&title, &body)
}

fn document(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"robots\" content=\"noindex, nofollow\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )
}

fn plain(status: StatusCode, title: &str, words: &str) -> Response {
    with_headers(status, document(title, &format!("<h1>{}</h1>\n<p>{}</p>", escape(title), escape(words))))
}

fn unknown() -> Response {
    let words = "There is no transcript at this address. Check that the link is complete.";
    plain(StatusCode::NOT_FOUND, "Not found", words)
}

fn with_headers(status: StatusCode, html: String) -> Response {
    let mut response = (status, Html(html)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    headers.insert("x-robots-tag", HeaderValue::from_static("noindex, nofollow"));
    // The address is the key; no other page is told it.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn time_tag(at: Timestamp) -> String {
    let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1_000_000).ok();
    let both = moment.and_then(|at| Some((at.format(&Rfc3339).ok()?, at.format(DAY_AND_TIME).ok()?)));
    both.map(|(machine, people)| format!("<time datetime=\"{machine}\">{people}</time>")).unwrap_or_default()
}

fn size(bytes: u32) -> String {
    match bytes {
        0..1_024 => format!("{bytes} bytes"),
        1_024..1_048_576 => format!("{} KB", bytes / 1_024),
        1_048_576.. => format!("{:.1} MB", f64::from(bytes) / 1_048_576.0),
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_anybody_wrote_becomes_markup(name in ".*", text in ".*") {
            let message = Message {
                id: "m".parse().unwrap(),
                seq: 1,
                at: Timestamp(0),
                from: Side::Customer,
                name,
                text,
                said: Said::Words,
            };
            let page = render(None, &[message], Timestamp(0));
            let empty = render(None, &[], Timestamp(0));
            let tags = |page: &str| page.matches('<').count();
            // One line of a transcript has so many tags, whatever stands in it.
            prop_assert_eq!(tags(&page) - tags(&empty), 12);
        }
    }

    #[test]
    fn times_say_their_zone_and_sizes_their_unit() {
        assert_eq!(
            time_tag(Timestamp(1_800_000_000_000)),
            "<time datetime=\"2027-01-15T08:00:00Z\">15 Jan 2027, 08:00 UTC</time>"
        );
        assert_eq!((size(9).as_str(), size(2_048).as_str()), ("9 bytes", "2 KB"));
        assert_eq!(size(5 * 1_048_576), "5.0 MB");
    }
}
