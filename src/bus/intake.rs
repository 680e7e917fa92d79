//! From the envelope of a producer to a request for the engines. Pure: ids are minted by whoever calls.
//!
//! Broker and `POST /api/v1/{tenant}/events` share it, so a message means the same whichever way it came. No text of
//! a rejection repeats what the message held, because rejections are logged and parked in the clear.

use crate::drive::{self, Request};
use crate::journal::{Handle, NewContent};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use tieline_connector_api::phone::{self, Country};
use tieline_model::content::{CallNumbers, Content};
use tieline_model::crm::Direction;
use tieline_model::envelope::TYPE_PREFIX;
use tieline_model::{
    Actor, CallFact, CallId, Code, Command, CommandId, ConversationId, InteractionId, QueueId, Refusal,
    TenantId, Wish,
};
use uuid::Uuid;

/// Longest message a producer may send, in bytes.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Longest `source`, in bytes.
pub const SOURCE_BYTES_MAX: usize = 128;
/// Longest phone number or SIP address, in bytes.
pub const NUMBER_BYTES_MAX: usize = 256;
/// Longest address of a recording, in bytes.
const URL_BYTES_MAX: usize = 2_048;
/// At most so many agents can ring at once.
pub const AGENTS_MAX: usize = 100;
/// Longest agent id or extension, in bytes.
pub const AGENT_BYTES_MAX: usize = 64;

/// What producers may send, without [`TYPE_PREFIX`].
const KINDS: [&str; 8] = [
    "call.ringing.v1",
    "call.dialled.v1",
    "call.answered.v1",
    "call.held.v1",
    "call.resumed.v1",
    "call.transferred.v1",
    "call.ended.v1",
    "call.recording_ready.v1",
];

/// Why a message of a producer was not carried out. Nothing was changed by it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Rejected {
    /// What kind of fault it is.
    pub code: Code,
    /// The field at fault (`data.agents`), where there is one.
    pub field: Option<String>,
    /// The limit that was passed, where there is one.
    pub limit: Option<u64>,
    /// What, why, and the way out; never what the message held.
    pub message: String,
}

impl Rejected {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, field: None, limit: None, message: message.into() }
    }
    fn field(code: Code, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..Self::new(code, message) }
    }
    fn limit(mut self, limit: usize) -> Self {
        self.limit = u64::try_from(limit).ok();
        self
    }
}

impl From<Refusal> for Rejected {
    fn from(refusal: Refusal) -> Self {
        Self { code: refusal.code, field: refusal.field, limit: refusal.limit, message: refusal.message }
    }
}

impl From<Rejected> for Refusal {
    fn from(rejected: Rejected) -> Self {
        Self { code: rejected.code, message: rejected.message, field: rejected.field, limit: rejected.limit }
    }
}

/// Translates what producers write. Knows the tenants and in which country each reads a number.
#[derive(Debug, Clone, Default)]
pub struct Intake {
    tenants: BTreeMap<TenantId, Option<Country>>,
}

impl Intake {
    /// For these tenants; a number without country code is read as one of the tenant's country.
    #[must_use]
    pub fn new(tenants: BTreeMap<TenantId, Option<Country>>) -> Self {
        Self { tenants }
    }

    /// Whether messages for this contact centre are read at all.
    pub(super) fn knows(&self, tenant: &TenantId) -> bool {
        self.tenants.contains_key(tenant)
    }

    /// The contact centres for which messages are read: all of the settings, whichever process serves them.
    pub(super) fn tenants(&self) -> Vec<TenantId> {
        self.tenants.keys().cloned().collect()
    }

    /// Reads a message. `only` is the tenant the producer was let in for, where that is known (over HTTP). `mint`
    /// gives the ids an interaction gets if this is the first word of it.
    ///
    /// # Errors
    /// The first thing that is wrong, with the way out.
    pub fn translate(
        &self,
        body: &[u8],
        only: Option<&TenantId>,
        mint: &mut dyn FnMut() -> Uuid,
    ) -> Result<Request, Rejected> {
        let envelope = parse(body)?;
        let fields = Fields { at: "", map: &envelope };
        check_form(&fields)?;
        let kind = kind(&fields)?;
        let id = CommandId::new(fields.required("id")?).map_err(|_| {
            Rejected::field(
                Code::Invalid,
                "id",
                "`id` must be 1 to 128 printable ASCII characters without spaces; a UUID is a good choice",
            )
            .limit(128)
        })?;
        let source = source(&fields)?;
        let tenant = self.tenant(&fields, only)?;
        let Some(Value::Object(data)) = envelope.get("data") else {
            return Err(Rejected::field(Code::Invalid, "data", "`data` must be a JSON object"));
        };
        let data = Fields { at: "data.", map: data };
        let by = Actor::Producer { name: source };
        let interaction = InteractionId(mint());
        let conversation = ConversationId(mint());
        let said = said(kind, &data, conversation, self.country(&tenant))?;
        let wish = Wish::ReportCall { call: call(&data)?, interaction, conversation, fact: said.fact };
        let mut request = Request::new(tenant, Command { id, by, wish });
        request.content.extend(said.content);
        request.handles.extend(said.handle.map(|handle| (conversation, handle)));
        Ok(request)
    }

