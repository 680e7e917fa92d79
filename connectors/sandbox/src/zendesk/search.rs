//! Search and its small language (sheet 2.2), over the index, which may lag behind the records.

use super::account::{Role, Ticket, User, digits, now, stamp};
use super::answer::{Answer, ApiError, Result};
use super::world::{Call, PAGE_MAX, World};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Results a search gives at most.
const RESULTS_MAX: usize = 1_000;

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Is,
    Less,
    More,
    LessOrIs,
    MoreOrIs,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Term {
    negated: bool,
    /// Empty for a word without key.
    key: String,
    op: Op,
    value: String,
    quoted: bool,
}

/// What is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    All,
    Users,
    Tickets,
}

/// Reads a query into its conditions.
pub(super) fn parse(query: &str) -> Vec<Term> {
    let mut out = Vec::new();
    let mut chars = query.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return out;
        }
        let negated = chars.next_if_eq(&'-').is_some();
        let (mut key, mut value, mut op, mut quoted, mut has_key) =
            (String::new(), String::new(), Op::Is, false, false);
        while let Some(c) = chars.next_if(|c| !c.is_whitespace()) {
            match c {
                '"' => {
                    quoted = true;
                    while let Some(inside) = chars.next_if(|c| *c != '"') {
                        value.push(inside);
                    }
                    chars.next();
                }
                ':' | '<' | '>' if !has_key && !quoted && !value.is_empty() => {
                    has_key = true;
                    key = std::mem::take(&mut value).to_lowercase();
                    let or_is = c != ':' && chars.next_if_eq(&'=').is_some();
                    op = match (c, or_is) {
                        ('<', false) => Op::Less,
                        ('<', true) => Op::LessOrIs,
                        ('>', false) => Op::More,
                        ('>', true) => Op::MoreOrIs,
                        _ => Op::Is,
                    };
                }
                c => value.push(c),
            }
        }
        if has_key || !value.is_empty() {
            out.push(Term { negated, key, op, value, quoted });
        }
    }
}

/// A pattern with `*` on one text, case left aside.
fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    let parts: Vec<&str> = pattern.split('*').collect();
    let [first, middle @ .., last] = parts.as_slice() else { return pattern == text };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

/// A text's words, or the whole of it, against a value that may be a prefix.
fn wordy(term: &Term, text: &str) -> bool {
    if text.is_empty() {
        return false;
    }
    let lower = text.to_lowercase();
    let value = term.value.to_lowercase();
    if term.quoted {
        return lower.contains(&value);
    }
    if value.contains('*') {
        return like(&value, &lower) || words(&lower).any(|w| like(&value, w));
    }
    lower == value || words(&lower).any(|w| w == value)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || ",;:()<>\"/".contains(c)).filter(|w| !w.is_empty())
}

fn none_or(value: Option<&str>, term: &Term) -> bool {
    match value.filter(|v| !v.is_empty()) {
        None => term.value == "none",
        Some(v) => like(&term.value, v),
    }
}

fn compare(op: Op, is: &str, value: &str) -> bool {
    // Dates may be shorter than moments: 2026-11-20 is a day.
    let cut = &is[..is.len().min(value.len())];
    match op {
        Op::Is => cut == value,
        Op::Less => cut < value,
        Op::More => cut > value,
        Op::LessOrIs => cut <= value,
        Op::MoreOrIs => cut >= value,
    }
}

const STATUSES: [&str; 6] = ["new", "open", "pending", "hold", "solved", "closed"];

fn ranked(op: Op, is: &str, value: &str) -> bool {
    let rank = |s: &str| STATUSES.iter().position(|x| *x == s);
    match (rank(is), rank(value)) {
        (Some(a), Some(b)) => match op {
            Op::Is => a == b,
            Op::Less => a < b,
            Op::More => a > b,
            Op::LessOrIs => a <= b,
            Op::MoreOrIs => a >= b,
        },
        (Some(_) | None, Some(_) | None) => false,
    }
}

/// Digits, with `*` before or behind: the only form in which numbers are found, whatever was typed in the record.
fn phone(term: &Term, stored: &str) -> bool {
    let (open_start, open_end) = (term.value.starts_with('*'), term.value.ends_with('*'));
    let wanted = digits(&term.value);
    let stored = digits(stored);
    if wanted.is_empty() {
        return false;
    }
    match (open_start, open_end) {
        (false, false) => stored == wanted,
        (true, false) => stored.ends_with(&wanted),
        (false, true) => stored.starts_with(&wanted),
        (true, true) => stored.contains(&wanted),
    }
}

