//! Dataverse search (sheet 2.4): an index of its own with a lag, and an answer that is JSON in a text.

use super::error::{self, ApiError, Result};
use super::odata::{self, Annotations};
use super::org::{Org, Row};
use super::rules::Caller;
use super::schema::{Kind, Table};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

/// Columns that quick find covers, by table.
const INDEXED: [(&str, &[&str]); 3] = [
    ("account", &["name", "accountnumber", "emailaddress1", "telephone1", "address1_city"]),
    (
        "contact",
        &["fullname", "firstname", "lastname", "emailaddress1", "telephone1", "mobilephone", "company"],
    ),
    ("incident", &["title", "ticketnumber", "description"]),
];

#[derive(Deserialize)]
struct Entity {
    name: String,
    #[serde(rename = "selectColumns", default)]
    select: Vec<String>,
    #[serde(rename = "searchColumns", default)]
    columns: Vec<String>,
    #[serde(default)]
    filter: Option<String>,
}

fn argument<T>(why: impl Into<String>) -> Result<T> {
    Err(ApiError::new(400, error::ARGUMENT, why))
}

/// Answers `POST …/query`.
///
/// # Errors
/// Search is off, or an argument does not fit.
pub(crate) fn query(org: &Org, body: &Value, caller: &Caller) -> Result<Value> {
    if !org.switches.search_enabled {
        return argument("Dataverse search is not enabled for this organization.");
    }
    let text = body["search"].as_str().unwrap_or_default();
    if !(3..=100).contains(&text.chars().count()) {
        return argument("The search term must have 3 to 100 characters.");
    }
    for name in ["entities", "options", "facets", "orderby"] {
        if !(body[name].is_null() || body[name].is_string()) {
            return argument(format!("{name} must be a text that holds JSON."));
        }
    }
    let entities: Vec<Entity> = match body["entities"].as_str() {
        Some(text) => {
            serde_json::from_str(text).or_else(|e| argument(format!("entities does not read: {e}")))?
        }
        None => INDEXED
            .iter()
            .map(|(name, _)| Entity {
                name: (*name).to_owned(),
                select: vec![],
                columns: vec![],
                filter: None,
            })
            .collect(),
    };
    let top = usize::try_from(body["top"].as_u64().unwrap_or(50)).unwrap_or(usize::MAX);
    if top > 100 {
        return argument("top is 100 at most.");
    }
    let skip = usize::try_from(body["skip"].as_u64().unwrap_or(0)).unwrap_or(usize::MAX);
    let all =
        body["options"].as_str().is_some_and(|o| o.replace([' ', '\'', '"'], "").contains("searchmode:all"));
    let terms = terms(text);
    let mut found = Vec::new();
    for entity in &entities {
        search_one(org, entity, &terms, all, caller, &mut found)?;
    }
    found.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let count = if body["count"].as_bool() == Some(true) { json!(found.len()) } else { json!(-1) };
    let rows: Vec<Value> = found.into_iter().map(|(_, row)| row).skip(skip).take(top).collect();
    let response = json!({"Error": null, "Value": rows, "Facets": {}, "QueryContext": null, "Count": count});
    Ok(json!({"response": response.to_string()}))
}

fn search_one(
    org: &Org,
    entity: &Entity,
    terms: &[Term],
    all: bool,
    caller: &Caller,
    found: &mut Vec<(f64, Value)>,
) -> Result<()> {
    let indexed = INDEXED.iter().find(|(name, _)| *name == entity.name);
    let Some((table, indexed)) = org.schema.table(&entity.name).zip(indexed.map(|(_, c)| *c)) else {
        return argument(format!("The table {} is not indexed.", entity.name));
    };
    caller.may(org, "Read", table)?;
    let filter: Vec<(String, String)> =
        entity.filter.iter().map(|f| ("$filter".to_owned(), f.clone())).collect();
    let options = odata::options(&filter)?;
    let page = odata::run(org, table, &options, None, None)?;
    let wanted = |column: &&&str| entity.columns.is_empty() || entity.columns.iter().any(|c| c == **column);
    let columns: Vec<&str> = indexed.iter().filter(wanted).copied().collect();
    let now = OffsetDateTime::now_utc();
    for row in page.rows.into_iter().filter(|row| row.searchable_at <= now) {
        let texts: Vec<(&str, Vec<String>)> =
            columns.iter().filter_map(|c| Some((*c, words(row.text(c)?)))).collect();
        let hits: Vec<bool> =
            terms.iter().map(|t| texts.iter().any(|(_, words)| t.matches(words)) != t.not).collect();
        let hit = if all { hits.iter().all(|h| *h) } else { hits.iter().any(|h| *h) };
        if !hit {
            continue;
        }
        #[expect(clippy::cast_precision_loss, reason = "a handful of terms")]
        let score = hits.iter().filter(|h| **h).count() as f64;
        found.push((score, shown(org, table, row, entity, &columns, score)?));
    }
    Ok(())
}

fn shown(
    org: &Org,
    table: &Table,
    row: &Row,
    entity: &Entity,
    columns: &[&str],
    score: f64,
) -> Result<Value> {
    let select = if entity.select.is_empty() {
        columns.join(",")
    } else {
        let readable = |name: &String| match table.column(name) {
            Some(column) if matches!(column.kind, Kind::Lookup(_)) => column.read_as(),
            Some(_) | None => name.clone(),
        };
        entity.select.iter().map(readable).collect::<Vec<_>>().join(",")
    };
    let options = odata::options(&[("$select".to_owned(), select)])?;
    odata::check(org, table, &options)?;
    let attributes: Map<String, Value> = odata::show(org, table, row, &options, &Annotations::default())?
        .into_iter()
        .filter(|(name, _)| !name.starts_with('@'))
        .collect();
    Ok(
        json!({"Id": row.id.to_string(), "EntityName": table.name, "ObjectTypeCode": 0, "Attributes": attributes,
        "Highlights": {}, "Score": score}),
    )
}

/// One term: words in a row, the last perhaps only begun.
struct Term {
    words: Vec<String>,
    begins: bool,
    not: bool,
}

impl Term {
    fn matches(&self, text: &[String]) -> bool {
        let Some((last, front)) = self.words.split_last() else { return false };
        text.windows(self.words.len()).any(|window| {
            let (end, start) = window.split_last().expect("as many words as the term");
            let ends = if self.begins { end.starts_with(last) } else { end == last };
            ends && start == front
        })
    }
}

fn words(text: &str) -> Vec<String> {
    let folded = odata::fold(text, false);
    folded.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

/// The terms of a search: quoted ones whole, `*` for what only begins so, `-` for what must not be there. A backslash
/// makes a plain character of what follows it.
fn terms(text: &str) -> Vec<Term> {
    let mut raw: Vec<(String, bool)> = vec![(String::new(), false)];
    let (mut quoted, mut chars) = (false, text.chars());
    while let Some(c) = chars.next() {
        let current = raw.last_mut().expect("there is one");
        match c {
            '\\' => current.0.extend(chars.next()),
            '"' => quoted = !quoted,
            '-' if !quoted && current.0.is_empty() => current.1 = true,
            c if c.is_whitespace() && !quoted => raw.push((String::new(), false)),
            c => current.0.push(c),
        }
    }
    let term = |(text, not): (String, bool)| Term { begins: text.ends_with('*'), words: words(&text), not };
    raw.into_iter().map(term).filter(|t| !t.words.is_empty()).collect()
}