    fn country(&self, tenant: &TenantId) -> Option<Country> {
        self.tenants.get(tenant).copied().flatten()
    }

    fn tenant(&self, fields: &Fields<'_>, only: Option<&TenantId>) -> Result<TenantId, Rejected> {
        let text = fields.required("tenant")?;
        let known = TenantId::new(text).ok().filter(|t| self.tenants.contains_key(t));
        let known = known.filter(|t| only.is_none_or(|only| only == t));
        known.ok_or_else(|| {
            Rejected::field(
                Code::NotFound,
                "tenant",
                "`tenant` names no contact centre of this daemon that you may write for; ask its operator for the id",
            )
        })
    }
}

/// What a message says about a call.
struct Said {
    fact: CallFact,
    content: Option<NewContent>,
    /// By what the call's conversation is found again.
    handle: Option<Handle>,
}

fn said(
    kind: Kind,
    data: &Fields<'_>,
    conversation: ConversationId,
    country: Option<Country>,
) -> Result<Said, Rejected> {
    let bare = |fact: CallFact| Said { fact, content: None, handle: None };
    match kind {
        Kind::Ringing => {
            data.only(&["call", "from", "to", "agents", "queue", "direction"])?;
            let Ringing { numbers, agents, queue, withheld, direction } = Ringing::read(data)?;
            let handle = handle(&numbers, direction, country);
            let (numbers, content) = drive::content(conversation, Content::Call { numbers });
            let fact = CallFact::Ringing { agents, queue, numbers, withheld, direction };
            Ok(Said { fact, content: Some(content), handle })
        }
        Kind::Dialled => {
            data.only(&["call", "agent", "from", "to", "queue"])?;
            let agent = agent(data.required("agent")?, "data.agent")?;
            data.required("to")?;
            let numbers = CallNumbers { from: data.number("from")?, to: data.number("to")? };
            let handle = handle(&numbers, Direction::Outbound, country);
            let (numbers, content) = drive::content(conversation, Content::Call { numbers });
            let fact = CallFact::Dialled { agent, queue: queue(data)?, numbers };
            Ok(Said { fact, content: Some(content), handle })
        }
        Kind::Answered => {
            data.only(&["call", "agent"])?;
            Ok(bare(CallFact::Answered { agent: agent(data.required("agent")?, "data.agent")? }))
        }
        Kind::Held => {
            data.only(&["call"])?;
            Ok(bare(CallFact::Held))
        }
        Kind::Resumed => {
            data.only(&["call"])?;
            Ok(bare(CallFact::Resumed))
        }
        Kind::Transferred => {
            data.only(&["call", "to"])?;
            Ok(bare(CallFact::Transferred { to: agent(data.required("to")?, "data.to")? }))
        }
        Kind::Ended => {
            data.only(&["call"])?;
            Ok(bare(CallFact::Ended))
        }
        Kind::RecordingReady => {
            data.only(&["call", "url"])?;
            let (recording, content) = drive::content(conversation, Content::Recording { url: url(data)? });
            Ok(Said { fact: CallFact::RecordingReady { recording }, content: Some(content), handle: None })
        }
    }
}

enum Kind {
    Ringing,
    Dialled,
    Answered,
    Held,
    Resumed,
    Transferred,
    Ended,
    RecordingReady,
}

fn parse(body: &[u8]) -> Result<Map<String, Value>, Rejected> {
    if body.len() > BODY_BYTES_MAX {
        let message = format!(
            "the message has {} bytes; at most {BODY_BYTES_MAX} are taken, send less in `data`",
            body.len()
        );
        return Err(Rejected::new(Code::TooLong, message).limit(BODY_BYTES_MAX));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(envelope)) => Ok(envelope),
        Ok(_) => Err(Rejected::new(
            Code::Invalid,
            "the message is JSON but no object; send a CloudEvents 1.0 envelope in structured JSON",
        )),
        Err(error) => Err(Rejected::new(
            Code::Invalid,
            format!(
                "the message is not JSON (line {}, column {}); send a CloudEvents 1.0 envelope in structured JSON",
                error.line(),
                error.column()
            ),
        )),
    }
}

