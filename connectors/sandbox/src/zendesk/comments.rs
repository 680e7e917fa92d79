//! Comments, files and their removal (sheet 2.3, 2.4).

use super::account::{Attachment, Comment, Ticket, Upload, now, stamp};
use super::answer::{Answer, ApiError, Payload, Result};
use super::switches::LongComment;
use super::world::{Call, World, number, text};
use serde_json::{Map, Value, json};

/// Largest file, in bytes.
const FILE_MAX: usize = 50 << 20;
/// What stands where something was redacted.
const REDACTED: char = '▇';

/// A comment that keeps all rules and is not yet written.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub(super) author_id: u64,
    pub(super) body: String,
    pub(super) html: String,
    pub(super) public: bool,
    pub(super) uploads: Vec<String>,
    pub(super) voice: Option<Value>,
}

/// Text as HTML, the way comments come back: wrapped, lines as `<br>`.
pub(super) fn html_of(body: &str) -> String {
    let escaped = body.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let paragraphs: Vec<String> = escaped
        .split("\n\n")
        .map(|p| format!("<p dir=\"auto\">{}</p>", p.trim_matches('\n').replace('\n', "<br>")))
        .collect();
    format!("<div class=\"zd-comment\" dir=\"auto\">{}</div>", paragraphs.join(""))
}

/// HTML as text: tags away, entities as characters. Just enough for what clients send.
fn text_of(html: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    let broken =
        html.replace("<br>", "\n").replace("<br/>", "\n").replace("<br />", "\n").replace("</p>", "\n\n");
    for c in broken.chars() {
        match c {
            '<' => inside = true,
            '>' if inside => inside = false,
            c if !inside => out.push(c),
            _ => {}
        }
    }
    let out = out.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
    out.replace("&nbsp;", " ").replace("&amp;", "&").trim().to_owned()
}

impl World {
    /// A comment on a ticket that is there: nothing when there is nothing in it.
    pub(super) fn prepare_new_comment(
        &mut self,
        call: &Call,
        given: &Map<String, Value>,
        ticket: &Ticket,
    ) -> Result<Option<Prepared>> {
        let count = self.account.comments.get(&ticket.id).map_or(0, Vec::len);
        if count >= self.switches.comments_max {
            let says = format!(
                "Comments: the ticket has reached its maximum of {} comments",
                self.switches.comments_max
            );
            return Err(ApiError::field("base", says, "TooManyComments"));
        }
        let has_text = ["body", "html_body"].iter().any(|n| text(given.get(*n)).is_some());
        let has_more = given.contains_key("uploads") || given.contains_key("voice_comment");
        if !has_text && !has_more {
            return Ok(None);
        }
        self.prepare_comment(call, given, ticket).map(Some)
    }

    /// Checks a comment and takes its parts.
    pub(super) fn prepare_comment(
        &mut self,
        call: &Call,
        given: &Map<String, Value>,
        ticket: &Ticket,
    ) -> Result<Prepared> {
        let known = [
            "body",
            "html_body",
            "public",
            "author_id",
            "uploads",
            "voice_comment",
            "type",
            "id",
            "channel_back",
        ];
        self.note_unknown("ticket.comment", given, &known);
        let author_id = match given.get("author_id").filter(|v| !v.is_null()) {
            None => call.who,
            Some(id) => {
                let found = number(id).filter(|id| self.account.user(*id).is_some_and(|u| u.active));
                found.ok_or_else(|| ApiError::field("author", "Author: is invalid", "InvalidValue"))?
            }
        };
        let (body, html) = match (text(given.get("html_body")), text(given.get("body"))) {
            (Some(html), _) => {
                (text_of(&html), format!("<div class=\"zd-comment\" dir=\"auto\">{html}</div>"))
            }
            (None, Some(body)) => {
                let body = self.fitting(body)?;
                (body.clone(), html_of(&body))
            }
            (None, None) => (String::new(), html_of("")),
        };
        if html.len() > self.switches.comment_bytes_max.saturating_mul(2)
            && self.switches.long_comment == LongComment::Refuse
        {
            return Err(self.too_long());
        }
        let uploads: Vec<String> = match given.get("uploads") {
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            // A bare text was taken too (recorded).
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => Vec::new(),
        };
        self.account.uploads.retain(|_, u| u.until > now());
        let unknown = uploads.iter().find(|token| !self.account.uploads.contains_key(*token));
        if let (Some(_), true) = (unknown, self.switches.unknown_upload_refused) {
            return Err(ApiError::field("base", "Uploads: token is invalid or has expired", "InvalidValue"));
        }
        // The first comment is public unless it says; later ones are as the one before (sheet 2.3).
        let public = given.get("public").and_then(|p| p.as_bool().or_else(|| Some(p.as_str()? == "true")));
        let public = public.unwrap_or(ticket.public);
        Ok(Prepared { author_id, body, html, public, uploads, voice: given.get("voice_comment").cloned() })
    }

