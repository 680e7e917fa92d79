//! Files in chats (B18): taken from customers and agents, looked at, scanned, kept with what was said, and given back to
//! those who are or were at the chat. Never shown in a page of ours: a browser may only save them.

use super::answer::{Answer, closing};
use super::api::{self, Whoever};
use super::media::{media_type, tidy_name};
use super::scan::{self, Verdict};
use super::{App, Shared};
use crate::drive::{self, Request};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tieline_engine::Engine;
use tieline_model::content::Content;
use tieline_model::crm::Side;
use tieline_model::live::FileTaken;
use tieline_model::policy::Attachments;
use tieline_model::{
    Actor, AgentId, Code, Command, CommandId, ContentId, ConversationId, Event, InteractionId, Refusal,
    TenantId, Wish,
};

/// Files that may be on their way in at once; each lies in memory meanwhile.
pub(super) const UPLOADS_MAX: usize = 8;
/// Longest file, whatever a queue allows.
const BYTES_MAX: u32 = 32 * 1024 * 1024;
/// Signatures counted by their names; further ones are counted together.
const SIGNATURES_MAX: usize = 100;
/// The file's name, percent-encoded UTF-8. Not in the address, which proxies log.
const NAME: &str = "x-file-name";
/// The message's id, so that a file sent again after a lost answer is the same message.
const MESSAGE: &str = "x-message-id";
/// Even a browser that shows it all the same runs nothing of it.
const POLICY: &str =
    "default-src 'none'; sandbox; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// How often which signature was found.
#[derive(Debug, Default)]
pub(super) struct Infected(Mutex<BTreeMap<String, u64>>);

impl Infected {
    fn add(&self, signature: &str) {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = found.contains_key(signature) || found.len() < SIGNATURES_MAX;
        *found.entry(if known { signature } else { "other" }.to_owned()).or_default() += 1;
    }