impl World {
    /// Conditions of a query, or why it is none.
    fn terms(&self, query: &str) -> Result<Vec<Term>> {
        let terms = parse(query);
        let refused = terms.iter().any(|t| {
            t.key == "phone"
                && self.switches.phone_plus_refused
                && t.value.chars().any(|c| !c.is_ascii_digit() && c != '*')
                && t.value != "none"
        });
        if refused {
            let says = "Invalid search: a phone number is searched by its digits, with * for what may stand before them";
            return Err(ApiError::new(422, "invalid", says));
        }
        Ok(terms)
    }

    /// Users that fit, best first.
    pub(super) fn find_users(&self, terms: &[Term]) -> Vec<&User> {
        let found = self.account.index.users().filter(|u| fits(terms, |t| self.user_fits(u, t)));
        let mut found: Vec<&User> = found.collect();
        found.sort_by_key(|u| (u.role != Role::EndUser, u.id));
        found
    }

    /// Tickets that fit, newest first.
    pub(super) fn find_tickets(&self, terms: &[Term]) -> Vec<&Ticket> {
        let found = self.account.index.tickets().filter(|t| fits(terms, |term| self.ticket_fits(t, term)));
        let mut found: Vec<&Ticket> = found.collect();
        found.sort_by_key(|t| std::cmp::Reverse((t.created_at, t.id)));
        found
    }

    fn user_fits(&self, u: &User, t: &Term) -> bool {
        let organization =
            || u.organization_id.and_then(|o| self.account.organizations.get(&o)).map(|o| o.name.as_str());
        match t.key.as_str() {
            "type" => t.value == "user",
            "role" => t.value.replace('_', "-") == u.role.word(),
            "email" => {
                let mine =
                    self.account.identities.values().filter(|i| i.user_id == u.id && i.kind == "email");
                let mut all = mine.map(|i| i.value.as_str()).chain(u.email.as_deref());
                if t.value == "none" { u.email.is_none() } else { all.any(|e| like(&t.value, e)) }
            }
            "phone" => match u.phone.as_deref() {
                None => t.value == "none",
                Some(stored) => phone(t, stored),
            },
            "name" => wordy(t, &u.name),
            "external_id" => none_or(u.external_id.as_deref(), t),
            "organization" => none_or(organization(), t) || organization().is_some_and(|o| wordy(t, o)),
            "notes" => wordy(t, &u.notes),
            "details" => wordy(t, &u.details),
            "tags" => {
                if t.value == "none" {
                    u.tags.is_empty()
                } else {
                    u.tags.iter().any(|tag| like(&t.value, tag))
                }
            }
            "created" | "created_at" => compare(t.op, &stamp(u.created_at), &t.value),
            "updated" | "updated_at" => compare(t.op, &stamp(u.updated_at), &t.value),
            "" => {
                let texts = [
                    Some(u.name.as_str()),
                    u.email.as_deref(),
                    u.phone.as_deref(),
                    Some(&u.notes),
                    u.external_id.as_deref(),
                ];
                texts.into_iter().flatten().any(|text| wordy(t, text) || started(t, text))
            }
            key => u.user_fields.get(key).and_then(Value::as_str).is_some_and(|text| wordy(t, text)),
        }
    }

    fn ticket_fits(&self, k: &Ticket, t: &Term) -> bool {
        match t.key.as_str() {
            "type" => t.value == "ticket" || k.kind.as_deref() == Some(&t.value),
            "ticket_type" => none_or(k.kind.as_deref(), t),
            "status" => ranked(t.op, &k.status, &t.value),
            "priority" => none_or(k.priority.as_deref(), t),
            "requester" | "requester_id" => self.person(Some(k.requester_id), t),
            "assignee" | "assignee_id" => self.person(k.assignee_id, t),
            "submitter" => self.person(Some(k.submitter_id), t),
            "external_id" => none_or(k.external_id.as_deref(), t),
            "tags" => {
                if t.value == "none" {
                    k.tags.is_empty()
                } else {
                    k.tags.iter().any(|tag| like(&t.value, tag))
                }
            }
            "subject" => wordy(t, &k.subject),
            "description" => wordy(t, &k.description),
            "via" => k.channel == t.value,
            "created" | "created_at" => compare(t.op, &stamp(k.created_at), &t.value),
            "updated" | "updated_at" => compare(t.op, &stamp(k.updated_at), &t.value),
            "" => {
                let said = || self.comments_known(k).any(|body| wordy(t, body));
                t.value.parse() == Ok(k.id) || wordy(t, &k.subject) || wordy(t, &k.description) || said()
            }
            key => {
                let field = key.strip_prefix("custom_field_").and_then(|id| id.parse::<u64>().ok());
                let value = field.and_then(|id| k.custom_fields.get(&id)).and_then(Value::as_str);
                field.is_some() && none_or(value, t)
            }
        }
    }