    fn too_long(&self) -> ApiError {
        let says = format!("Comment: is too long (maximum is {} bytes)", self.switches.comment_bytes_max);
        ApiError::field("comment", says, "ValueTooLong")
    }

    /// A text within the limit: counted in bytes after escaping.
    fn fitting(&self, mut body: String) -> Result<String> {
        let most = self.switches.comment_bytes_max;
        let weight = |c: char| match c {
            '&' => 5,
            '<' | '>' => 4,
            c => c.len_utf8(),
        };
        let mut bytes = 0;
        let over = body.char_indices().find(|(_, c)| {
            bytes += weight(*c);
            bytes > most
        });
        if let Some((at, _)) = over {
            match self.switches.long_comment {
                LongComment::Refuse => return Err(self.too_long()),
                LongComment::Truncate => body.truncate(at),
            }
        }
        Ok(body)
    }

    /// Writes a comment and gives its event for the audit.
    pub(super) fn put_comment(
        &mut self,
        call: &Call,
        ticket_id: u64,
        audit_id: u64,
        prepared: Prepared,
        custom: Map<String, Value>,
    ) -> Value {
        let Prepared { author_id, body, html, public, uploads, voice } = prepared;
        let files = uploads.iter().filter_map(|t| self.account.uploads.remove(t)).flat_map(|u| u.attachments);
        let attachments: Vec<Attachment> = files.collect();
        let kind = if voice.is_some() { "VoiceComment" } else { "Comment" };
        let (body, html) = match &voice {
            Some(call) if body.is_empty() => {
                let said = super::voice::described(call);
                (said.clone(), html_of(&said))
            }
            Some(_) | None => (body, html),
        };
        let id = self.account.mint();
        let comment = Comment {
            id,
            kind,
            author_id,
            body,
            html,
            public,
            attachments,
            audit_id,
            custom,
            data: voice,
            client: call.agent.clone(),
            at: now(),
        };
        let mut event = self.urls.comment(&comment);
        if let Some(event) = event.as_object_mut() {
            event.remove("created_at");
            event.remove("metadata");
            event.remove("via");
        }
        self.account.comments.entry(ticket_id).or_default().push(comment);
        if let Some(ticket) = self.account.tickets.get_mut(&ticket_id)
            && ticket.description.is_empty()
        {
            ticket.description = event["body"].as_str().unwrap_or_default().to_owned();
        }
        event
    }

