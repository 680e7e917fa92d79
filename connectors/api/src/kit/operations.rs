//! What each operation costs: the requests it made to the stand-in, as a table for the connector's README.
//!
//! The table is made by doing it, so it cannot be out of date: [`readme`] compares it with what the README says
//! between [`BEGIN`] and [`END`], and writes it there when `TIELINE_WRITE=1` is set.

use super::bench::{Bench, Ctx, Desk, by_case_number, by_email, by_phone, kind};
use crate::Connector;
use crate::connector::NewContact;
use crate::ledger::Progress;
use crate::outcome::Outcome;
use crate::sandbox::Exchange;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use tieline_model::content::Person;
use tieline_model::crm::{Log, Record};

/// Where the table begins in a README.
const BEGIN: &str = "<!-- operations: begin -->";
/// Where it ends.
const END: &str = "<!-- operations: end -->";
/// Set to `1`, it lets [`readme`] write.
const WRITE: &str = "TIELINE_WRITE";

/// Lines of the long transcript: more text than a field of any CRM holds.
const LONG_LINES: usize = 1_500;

/// A request as the table shows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// Method.
    pub method: String,
    /// Path without query; keys of ours stand as `{key}`, ids of the CRM as `{id}`.
    pub path: String,
    /// HTTP status of the answer; nothing when there was none.
    pub status: Option<u16>,
    /// So many, one after another.
    pub times: usize,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What was asked of the connector, in words.
    pub operation: &'static str,
    /// What it sent, in order; reads that follow one another may be sent at the same time and stand by name.
    pub requests: Vec<Request>,
    /// What it said (`done`, `retry`, `throttled`, `reject`, `reauthorise`).
    pub says: &'static str,
}

/// Does every operation once, with one connector, so that the token it asks for first serves all.
///
/// # Errors
/// The stand-in could not be prepared, in words.
pub async fn operations(bench: &Bench<'_>) -> Result<Vec<Row>, String> {
    bench.sandbox.clear_faults().await;
    let ctx = Ctx::new(bench);
    let mut desk = Table { ctx: &ctx, connector: ctx.connect(), keys: BTreeSet::new(), rows: Vec::new() };
    desk.look_ups().await?;
    desk.chats().await?;
    desk.calls().await?;
    desk.rest().await?;
    Ok(desk.rows)
}

struct Table<'a> {
    ctx: &'a Ctx<'a>,
    connector: Arc<dyn Connector>,
    /// Keys of ours that were used.
    keys: BTreeSet<String>,
    rows: Vec<Row>,
}