    pub(super) fn found(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// `POST /api/v1/{tenant}/chats/{id}/files`: the file as the body; `x-file-name` and `x-message-id` beside it.
pub(super) async fn upload(
    State(app): State<Shared>,
    Path((tenant, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<FileTaken>, Response> {
    let taken = take(&app, &tenant, &id, &headers, body).await;
    let counts = &app.counts;
    if taken.is_ok() {
        counts.files_taken.add()
    } else {
        counts.files_refused.add()
    }
    // What is left of the body of a refused file is not read.
    taken.map(Json).map_err(|refused| closing(refused.into_response()))
}

async fn take(
    app: &Shared,
    tenant: &str,
    id: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<FileTaken, Answer> {
    app.origins.check_if_any(headers)?;
    let who = api::whoever(app, headers, tenant, id)?;
    let (tenant, id) = (who.tenant().clone(), who.chat());
    if !may_go_on(app, &who) {
        app.counts.throttled.add();
        return Err(Answer::too_often("that was too fast; try again in a minute"));
    }
    let name = tidy_name(&header_text(headers, NAME)?);
    let message = header_text(headers, MESSAGE)?;
    let message: CommandId = message.parse().map_err(|bad| Answer::invalid(MESSAGE, format!("{bad}")))?;
    let by = who.actor();
    let its = by.clone();
    let (rules, conversation) =
        app.parts.drive.read(&tenant, move |engine| allowed(engine, &its, id)).await??;
    let _place = app.uploads.try_acquire().map_err(|_| {
        Refusal::new(Code::Busy, "too many files are on their way in; try again in a few seconds")
    })?;
    let bytes = read(headers, body, rules.bytes_max.min(BYTES_MAX)).await?;
    let kind = media_type(&bytes).filter(|kind| rules.types.iter().any(|taken| taken == kind));
    let kind = kind.ok_or_else(|| {
        let types = rules.types.join(", ");
        Answer::invalid("file", format!("files of this kind are not taken; send one of: {types}"))
    })?;
    look_for_viruses(app, &tenant, id, &bytes).await?;
    let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let content = Content::File { name: name.clone(), data: STANDARD.encode(&bytes) };
    let (file, kept) = drive::content(conversation, content);
    let wish = Wish::SendFile { interaction: id, file, media_type: kind.to_owned() };
    let mut request = Request::new(tenant, Command { id: message.clone(), by, wish });
    request.content.push(kept);
    app.parts.drive.submit(request).await?;
    Ok(FileTaken { message, name, media_type: kind.to_owned(), bytes: size })
}

/// Frames and files count together (F4).
fn may_go_on(app: &App, who: &Whoever) -> bool {
    let now = app.parts.clock.now();
    match who {
        Whoever::Customer(pass) => app.customer_frames.take((pass.tenant.clone(), pass.interaction), now),
        Whoever::Agent(pass, _) => app.agent_frames.take((pass.tenant.clone(), pass.agent.clone()), now),
    }
}

/// What the chat's queue takes from whoever may write in the chat now, before anything is read.
fn allowed(engine: &Engine, by: &Actor, id: InteractionId) -> Result<(Attachments, ConversationId), Refusal> {
    let side = engine.may_type(by, id)?;
    let none = || Refusal::new(Code::NotFound, "there is no such chat here");
    let chat = engine.chat(id).ok_or_else(none)?;
    let queue = chat.queue.as_ref().and_then(|queue| engine.policy().queues.get(queue)).ok_or_else(none)?;
    let rules = &queue.attachments;
    let may = match side {
        Side::Customer => rules.from_customer,
        Side::Agent => rules.from_agent,
        Side::System => false,
    };
    if !may {
        return Err(Refusal::new(Code::NotPermitted, "files cannot be sent in this chat").field("file"));
    }
    Ok((rules.clone(), chat.conversation))
}

async fn read(headers: &HeaderMap, body: Body, max: u32) -> Result<Vec<u8>, Answer> {
    let too_long = || {
        let message = format!("the file is longer than {max} bytes; make it smaller");
        let refusal = Refusal::new(Code::TooLong, message).field("file").limit(u64::from(max));
        Answer::new(StatusCode::PAYLOAD_TOO_LARGE, refusal)
    };
    let said = headers.get(header::CONTENT_LENGTH).and_then(|n| n.to_str().ok()?.parse::<u64>().ok());
    if said.is_some_and(|said| said > u64::from(max)) {
        return Err(too_long());
    }
    match Limited::new(body, max as usize).collect().await {
        Ok(read) => {
            let bytes: Vec<u8> = read.to_bytes().into();
            if bytes.is_empty() { Err(Answer::invalid("file", "the file is empty")) } else { Ok(bytes) }
        }
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(too_long()),
        Err(_) => Err(Answer::invalid("file", "the file ended early; send it again")),
    }
}

async fn look_for_viruses(
    app: &Shared,
    tenant: &TenantId,
    id: InteractionId,
    bytes: &[u8],
) -> Result<(), Answer> {
    let settings = &app.parts.settings.scan;
    match scan::scan(settings, bytes).await {
        Ok(Some(Verdict::Clean) | None) => Ok(()),
        Ok(Some(Verdict::Infected(signature))) => {
            app.infected.add(&signature);
            tracing::warn!(%tenant, interaction = %id, signature, bytes = bytes.len(), "an infected file was refused");
            Err(Answer::invalid("file", "the file was found to be harmful and has not been taken"))
        }
        Err(error) => {
            app.counts.files_unscanned.add();
            tracing::error!(%tenant, interaction = %id, error, required = settings.required, "a file could not be scanned");
            if !settings.required {
                return Ok(());
            }
            let message = "files cannot be checked for viruses right now; try again in a few minutes";
            Err(Refusal::new(Code::Unavailable, message).field("file").into())
        }
    }
}

/// `GET /api/v1/{tenant}/chats/{id}/files/{message}`: for the chat's customer, and for agents who have or had it.
pub(super) async fn download(
    State(app): State<Shared>,
    Path((tenant, id, message)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let found = find(&app, &tenant, &id, &message, &headers).await;
    let (name, kind, bytes) = found.map_err(IntoResponse::into_response)?;
    app.counts.files_read.add();
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    // One of the kinds that `media_type` knows.
    let kind = HeaderValue::from_str(&kind).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CONTENT_DISPOSITION, disposition(&name));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Ok(response)
}

async fn find(
    app: &Shared,
    tenant: &str,
    id: &str,
    message: &str,
    headers: &HeaderMap,
) -> Result<(String, String, Vec<u8>), Answer> {
    app.origins.check_if_any(headers)?;
    let who = api::whoever(app, headers, tenant, id)?;
    let none = || Answer::from(Refusal::new(Code::NotFound, "there is no such file here"));
    let store = app.parts.hub.contents().store();
    let unreadable = |error: crate::journal::Error| {
        tracing::error!(%error, "a file could not be read");
        let message = "the file cannot be read now; try again in a few seconds";
        Answer::from(Refusal::new(Code::Unavailable, message))
    };
    let rows = store.read_interaction(who.tenant(), who.chat()).await.map_err(unreadable)?;
    let mut sent: Option<(ContentId, String)> = None;
    let mut may = false;
    for row in &rows {
        may |= match &who {
            Whoever::Customer(pass) => {
                matches!(&row.event, Event::ChatStarted { conversation, .. } if *conversation == pass.conversation)
            }
            Whoever::Agent(pass, _) => got(&row.event) == Some(&pass.agent),
        };
        if let Event::FileSent { message: its, file, media_type, .. } = &row.event
            && its.as_str() == message
        {
            sent = Some((file.id, media_type.clone()));
        }
    }
    let (file, kind) = sent.filter(|_| may).ok_or_else(none)?;
    let content = store.content(who.tenant(), &[file]).await.map_err(unreadable)?;
    // Erased, if it is not there.
    let Some((_, Content::File { name, data })) = content.into_iter().next() else { return Err(none()) };
    let bytes = STANDARD.decode(data).map_err(|_| none())?;
    Ok((name, kind, bytes))
}

/// The agent who came to a chat by this event, to own it or to join it.
#[expect(clippy::wildcard_enum_match_arm, reason = "a few kinds of events bring an agent to a chat")]
fn got(event: &Event) -> Option<&AgentId> {
    match event {
        Event::OfferAccepted { agent, .. }
        | Event::ChatAssigned { agent, .. }
        | Event::GuestJoined { agent, .. }
        | Event::TransferAccepted { to: agent, .. }
        | Event::HandedOver { to: agent, .. } => Some(agent),
        _ => None,
    }
}

fn header_text(headers: &HeaderMap, name: &str) -> Result<String, Answer> {
    let said = headers.get(name).and_then(|said| said.to_str().ok());
    let said = said.ok_or_else(|| Answer::invalid(name, format!("the header `{name}` is missing")))?;
    let bad = || Answer::invalid(name, format!("the header `{name}` is not percent-encoded UTF-8"));
    decode(said).ok_or_else(bad)
}

fn decode(said: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(said.len());
    let mut rest = said.as_bytes();
    while let [first, after @ ..] = rest {
        let taken = match (first, after) {
            (b'%', [high, low, ..]) => {
                let digit =
                    |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                bytes.push(digit(high)? << 4 | digit(low)?);
                3
            }
            (b'%', _) => return None,
            (plain, _) => {
                bytes.push(*plain);
                1
            }
        };
        rest = &rest[taken..];
    }
    String::from_utf8(bytes).ok()
}

/// To be saved, under its name (RFC 6266); what is not plain ASCII goes percent-encoded (RFC 8187).
fn disposition(name: &str) -> HeaderValue {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_. ".contains(c) { c } else { '_' }).collect();
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    let value = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}");
    HeaderValue::from_str(&value).unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways_whatever_they_hold() {
        assert_eq!(decode("Gr%C3%BC%C3%9Fe%20%25.pdf").as_deref(), Some("Grüße %.pdf"));
        for bad in ["%", "%4", "%zz", "%ff"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
        assert_eq!(
            disposition("Grüße \"x\".pdf").to_str().unwrap(),
            "attachment; filename=\"Gr__e _x_.pdf\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%22x%22.pdf"
        );
    }

    #[test]
    fn so_many_signatures_are_counted_by_name() {
        let infected = Infected::default();
        (0..150).for_each(|n| infected.add(&format!("Virus-{n}")));
        infected.add("Virus-0");
        let found = infected.found();
        assert_eq!((found["Virus-0"], found["other"], found.len()), (2, 50, 101));
    }
}