    /// `/tickets/{id}/comments…`.
    pub(super) fn ticket_comments(&mut self, call: &Call, ticket: &Ticket, rest: &[&str]) -> Result {
        match (call.method.as_str(), rest) {
            ("GET", ["comments"]) => {
                let mut all: Vec<&Comment> =
                    self.account.comments.get(&ticket.id).into_iter().flatten().collect();
                let newest = call.of("sort_order") == Some("desc")
                    || call.of("sort").is_some_and(|s| s.starts_with('-'));
                if newest {
                    all.reverse();
                }
                let rows: Vec<Value> = all.iter().map(|c| self.urls.comment(c)).collect();
                let mut answer = self.page(call, "comments", rows)?;
                if let (Some("users"), Payload::Json(body)) = (call.of("include"), &mut answer.payload) {
                    let mut ids: Vec<u64> = all.iter().map(|c| c.author_id).collect();
                    ids.sort_unstable();
                    ids.dedup();
                    body["users"] = ids
                        .iter()
                        .filter_map(|id| self.account.user(*id))
                        .map(|u| self.urls.user(u))
                        .collect();
                }
                Ok(answer)
            }
            ("GET", ["comments", "count"]) => {
                let count = self.account.comments.get(&ticket.id).map_or(0, Vec::len);
                Ok(Answer::json(200, json!({"count": {"value": count, "refreshed_at": stamp(now())}})))
            }
            ("PUT", ["comments", id, "make_private"]) => {
                self.own_comment(ticket, id)?.public = false;
                self.account.revision += 1;
                Ok(Answer::json(200, json!({})))
            }
            ("PUT", ["comments", id, "redact"]) => {
                let text = call.json.as_ref().and_then(|j| j["text"].as_str()).unwrap_or_default().to_owned();
                let comment = self.own_comment(ticket, id)?;
                if text.is_empty() || !comment.body.contains(&text) {
                    return Err(ApiError::field(
                        "text",
                        "Text: was not found in the comment",
                        "InvalidValue",
                    ));
                }
                comment.body = comment.body.replace(&text, &blocks(&text));
                comment.html = html_of(&comment.body);
                let body = comment.clone();
                self.redacted(ticket.id);
                Ok(Answer::json(200, json!({"comment": self.urls.comment(&body)})))
            }
            ("PUT", ["comments", id, "attachments", file, "redact"]) => {
                let file: u64 = file.parse().map_err(|_| ApiError::not_found())?;
                let comment = self.own_comment(ticket, id)?;
                let found =
                    comment.attachments.iter_mut().find(|a| a.id == file).ok_or_else(ApiError::not_found)?;
                redact_file(found);
                let shown = found.clone();
                self.account.revision += 1;
                Ok(Answer::json(200, json!({"attachment": self.urls.attachment(&shown)})))
            }
            _ => Err(ApiError::not_found()),
        }
    }

    fn own_comment(&mut self, ticket: &Ticket, id: &str) -> Result<&mut Comment> {
        let id: u64 = id.parse().map_err(|_| ApiError::not_found())?;
        let all = self.account.comments.get_mut(&ticket.id);
        all.and_then(|all| all.iter_mut().find(|c| c.id == id)).ok_or_else(ApiError::not_found)
    }

    /// The first comment is the description; what is gone from it is gone there, too.
    fn redacted(&mut self, ticket_id: u64) {
        let first = self.account.comments.get(&ticket_id).and_then(|all| all.first()).map(|c| c.body.clone());
        if let (Some(mut ticket), Some(first)) = (self.account.ticket(ticket_id).cloned(), first) {
            ticket.description = first;
            self.account.put_ticket(ticket);
        }
    }

    /// `/comment_redactions`, `/uploads`, `/attachments`.
    pub(super) fn comments_and_files(&mut self, call: &Call, path: &[&str]) -> Result {
        match (call.method.as_str(), path) {
            ("PUT", ["comment_redactions", id]) => self.redact_in_workspace(call, id),
            ("POST", ["uploads"]) => self.upload(call),
            ("DELETE", ["uploads", token]) => {
                self.account.uploads.remove(*token).map(|_| Answer::nothing()).ok_or_else(ApiError::not_found)
            }
            ("GET", ["attachments", id]) => {
                let found = id.parse().ok().and_then(|id| self.account.attachment(id)).cloned();
                let found = found.ok_or_else(ApiError::not_found)?;
                Ok(Answer::json(200, json!({"attachment": self.urls.attachment(&found)})))
            }
            _ => Err(ApiError::not_found()),
        }
    }