impl Table<'_> {
    /// Notes what was sent since, and what came of it.
    async fn note<T>(&mut self, operation: &'static str, since: u64, outcome: &Outcome<T>) {
        let served = self.ctx.sandbox.exchanges(since).await;
        let requests = requests(&served, &self.keys);
        self.rows.push(Row { operation, requests, says: kind(outcome) });
    }

    async fn served(&self) -> u64 {
        self.ctx.sandbox.requests().await
    }

    async fn look_ups(&mut self) -> Result<(), String> {
        let (email, line) = (self.ctx.email(), self.ctx.line());
        let phone = format!("+4420{line}");
        self.ctx.contact("Ada Kit", Some(&email), Some(&phone)).await?;
        let case = self.ctx.deliver(&self.ctx.log(), &mut Progress::default()).await?;
        let number: String = case.label.chars().filter(char::is_ascii_digit).collect();
        let queries = [
            ("find by e-mail", by_email(&email)),
            ("find by phone", by_phone(&phone)),
            ("find by case number", by_case_number(&number)),
        ];
        let since = self.served().await;
        let checked = self.connector.check().await;
        self.note("check", since, &checked).await;
        for (operation, query) in queries {
            self.ctx.find_until(&query, |found| !found.is_empty()).await?;
            let since = self.served().await;
            let found = self.connector.find(&query).await;
            self.note(operation, since, &found).await;
        }
        let key = self.ctx.log().key();
        self.keys.insert(key.clone());
        let person =
            Person { name: Some("Kit Newcomer".into()), email: Some(self.ctx.email()), ..Person::default() };
        let since = self.served().await;
        let made = self.connector.create_contact(&NewContact { key, person }).await;
        self.note("create a contact", since, &made).await;
        Ok(())
    }

    async fn log(&mut self, operation: &'static str, log: &Log, progress: &mut Progress) {
        self.keys.insert(log.key());
        let mut desk = Desk::new(std::mem::take(progress));
        let since = self.served().await;
        let saved = self.connector.upsert_log(log, &mut desk).await;
        self.note(operation, since, &saved).await;
        *progress = desk.progress;
    }

    async fn chats(&mut self) -> Result<(), String> {
        let ada = self.ctx.contact("Ada Kit", Some(&self.ctx.email()), None).await?;
        let mut log = self.ctx.log();
        log.contact = Some(ada);
        let mut progress = Progress::default();
        self.log("log a chat of a known contact", &log, &mut progress).await;
        self.log("the same log again", &log, &mut progress).await;
        log.version += 1;
        log.codes = vec!["refund-granted".into()];
        self.log("later facts: classification", &log, &mut progress).await;
        log.version += 1;
        let mut line = log.transcript[1].clone();
        line.text = format!("one more thing {}", self.ctx.unique());
        log.transcript.push(line);
        self.log("later facts: the transcript grew", &log, &mut progress).await;
        let mut log = self.ctx.log();
        let line = log.transcript[0].clone();
        log.transcript.extend((0..LONG_LINES).map(|n| {
            let mut next = line.clone();
            next.text = format!("{n} {}", "words and more words ".repeat(4).trim_end());
            next
        }));
        self.log("log a chat with a long transcript", &log, &mut Progress::default()).await;
        let mut log = self.ctx.log();
        log.case = Some(self.host_case().await?);
        self.log("log a chat under a named case", &log, &mut Progress::default()).await;
        Ok(())
    }

    async fn host_case(&self) -> Result<Record, String> {
        Ok(self.ctx.deliver(&self.ctx.log(), &mut Progress::default()).await?.record)
    }

    async fn calls(&mut self) -> Result<(), String> {
        let ada = self.ctx.contact("Ada Kit", Some(&self.ctx.email()), None).await?;
        let mut log = self.ctx.call();
        log.contact = Some(ada);
        let mut progress = Progress::default();
        self.log("log a call of a known contact", &log, &mut progress).await;
        log.version += 1;
        self.ctx.record_call(&mut log);
        self.log("later facts: the recording", &log, &mut progress).await;
        let mut log = self.ctx.call();
        log.case = Some(self.host_case().await?);
        self.log("log a call under a named case", &log, &mut Progress::default()).await;
        Ok(())
    }

    async fn rest(&mut self) -> Result<(), String> {
        let ada = self.ctx.contact("Ada Kit", Some(&self.ctx.email()), None).await?;
        let mut log = self.ctx.log();
        log.contact = Some(ada.clone());
        self.keys.insert(log.key());
        self.ctx.deliver(&log, &mut Progress::default()).await?;
        let since = self.served().await;
        let history = self.connector.history(&ada, 10).await;
        self.note("history of a contact", since, &history).await;
        let since = self.served().await;
        self.connector.pop(&ada);
        self.note("pop a record", since, &Ok(())).await;
        let since = self.served().await;
        let erased = self.connector.erase(&log.key()).await;
        self.note("erase a chat", since, &erased).await;
        let call = self.ctx.call();
        self.keys.insert(call.key());
        self.ctx.deliver(&call, &mut Progress::default()).await?;
        let since = self.served().await;
        let erased = self.connector.erase(&call.key()).await;
        self.note("erase a call", since, &erased).await;
        Ok(())
    }
}