fn check_form(fields: &Fields<'_>) -> Result<(), Rejected> {
    if fields.required("specversion")? != "1.0" {
        return Err(Rejected::field(Code::Invalid, "specversion", "`specversion` must be \"1.0\""));
    }
    if fields.map.contains_key("data_base64") {
        return Err(Rejected::field(
            Code::Invalid,
            "data_base64",
            "`data_base64` is not read; put a JSON object into `data`",
        ));
    }
    if let Some(kind) = fields.optional("datacontenttype")?
        && kind.split(';').next().map(str::trim) != Some("application/json")
    {
        return Err(Rejected::field(
            Code::Invalid,
            "datacontenttype",
            "`datacontenttype` must be \"application/json\", or left out",
        ));
    }
    if let Some(time) = fields.optional("time")?
        && time::OffsetDateTime::parse(time, &time::format_description::well_known::Rfc3339).is_err()
    {
        return Err(Rejected::field(
            Code::Invalid,
            "time",
            "`time` must be a moment as RFC 3339 writes it (2026-11-20T12:00:00Z), or left out",
        ));
    }
    Ok(())
}

fn kind(fields: &Fields<'_>) -> Result<Kind, Rejected> {
    match fields.required("type")?.strip_prefix(TYPE_PREFIX) {
        Some("call.ringing.v1") => Ok(Kind::Ringing),
        Some("call.dialled.v1") => Ok(Kind::Dialled),
        Some("call.answered.v1") => Ok(Kind::Answered),
        Some("call.held.v1") => Ok(Kind::Held),
        Some("call.resumed.v1") => Ok(Kind::Resumed),
        Some("call.transferred.v1") => Ok(Kind::Transferred),
        Some("call.ended.v1") => Ok(Kind::Ended),
        Some("call.recording_ready.v1") => Ok(Kind::RecordingReady),
        _ => {
            let known = KINDS.map(|kind| format!("{TYPE_PREFIX}{kind}")).join(", ");
            Err(Rejected::field(
                Code::Invalid,
                "type",
                format!("`type` is none that producers may send; send one of {known}"),
            ))
        }
    }
}

fn source(fields: &Fields<'_>) -> Result<String, Rejected> {
    let source = fields.required("source")?;
    if source.len() > SOURCE_BYTES_MAX || !source.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Rejected::field(
            Code::Invalid,
            "source",
            "`source` must be 1 to 128 printable ASCII characters without spaces, such as \"/pbx/vienna\"",
        )
        .limit(SOURCE_BYTES_MAX));
    }
    Ok(source.to_owned())
}

fn call(data: &Fields<'_>) -> Result<CallId, Rejected> {
    CallId::new(data.required("call")?).map_err(|_| {
        Rejected::field(
            Code::Invalid,
            "data.call",
            "`data.call` must be 1 to 128 printable ASCII characters without spaces",
        )
        .limit(128)
    })
}

fn agent(text: &str, field: &str) -> Result<String, Rejected> {
    if text.is_empty() || text.len() > AGENT_BYTES_MAX || text.chars().any(char::is_control) {
        let message = format!(
            "`{field}` must name an agent by id or extension, in 1 to {AGENT_BYTES_MAX} bytes without control \
             characters"
        );
        return Err(Rejected::field(Code::Invalid, field, message).limit(AGENT_BYTES_MAX));
    }
    Ok(text.to_owned())
}

/// Body of a ringing call, checked.
struct Ringing {
    numbers: CallNumbers,
    agents: Vec<String>,
    queue: Option<QueueId>,
    withheld: bool,
    direction: Direction,
}

impl Ringing {
    fn read(data: &Fields<'_>) -> Result<Self, Rejected> {
        let direction = direction(data)?;
        let (from, to) = (data.number("from")?, data.number("to")?);
        let hidden = from.as_deref().is_none_or(phone::is_withheld);
        let numbers = CallNumbers { from: from.filter(|_| !hidden), to };
        let withheld = numbers.customer(direction).is_none_or(phone::is_withheld);
        Ok(Self { numbers, agents: agents(data)?, queue: queue(data)?, withheld, direction })
    }
}