    /// Redaction as Agent Workspace does it: what stands in `<redact>` in the given HTML goes, and files by address.
    fn redact_in_workspace(&mut self, call: &Call, id: &str) -> Result {
        let body = call.json.clone().unwrap_or_default();
        let ticket_id = body
            .get("ticket_id")
            .and_then(number)
            .ok_or_else(|| ApiError::attribute("ticket_id", "Invalid parameter: ticket_id is missing"))?;
        let ticket = self.account.ticket(ticket_id).cloned().ok_or_else(ApiError::not_found)?;
        if ticket.status == "closed" {
            return Err(ApiError::field("status", "Status: closed prevents ticket update", "InvalidValue"));
        }
        let files: Vec<String> = body["external_attachment_urls"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|u| u.as_str().map(str::to_owned))
            .collect();
        let comment = self.own_comment(&ticket, id)?;
        if let Some(html) = body["html_body"].as_str() {
            comment.html = redact_marked(html);
            comment.body = text_of(&comment.html);
        }
        for file in &mut comment.attachments {
            if files.iter().any(|url| url.contains(&format!("/token/{}/", file.id))) {
                redact_file(file);
            }
        }
        let shown = comment.clone();
        self.redacted(ticket_id);
        Ok(Answer::json(200, json!({"comment": self.urls.comment(&shown)})))
    }

    fn upload(&mut self, call: &Call) -> Result {
        let name = call.of("filename").filter(|n| !n.is_empty());
        let Some(name) = name.map(str::to_owned) else {
            return Err(ApiError::attribute("filename", "Invalid parameter: filename is missing"));
        };
        if call.content_type.starts_with("multipart/") {
            return Err(ApiError::new(
                422,
                "AttachmentUnprocessable",
                "The body is the file itself, not a form",
            ));
        }
        if call.raw.len() > FILE_MAX {
            return Err(ApiError::new(413, "AttachmentTooLarge", "The file is larger than 50 MB"));
        }
        let token = match call.of("token") {
            None => format!("{:032x}", rand::random::<u128>()),
            Some(token) => {
                let there = self.account.uploads.contains_key(token);
                there
                    .then(|| token.to_owned())
                    .ok_or_else(|| ApiError::new(422, "InvalidToken", "The upload token is not valid"))?
            }
        };
        let kind = if call.content_type.is_empty() { "application/octet-stream" } else { &call.content_type };
        let attachment = Attachment {
            id: self.account.mint(),
            name,
            content_type: kind.to_owned(),
            content: call.raw.to_vec(),
            redacted: false,
        };
        let until =
            now() + time::Duration::seconds(i64::try_from(self.switches.upload_s).unwrap_or(i64::MAX / 4));
        let upload =
            self.account.uploads.entry(token.clone()).or_insert(Upload { attachments: Vec::new(), until });
        upload.attachments.push(attachment.clone());
        let all: Vec<Value> = upload.attachments.clone().iter().map(|a| self.urls.attachment(a)).collect();
        let body = json!({"upload": {"token": token, "expires_at": stamp(until), "attachments": all,
            "attachment": self.urls.attachment(&attachment)}});
        Ok(Answer { status: 201, payload: Payload::JsonAsText(body), headers: Vec::new() })
    }
}

/// As many blocks as there were characters.
fn blocks(text: &str) -> String {
    text.chars().map(|_| REDACTED).collect()
}

fn redact_file(file: &mut Attachment) {
    file.name = "redacted.txt".into();
    file.content = Vec::new();
    file.content_type = "text/plain".into();
    file.redacted = true;
}

fn redact_marked(html: &str) -> String {
    let mut out = String::new();
    let mut rest = html;
    while let Some((before, after)) = rest.split_once("<redact>") {
        let (inside, behind) = after.split_once("</redact>").unwrap_or((after, ""));
        out.push_str(before);
        out.push_str(&blocks(&text_of(inside)));
        rest = behind;
    }
    out.push_str(rest);
    out
}