/// Exchanges without what differs from run to run: ids, and the order of reads that may run at the same time.
fn requests(served: &[Exchange], keys: &BTreeSet<String>) -> Vec<Request> {
    let mut all: Vec<Request> = served
        .iter()
        .map(|one| Request {
            method: one.method.clone(),
            path: template(&one.path, keys),
            status: one.status,
            times: 1,
        })
        .collect();
    for reads in all.chunk_by_mut(|a, b| a.method == "GET" && b.method == "GET") {
        reads.sort();
    }
    let mut out: Vec<Request> = Vec::new();
    for next in all {
        match out.last_mut() {
            Some(last)
                if (&last.method, &last.path, last.status) == (&next.method, &next.path, next.status) =>
            {
                last.times += 1;
            }
            Some(_) | None => out.push(next),
        }
    }
    out
}

/// A path in which keys and ids have become placeholders.
fn template(path: &str, keys: &BTreeSet<String>) -> String {
    let path = decoded(path);
    let mut out = String::with_capacity(path.len());
    let mut word = String::new();
    for c in path.chars() {
        if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') {
            word.push(c);
        } else {
            out.push_str(&placeholder(&word, keys));
            word.clear();
            out.push(c);
        }
    }
    out.push_str(&placeholder(&word, keys));
    out
}

fn placeholder(word: &str, keys: &BTreeSet<String>) -> String {
    if let Some(bare) = word.strip_suffix(".json") {
        return format!("{}.json", placeholder(bare, keys));
    }
    let lower = word.to_ascii_lowercase();
    if let Some(key) = keys.iter().find(|key| lower.contains(key.as_str())) {
        return lower.replace(key.as_str(), "{key}");
    }
    if is_id(word) { "{id}".into() } else { word.to_owned() }
}

/// Numbers, GUIDs and the 15 or 18 characters of Salesforce; words and versions are none.
fn is_id(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let number = !word.is_empty() && digits == word.len();
    let alphanumeric = word.bytes().all(|b| b.is_ascii_alphanumeric());
    let groups: Vec<usize> = word.split('-').map(str::len).collect();
    let hexadecimal = word.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    number
        || (matches!(word.len(), 15 | 18) && alphanumeric && digits >= 3)
        || (groups == [8, 4, 4, 4, 12] && hexadecimal)
}

/// ASCII that was written in per cent signs, so that a quoted key stands apart from its quotes.
fn decoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let byte =
            after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(u8::is_ascii_graphic);
        match byte {
            Some(byte) => {
                out.push(char::from(byte));
                rest = &after[2..];
            }
            None => {
                out.push('%');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The table in Markdown.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let mut text =
        String::from("| operation | requests and their answers | the connector says |\n|---|---|---|\n");
    for Row { operation, requests, says } in rows {
        let requests: Vec<String> = requests.iter().map(cell).collect();
        let requests = if requests.is_empty() { "none".to_owned() } else { requests.join("<br>") };
        let _ = writeln!(text, "| {operation} | {requests} | {says} |");
    }
    text
}

fn cell(request: &Request) -> String {
    let Request { method, path, status, times } = request;
    let path = path.replace('|', "\\|");
    let status = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    let times = if *times > 1 { format!(", {times} times") } else { String::new() };
    format!("`{method} {path}` {status}{times}")
}

/// Compares the README with the table; with `TIELINE_WRITE=1` in the environment, writes it there instead.
///
/// # Errors
/// The README cannot be read or written, lacks its markers, or says something else; with the way out.
pub fn readme(path: &Path, rows: &[Row]) -> Result<(), String> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|e| format!("{name} cannot be read: {e}"))?;
    let next =
        replaced(&text, &table(rows)).ok_or_else(|| format!("{name} has no lines `{BEGIN}` and `{END}`"))?;
    if next == text {
        return Ok(());
    }
    if std::env::var(WRITE).is_ok_and(|value| value == "1") {
        return std::fs::write(path, next).map_err(|e| format!("{name} cannot be written: {e}"));
    }
    let said = text.lines().find(|line| line.starts_with('|') && !next.contains(line));
    let done = next.lines().find(|line| line.starts_with('|') && !text.contains(line));
    Err(format!(
        "{name} is not what the connector does; run this test again with {WRITE}=1 and commit the README\n  says: {}\n  does: {}",
        said.unwrap_or("nothing of it"),
        done.unwrap_or("nothing of it")
    ))
}