/// By what the call's conversation is found again: the customer's number, where it is one.
fn handle(numbers: &CallNumbers, direction: Direction, country: Option<Country>) -> Option<Handle> {
    let number = phone::Number::parse(numbers.customer(direction)?, country)?;
    number.e164().map(|e164| Handle::Phone(e164.to_owned()))
}

fn direction(data: &Fields<'_>) -> Result<Direction, Rejected> {
    match data.optional("direction")? {
        None | Some("inbound") => Ok(Direction::Inbound),
        Some("outbound") => Ok(Direction::Outbound),
        Some(_) => Err(Rejected::field(
            Code::Invalid,
            "data.direction",
            "`data.direction` must be \"inbound\" or \"outbound\", or left out, which means inbound",
        )),
    }
}

/// An address that a browser can open and that cannot be mistaken for anything else.
fn url(data: &Fields<'_>) -> Result<String, Rejected> {
    let url = data.required("url")?;
    let web = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let plain = url.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b));
    if url.len() > URL_BYTES_MAX
        || !plain
        || !web.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '['))
    {
        let message = format!(
            "`data.url` must be the address of the recording, beginning with https:// or http://, of at most \
             {URL_BYTES_MAX} ASCII characters without spaces"
        );
        return Err(Rejected::field(Code::Invalid, "data.url", message).limit(URL_BYTES_MAX));
    }
    Ok(url.to_owned())
}

fn agents(data: &Fields<'_>) -> Result<Vec<String>, Rejected> {
    let wrong = || {
        let message = format!("`data.agents` must be a list of 1 to {AGENTS_MAX} agent ids or extensions");
        Rejected::field(Code::Invalid, "data.agents", message).limit(AGENTS_MAX)
    };
    let Some(Value::Array(items)) = data.map.get("agents") else { return Err(wrong()) };
    if items.is_empty() || items.len() > AGENTS_MAX {
        return Err(wrong());
    }
    let named = items
        .iter()
        .enumerate()
        .map(|(at, item)| agent(item.as_str().ok_or_else(wrong)?, &format!("data.agents[{at}]")));
    named.collect()
}

fn queue(data: &Fields<'_>) -> Result<Option<QueueId>, Rejected> {
    let Some(text) = data.optional("queue")? else { return Ok(None) };
    QueueId::new(text).map(Some).map_err(|_| {
        Rejected::field(
            Code::Invalid,
            "data.queue",
            "`data.queue` must be the id of a queue (1 to 64 of a-z, 0-9, `_`, `-`, `.`), or left out",
        )
        .limit(64)
    })
}

/// The fields of a JSON object, with where it lies for the texts.
struct Fields<'a> {
    at: &'static str,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    fn required(&self, name: &str) -> Result<&'a str, Rejected> {
        match self.optional(name)? {
            Some(text) if !text.is_empty() => Ok(text),
            Some(_) | None => {
                let field = format!("{}{name}", self.at);
                let message = format!("`{field}` is missing or empty; it must be a text");
                Err(Rejected::field(Code::Invalid, field, message))
            }
        }
    }

    fn optional(&self, name: &str) -> Result<Option<&'a str>, Rejected> {
        match self.map.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                let field = format!("{}{name}", self.at);
                let message = format!("`{field}` must be a text (in quotation marks)");
                Err(Rejected::field(Code::Invalid, field, message))
            }
        }
    }

    fn number(&self, name: &str) -> Result<Option<String>, Rejected> {
        let number = self.optional(name)?;
        if number.is_some_and(|n| n.len() > NUMBER_BYTES_MAX) {
            let field = format!("{}{name}", self.at);
            let message = format!("`{field}` must be a phone number of at most {NUMBER_BYTES_MAX} bytes");
            return Err(Rejected::field(Code::TooLong, field, message).limit(NUMBER_BYTES_MAX));
        }
        Ok(number.map(str::to_owned))
    }

    /// A misspelt field must not be lost silently. Its name is the producer's text, so it is not repeated.
    fn only(&self, known: &[&str]) -> Result<(), Rejected> {
        if self.map.keys().all(|key| known.contains(&key.as_str())) {
            return Ok(());
        }
        let known = known.join(", ");
        Err(Rejected::field(
            Code::Invalid,
            "data",
            format!("`data` has a field that this type does not know; it knows {known}"),
        ))
    }
}

#[cfg(test)]
#[path = "intake_tests.rs"]
mod tests;