    /// What was said in comments that the index knows of: those as old as its copy of the ticket.
    fn comments_known(&self, ticket: &Ticket) -> impl Iterator<Item = &str> {
        let known = ticket.updated_at + time::Duration::SECOND;
        let all = self.account.comments.get(&ticket.id).into_iter().flatten();
        all.filter(move |comment| comment.at <= known).map(|comment| comment.body.as_str())
    }

    /// A person on a ticket: by id, e-mail or name.
    fn person(&self, id: Option<u64>, t: &Term) -> bool {
        let Some(id) = id else { return t.value == "none" };
        let Some(user) = self.account.users.get(&id) else { return false };
        t.value.parse() == Ok(id)
            || user.email.as_deref().is_some_and(|e| like(&t.value, e))
            || wordy(t, &user.name)
    }

    /// `/search`.
    pub(super) fn search(&mut self, call: &Call, path: &[&str]) -> Result {
        self.agent_only(call)?;
        self.account.index.catch_up(now());
        match (call.method.as_str(), path) {
            ("GET", ["search"]) => self.search_all(call),
            ("GET", ["search", "count"]) => {
                let (rows, _) = self.results(call)?;
                Ok(Answer::json(200, json!({"count": rows.len()})))
            }
            ("GET", ["search", "export"]) => {
                if call.of("filter[type]").is_none() {
                    return Err(ApiError::attribute("filter", "Invalid parameter: filter[type] is missing"));
                }
                let (rows, _) = self.results(call)?;
                let mut answer = self.page(call, "results", rows)?;
                if let super::answer::Payload::Json(body) = &mut answer.payload {
                    body["facets"] = Value::Null;
                }
                Ok(answer)
            }
            _ => Err(ApiError::not_found()),
        }
    }

    fn search_all(&self, call: &Call) -> Result {
        let (rows, total) = self.results(call)?;
        let mut answer = self.limited(call, "results", rows, total)?;
        if let super::answer::Payload::Json(body) = &mut answer.payload {
            body["facets"] = Value::Null;
        }
        Ok(answer)
    }

    /// Pages by number only, and only so far.
    pub(super) fn limited(&self, call: &Call, name: &str, rows: Vec<Value>, total: usize) -> Result {
        if call.query.iter().any(|(n, _)| n.starts_with("page[")) {
            let at = call.path.join("/");
            let says = format!("Invalid parameter: page must be an integer from api/v2/{at}/index");
            return Err(ApiError::attribute("page", says));
        }
        let page: usize = call.of("page").and_then(|p| p.parse().ok()).unwrap_or(1);
        let size: usize = call.of("per_page").and_then(|p| p.parse().ok()).unwrap_or(PAGE_MAX).min(PAGE_MAX);
        if page.saturating_mul(size) > RESULTS_MAX && page > 1 {
            let says = "Invalid search: Requested response size was greater than Search Response Limits";
            return Err(ApiError::new(422, "invalid", says));
        }
        self.offset(call, name, &rows, Some(total))
    }

    fn results(&self, call: &Call) -> Result<(Vec<Value>, usize)> {
        let query = call.of("query").filter(|q| !q.trim().is_empty());
        let Some(query) = query else {
            return Err(ApiError::attribute("query", "Invalid parameter: query is missing"));
        };
        let terms = self.terms(query)?;
        let named = call.of("filter[type]").map(str::to_owned);
        let named = named.or_else(|| terms.iter().find(|t| t.key == "type").map(|t| t.value.clone()));
        let implied = |keys: &[&str]| terms.iter().any(|t| keys.contains(&t.key.as_str()));
        let what = match named.as_deref() {
            Some("user") => What::Users,
            Some("ticket" | "problem" | "incident" | "question" | "task") => What::Tickets,
            Some(_) => return Ok((Vec::new(), 0)),
            None if implied(&["role", "phone", "email"]) => What::Users,
            None if implied(&["status", "requester", "assignee", "subject"]) => What::Tickets,
            None => What::All,
        };
        let mut rows: Vec<Value> = Vec::new();
        if matches!(what, What::All | What::Users) {
            rows.extend(self.find_users(&terms).iter().map(|u| typed(self.urls.user(u), "user")));
        }
        if matches!(what, What::All | What::Tickets) {
            rows.extend(
                self.find_tickets(&terms).iter().map(|t| typed(self.urls.ticket(&self.account, t), "ticket")),
            );
        }
        let total = rows.len();
        sort(&mut rows, call.of("sort_by"), call.of("sort_order"));
        rows.truncate(RESULTS_MAX);
        Ok((rows, total))
    }