/// A text with what stands between the markers exchanged; `None` when they are not there.
fn replaced(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0190b7a2-0001-7000-8000-00000000002a";

    fn keys() -> BTreeSet<String> {
        [KEY.to_owned()].into()
    }

    #[test]
    fn keys_and_ids_become_placeholders_and_nothing_else_does() {
        for (path, want) in [
            ("/services/oauth2/token", "/services/oauth2/token"),
            (
                "/services/data/v66.0/sobjects/Case/Tieline_Key__c/0190b7a2-0001-7000-8000-00000000002a",
                "/services/data/v66.0/sobjects/Case/Tieline_Key__c/{key}",
            ),
            (
                "/services/data/v66.0/sobjects/Case/500000000000001AAA",
                "/services/data/v66.0/sobjects/Case/{id}",
            ),
            (
                "/services/data/v66.0/sobjects/ContentDocument",
                "/services/data/v66.0/sobjects/ContentDocument",
            ),
            ("/api/v2/tickets/35436.json", "/api/v2/tickets/{id}.json"),
            ("/api/v2/ticket_fields", "/api/v2/ticket_fields"),
            (
                "/api/data/v9.2/incidents(8C3F3B5E-0F0C-4D0A-9D0B-0A0B0C0D0E0F)",
                "/api/data/v9.2/incidents({id})",
            ),
            (
                "/api/data/v9.2/incidents(tieline_key=%270190B7A2-0001-7000-8000-00000000002A%27)",
                "/api/data/v9.2/incidents(tieline_key='{key}')",
            ),
            ("/files/chat-0190b7a2-0001-7000-8000-00000000002a.txt", "/files/chat-{key}.txt"),
            ("/100%/%zz%", "/{id}%/%zz%"),
        ] {
            assert_eq!(template(path, &keys()), want);
        }
    }

    #[test]
    fn reads_that_may_run_together_stand_by_name_and_writes_stay_in_order() {
        let served: Vec<Exchange> =
            [("GET", "/b"), ("GET", "/a"), ("POST", "/d"), ("POST", "/c"), ("GET", "/e"), ("GET", "/e")]
                .into_iter()
                .zip(1..)
                .map(|((method, path), n)| Exchange {
                    n,
                    method: method.into(),
                    path: path.into(),
                    status: Some(200),
                })
                .collect();
        let all = requests(&served, &keys());
        let seen: Vec<_> = all.iter().map(|r| (r.path.as_str(), r.times)).collect();
        assert_eq!(seen, [("/a", 1), ("/b", 1), ("/d", 1), ("/c", 1), ("/e", 2)]);
    }

    #[test]
    fn a_readme_that_says_something_else_is_told_with_the_way_out() {
        let row = Row {
            operation: "check",
            requests: vec![Request { method: "GET".into(), path: "/a|b".into(), status: None, times: 2 }],
            says: "done",
        };
        let made = table(std::slice::from_ref(&row));
        assert!(made.ends_with("| check | `GET /a\\|b` no answer, 2 times | done |\n"), "{made}");
        let text = replaced(&format!("a\n{BEGIN}\nold\n{END}\nb\n"), &made).unwrap();
        assert_eq!(text, format!("a\n{BEGIN}\n\n{made}\n{END}\nb\n"));
        assert_eq!(replaced(&text, &made).as_ref(), Some(&text));
        assert_eq!(replaced("no markers", &made), None);
        let missing = readme(Path::new("no/such/README.md"), &[row]).unwrap_err();
        assert!(missing.contains("no/such/README.md"));
    }
}