    /// Users for `/users/search`: by external id from the records, by query from the index.
    pub(super) fn users_search(&mut self, call: &Call) -> Result {
        self.agent_only(call)?;
        if let Some(external_id) = call.of("external_id") {
            let found = self.account.by_external_id(external_id);
            let rows: Vec<Value> =
                found.and_then(|id| self.account.user(id)).map(|u| self.urls.user(u)).into_iter().collect();
            let total = rows.len();
            return self.limited(call, "users", rows, total);
        }
        self.account.index.catch_up(now());
        let Some(query) = call.of("query") else {
            return Err(ApiError::attribute("query", "Invalid parameter: query or external_id is missing"));
        };
        let terms = self.terms(query)?;
        let found = if terms.is_empty() { Vec::new() } else { self.find_users(&terms) };
        let mut rows: Vec<Value> = found.iter().map(|u| self.urls.user(u)).collect();
        let total = rows.len();
        rows.truncate(RESULTS_MAX);
        self.limited(call, "users", rows, total)
    }
}

/// A word without key may be the beginning of one (users are found while somebody types).
fn started(term: &Term, text: &str) -> bool {
    !term.quoted && words(&text.to_lowercase()).any(|w| w.starts_with(&term.value.to_lowercase()))
}

/// Different keys are all needed; of the same key one is enough; a negated one never fits.
fn fits(terms: &[Term], holds: impl Fn(&Term) -> bool) -> bool {
    let mut keys: BTreeMap<&str, bool> = BTreeMap::new();
    for (n, term) in terms.iter().enumerate() {
        let fits = holds(term);
        if term.negated {
            if fits {
                return false;
            }
        } else if term.key.is_empty() || term.op != Op::Is {
            if !fits {
                return false;
            }
        } else {
            *keys.entry(&terms[n].key).or_default() |= fits;
        }
    }
    keys.values().all(|fits| *fits)
}

fn typed(mut row: Value, kind: &str) -> Value {
    row["result_type"] = json!(kind);
    row
}

fn sort(rows: &mut [Value], by: Option<&str>, order: Option<&str>) {
    let Some(by) =
        by.filter(|b| ["created_at", "updated_at", "priority", "status", "ticket_type"].contains(b))
    else {
        return;
    };
    let key = |row: &Value| -> (usize, String) {
        let text = row[by].as_str().unwrap_or_default().to_owned();
        (STATUSES.iter().position(|s| *s == text).unwrap_or(0), text)
    };
    rows.sort_by_key(key);
    if order != Some("asc") {
        rows.reverse();
    }
}

/// For the agents' page: users and tickets for what somebody typed.
pub(super) fn typed_words(world: &World, text: &str) -> (Vec<Value>, Vec<Value>) {
    let mut terms = parse(text);
    let number = digits(text);
    let is_number = number.len() >= 6 && text.chars().all(|c| c.is_ascii_digit() || " +-()/.".contains(c));
    if is_number {
        let bare = number.trim_start_matches('0').to_owned();
        terms = parse(&format!("phone:*{bare}"));
    }
    if terms.is_empty() {
        return Default::default();
    }
    let users = world.find_users(&terms).into_iter().take(50).map(|u| world.urls.user(u)).collect();
    let tickets = world
        .find_tickets(&terms)
        .into_iter()
        .take(50)
        .map(|t| world.urls.ticket(&world.account, t))
        .collect();
    (users, tickets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(key: &str, op: Op, value: &str) -> Term {
        Term { negated: false, key: key.into(), op, value: value.into(), quoted: false }
    }

    #[test]
    fn a_query_is_read_into_its_conditions() {
        let read = parse(
            r#"role:end-user phone:*5135557611 -tags:vip created>=2026-11-20 "two words" name:"Ada K""#,
        );
        assert_eq!(read[0], term("role", Op::Is, "end-user"));
        assert_eq!(read[1], term("phone", Op::Is, "*5135557611"));
        assert!(read[2].negated && read[2].key == "tags");
        assert_eq!(read[3], term("created", Op::MoreOrIs, "2026-11-20"));
        assert!(read[4].quoted && read[4].value == "two words" && read[4].key.is_empty());
        assert!(read[5].quoted && read[5].value == "Ada K" && read[5].key == "name");
    }

    #[test]
    fn wildcards_stand_for_any_run() {
        for (pattern, text, fits) in [
            ("a*c", "abbc", true),
            ("*c", "abc", true),
            ("a*", "abc", true),
            ("a*c", "abcd", false),
            ("abc", "ABC", true),
        ] {
            assert_eq!(like(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn a_number_is_found_by_digits_whatever_was_typed() {
        for stored in ["+1 513.555.7611", "(513) 555-7611", "5135557611"] {
            assert!(phone(&term("phone", Op::Is, "*5135557611"), stored), "{stored}");
        }
        assert!(!phone(&term("phone", Op::Is, "5135557611"), "+1 513 555 7611"));
        assert!(!phone(&term("phone", Op::Is, "*"), "+1 513 555 7611"));
    }
}
