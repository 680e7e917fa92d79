//! SOSL and parameterized search: the search expression, what a word finds in which fields, and the clauses that
//! RETURNING shares with SOQL (sheet 2.2, 2.3).

use super::error::{ApiError, Result};
use super::org::{Org, Row, now};
use super::schema::{Field, Kind, Object};
use super::soql::{self, Condition, Order, Parser};
use serde_json::{Value, json};

/// Rows a search gives at most.
const ROWS_MAX: usize = 2_000;
/// A longer query finds nothing, silently.
const SILENT_OVER: usize = 10_000;
/// A longer query loses its logical operators: AND becomes OR.
const OPERATORS_UP_TO: usize = 4_000;
/// Characters with a meaning, to be escaped with a backslash.
const RESERVED: &str = "?&|!{}[]()^~*:\\\"'+-";

/// Which fields are looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// Every searchable field.
    All,
    /// Names.
    Name,
    /// E-mail addresses.
    Email,
    /// Phone numbers.
    Phone,
    /// What the old sidebar looked into: names, addresses, numbers.
    Sidebar,
}

/// One object of RETURNING.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Returning {
    /// The object.
    pub(crate) object: String,
    /// Fields; only the id when empty.
    pub(crate) fields: Vec<String>,
    /// WHERE.
    pub(crate) filter: Option<Condition>,
    /// ORDER BY.
    pub(crate) order: Vec<Order>,
    /// LIMIT.
    pub(crate) limit: Option<usize>,
    /// OFFSET.
    pub(crate) offset: usize,
}

/// A search.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Search {
    /// What is looked for.
    pub(crate) expression: Expression,
    /// Where.
    pub(crate) group: Group,
    /// In which objects.
    pub(crate) returning: Vec<Returning>,
    /// LIMIT over all objects.
    pub(crate) limit: usize,
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expression {
    /// Words next to each other; the last may have wildcards when it was not quoted.
    Phrase(Vec<Vec<Glyph>>),
    /// All of them.
    And(Vec<Expression>),
    /// Any of them.
    Or(Vec<Expression>),
    /// Not that.
    Not(Box<Expression>),
    /// Nothing at all (a query beyond its limits).
    Never,
}

/// A character of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Glyph {
    /// This one.
    Char(char),
    /// `*`
    Many,
    /// `?`
    One,
}

fn malformed(what: impl Into<String>) -> ApiError {
    ApiError::bad("MALFORMED_SEARCH", what)
}

impl Group {
    /// Reads a group's name.
    ///
    /// # Errors
    /// MALFORMED_SEARCH for an unknown one.
    pub(crate) fn read(name: &str) -> Result<Self> {
        match name.to_ascii_uppercase().as_str() {
            "ALL" => Ok(Self::All),
            "NAME" => Ok(Self::Name),
            "EMAIL" => Ok(Self::Email),
            "PHONE" => Ok(Self::Phone),
            "SIDEBAR" => Ok(Self::Sidebar),
            _ => Err(malformed(format!("unexpected token: {name}"))),
        }
    }

    fn takes(self, field: &Field) -> bool {
        let name = matches!(
            field.name.as_str(),
            "Name" | "FirstName" | "LastName" | "Company" | "CaseNumber" | "Title"
        );
        match self {
            Self::All => matches!(
                field.kind,
                Kind::Text(_) | Kind::Long(_) | Kind::Email | Kind::Phone | Kind::Url(_) | Kind::Auto
            ),
            Self::Name => name,
            Self::Email => field.kind == Kind::Email,
            Self::Phone => field.kind == Kind::Phone,
            Self::Sidebar => name || matches!(field.kind, Kind::Email | Kind::Phone),
        }
    }
}

/// Reads `FIND {…} IN … FIELDS RETURNING … LIMIT n`.
///
/// # Errors
/// MALFORMED_SEARCH, or MALFORMED_QUERY inside RETURNING.
pub(crate) fn parse(text: &str) -> Result<Search> {
    let text = text.trim();
    let rest = text.get(..4).filter(|w| w.eq_ignore_ascii_case("FIND")).map(|_| text[4..].trim_start());
    let rest = rest.ok_or_else(|| malformed("line 1: expecting FIND"))?;
    let Some(inner) = rest.strip_prefix('{') else {
        return Err(malformed("line 1: expecting '{' after FIND"));
    };
    let end = closing(inner).ok_or_else(|| malformed("line 1: the search term has no closing '}'"))?;
    let expression = expression(&inner[..end])?;
    let mut parser = Parser::new(&inner[end + 1..]).map_err(|e| malformed(e.message))?;
    let mut group = Group::All;
    if parser.word("IN") {
        group = Group::read(&parser.name()?)?;
        parser.need_word("FIELDS")?;
    }
    let mut returning = Vec::new();
    if parser.word("RETURNING") {
        loop {
            returning.push(one(&mut parser)?);
            if !parser.sign(",") {
                break;
            }
        }
    }
    let (filter, order, limit, offset) = parser.clauses()?;
    if filter.is_some() || !order.is_empty() || offset > 0 {
        return Err(malformed("only LIMIT may follow RETURNING"));
    }
    parser.end().map_err(|e| malformed(e.message))?;
    Ok(Search { expression, group, returning, limit: limit.unwrap_or(ROWS_MAX).min(ROWS_MAX) })
}

fn one(parser: &mut Parser<'_>) -> Result<Returning> {
    let object = parser.name()?;
    let mut out =
        Returning { object, fields: Vec::new(), filter: None, order: Vec::new(), limit: None, offset: 0 };
    if parser.sign("(") {
        out.fields.push(parser.name()?);
        while parser.sign(",") {
            out.fields.push(parser.name()?);
        }
        (out.filter, out.order, out.limit, out.offset) = parser.clauses()?;
        parser.need_sign(")")?;
    }
    Ok(out)
}

fn closing(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (i, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == '}' {
            return Some(i);
        }
    }
    None
}

/// A piece of a search expression.
#[derive(Debug, PartialEq)]
enum Part {
    Term(Vec<Vec<Glyph>>),
    And,
    Or,
    Not,
    Open,
    Close,
}

/// Reads what stands between the braces.
///
/// # Errors
/// MALFORMED_SEARCH for a reserved character without backslash, a wildcard first, a term that is too short, or
/// operators that do not fit.
pub(crate) fn expression(text: &str) -> Result<Expression> {
    if text.chars().count() > SILENT_OVER {
        return Ok(Expression::Never);
    }
    let mut parts = parts(text)?;
    if text.chars().count() > OPERATORS_UP_TO {
        parts.retain(|p| matches!(p, Part::Term(_)));
        let terms = parts
            .into_iter()
            .filter_map(|p| if let Part::Term(t) = p { Some(Expression::Phrase(t)) } else { None });
        return Ok(Expression::Or(terms.collect()));
    }
    let longest = parts.iter().filter_map(|p| if let Part::Term(t) = p { Some(t) } else { None });
    let longest = longest.map(|t| t.iter().map(Vec::len).sum::<usize>()).max();
    if longest.is_none_or(|n| n < 2) {
        let says = format!("search term must be longer than one character: {text}");
        return Err(malformed(says));
    }
    let mut parts = parts.into_iter().peekable();
    let made = any(&mut parts, 0)?;
    match parts.next() {
        None => Ok(made),
        Some(_) => Err(malformed("unexpected token: )")),
    }
}

fn parts(text: &str) -> Result<Vec<Part>> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.peek().copied() {
        match c {
            c if c.is_whitespace() => {
                chars.next();
            }
            '(' => {
                chars.next();
                out.push(Part::Open);
            }
            ')' => {
                chars.next();
                out.push(Part::Close);
            }
            '"' => {
                chars.next();
                out.push(Part::Term(quoted(&mut chars)?));
            }
            _ => out.push(bare(&mut chars)?),
        }
    }
    Ok(out)
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn quoted(chars: &mut Chars<'_>) -> Result<Vec<Vec<Glyph>>> {
    let mut glyphs = Vec::new();
    loop {
        match chars.next() {
            None => return Err(malformed("the phrase has no closing quote")),
            Some('"') => return Ok(words(&glyphs)),
            Some('\\') => glyphs.extend(chars.next().map(Glyph::Char)),
            Some(c) => glyphs.push(Glyph::Char(c)),
        }
    }
}

fn bare(chars: &mut Chars<'_>) -> Result<Part> {
    let (mut glyphs, mut escaped) = (Vec::new(), false);
    while let Some(c) = chars.peek().copied() {
        if c.is_whitespace() || matches!(c, '(' | ')' | '"') {
            break;
        }
        chars.next();
        match c {
            '\\' => {
                escaped = true;
                glyphs.extend(chars.next().map(Glyph::Char));
            }
            '*' | '?' if glyphs.is_empty() => {
                return Err(malformed("a search term may not start with a wildcard"));
            }
            '*' => glyphs.push(Glyph::Many),
            '?' => glyphs.push(Glyph::One),
            c if RESERVED.contains(c) => {
                return Err(malformed(format!(
                    "unexpected token: '{c}': reserved characters need a backslash"
                )));
            }
            c => glyphs.push(Glyph::Char(c)),
        }
    }
    let word: String = glyphs.iter().map(|g| if let Glyph::Char(c) = g { *c } else { '*' }).collect();
    Ok(match word.to_ascii_uppercase().as_str() {
        "AND" if !escaped => Part::And,
        "OR" if !escaped => Part::Or,
        "NOT" if !escaped => Part::Not,
        _ => Part::Term(words(&glyphs)),
    })
}

/// Cuts at everything that is neither letter, digit nor wildcard.
fn words(glyphs: &[Glyph]) -> Vec<Vec<Glyph>> {
    let inside = |g: &Glyph| match g {
        Glyph::Char(c) => c.is_alphanumeric(),
        Glyph::Many | Glyph::One => true,
    };
    let lower = |g: &Glyph| match g {
        Glyph::Char(c) => Glyph::Char(c.to_lowercase().next().unwrap_or(*c)),
        Glyph::Many | Glyph::One => *g,
    };
    glyphs.split(|g| !inside(g)).filter(|w| !w.is_empty()).map(|w| w.iter().map(lower).collect()).collect()
}

type Parts = std::iter::Peekable<std::vec::IntoIter<Part>>;

/// Deepest nesting of parentheses.
const DEPTH_MAX: u32 = 20;

fn any(parts: &mut Parts, depth: u32) -> Result<Expression> {
    let mut out = vec![all(parts, depth)?];
    while parts.next_if_eq(&Part::Or).is_some() {
        out.push(all(parts, depth)?);
    }
    Ok(if out.len() == 1 { out.remove(0) } else { Expression::Or(out) })
}

fn all(parts: &mut Parts, depth: u32) -> Result<Expression> {
    let mut out = vec![single(parts, depth)?];
    loop {
        match parts.peek() {
            Some(Part::And) => {
                parts.next();
                if parts.next_if_eq(&Part::Not).is_some() {
                    out.push(Expression::Not(Box::new(single(parts, depth)?)));
                } else {
                    out.push(single(parts, depth)?);
                }
            }
            Some(Part::Not) => {
                parts.next();
                out.push(Expression::Not(Box::new(single(parts, depth)?)));
            }
            Some(Part::Term(_) | Part::Open) => out.push(single(parts, depth)?),
            Some(Part::Or | Part::Close) | None => break,
        }
    }
    Ok(if out.len() == 1 { out.remove(0) } else { Expression::And(out) })
}

fn single(parts: &mut Parts, depth: u32) -> Result<Expression> {
    if depth > DEPTH_MAX {
        return Err(malformed("the search is nested too deeply"));
    }
    match parts.next() {
        Some(Part::Term(words)) if words.is_empty() => Ok(Expression::Never),
        Some(Part::Term(words)) => Ok(Expression::Phrase(words)),
        Some(Part::Open) => {
            let inner = any(parts, depth + 1)?;
            match parts.next() {
                Some(Part::Close) => Ok(inner),
                Some(Part::Term(_) | Part::And | Part::Or | Part::Not | Part::Open) | None => {
                    Err(malformed("expecting ')'"))
                }
            }
        }
        Some(Part::And | Part::Or | Part::Not | Part::Close) | None => {
            Err(malformed("an operator has no term"))
        }
    }
}

// ---- finding -----------------------------------------------------------------------------------------------------

/// What a field is found by: its words in order, and for a phone number also all its digits as one.
fn index(field: &Field, value: &str, suffix: bool) -> (Vec<String>, Vec<String>) {
    let lower = value.to_lowercase();
    let words: Vec<String> =
        lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_owned).collect();
    if field.kind != Kind::Phone {
        return (words, Vec::new());
    }
    // An extension is not part of the number.
    let number = lower.find(char::is_alphabetic).map_or(lower.as_str(), |at| &lower[..at]);
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let mut whole = vec![digits.clone()];
    if suffix && digits.len() > 7 {
        whole.push(digits[digits.len() - 7..].to_owned());
    }
    (words, whole)
}

/// Whether a word fits, wildcards and all; in time that grows with both lengths and no faster.
fn wild(word: &[Glyph], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    // Which lengths of the text the glyphs so far can cover.
    let mut reach = vec![false; text.len() + 1];
    reach[0] = true;
    for glyph in word {
        let mut next = vec![false; text.len() + 1];
        match glyph {
            Glyph::Many => {
                let mut seen = false;
                for (there, before) in next.iter_mut().zip(&reach) {
                    seen |= before;
                    *there = seen;
                }
            }
            Glyph::One => next[1..].copy_from_slice(&reach[..text.len()]),
            Glyph::Char(c) => {
                for (i, t) in text.iter().enumerate() {
                    next[i + 1] = reach[i] && t == c;
                }
            }
        }
        reach = next;
    }
    reach[text.len()]
}

fn phrase(words: &[Vec<Glyph>], field: &Field, value: &str, suffix: bool) -> bool {
    let (parts, whole) = index(field, value, suffix);
    if let [single] = words
        && whole.iter().any(|w| wild(single, w))
    {
        return true;
    }
    parts.windows(words.len()).any(|window| window.iter().zip(words).all(|(part, word)| wild(word, part)))
}

/// Whether an expression finds a record in the fields of a group.
#[must_use]
pub(crate) fn finds(org: &Org, object: &Object, row: &Row, expression: &Expression, group: Group) -> bool {
    match expression {
        Expression::Never => false,
        Expression::And(all) => all.iter().all(|e| finds(org, object, row, e, group)),
        Expression::Or(any) => any.iter().any(|e| finds(org, object, row, e, group)),
        Expression::Not(inner) => !finds(org, object, row, inner, group),
        Expression::Phrase(words) => object.fields.iter().filter(|f| group.takes(f)).any(|field| {
            let value = row.fields.get(&field.name).and_then(Value::as_str);
            value.is_some_and(|v| phrase(words, field, v, org.switches.phone_suffix_found))
        }),
    }
}

/// Runs a search: `{"searchRecords": […]}`.
///
/// # Errors
/// INVALID_TYPE, INVALID_FIELD, as in SOQL.
pub(crate) fn run(org: &Org, search: &Search, version: u32) -> Result<Value> {
    let default: Vec<Returning>;
    let returning = if search.returning.is_empty() {
        let searchable = org.schema.objects().filter(|o| o.searchable());
        default = searchable
            .map(|o| Returning {
                object: o.name.clone(),
                fields: Vec::new(),
                filter: None,
                order: Vec::new(),
                limit: None,
                offset: 0,
            })
            .collect();
        &default
    } else {
        &search.returning
    };
    let mut out = Vec::new();
    for one in returning {
        out.extend(of_object(org, search, one, version)?);
    }
    out.truncate(search.limit);
    Ok(json!({"searchRecords": out}))
}

fn of_object(org: &Org, search: &Search, one: &Returning, version: u32) -> Result<Vec<Value>> {
    let Some(object) = org.schema.find(&one.object).filter(|o| o.searchable()) else {
        let says = format!(
            "\nRETURNING {}\nERROR at Row:1:Column:1\nentity type {} does not support search",
            one.object, one.object
        );
        return Err(ApiError::bad("INVALID_TYPE", says));
    };
    let fields = if one.fields.is_empty() { vec!["Id".to_owned()] } else { one.fields.clone() };
    // A field that is not there is an error even when nothing is found.
    soql::project(org, object, &super::org::Fields::new(), &fields, version)?;
    let at = now();
    let mut rows = Vec::new();
    for row in org.live(&object.name) {
        let fits = match &one.filter {
            None => true,
            Some(filter) => soql::matches(org, object, &row.fields, filter)?,
        };
        if fits && row.searchable_at <= at && finds(org, object, row, &search.expression, search.group) {
            rows.push(row);
        }
    }
    soql::sorted(org, object, &mut rows, &one.order)?;
    let wanted = rows.into_iter().skip(one.offset).take(one.limit.unwrap_or(ROWS_MAX));
    wanted.map(|row| soql::project(org, object, &row.fields, &fields, version)).collect()
}

// ---- parameterized search ----------------------------------------------------------------------------------------

/// Builds a search from the JSON body of parameterizedSearch, or from its query parameters brought into that form.
///
/// # Errors
/// MALFORMED_SEARCH, INVALID_FIELD.
pub(crate) fn parameterized(body: &Value) -> Result<Search> {
    let q = body["q"].as_str().filter(|q| !q.trim().is_empty());
    let q = q.ok_or_else(|| malformed("No search term found. The search term must be enclosed in q."))?;
    let number =
        |v: &Value| v.as_u64().or_else(|| v.as_str()?.parse().ok()).and_then(|n| usize::try_from(n).ok());
    let names = |v: &Value| -> Vec<String> {
        match v {
            Value::Array(all) => all.iter().filter_map(Value::as_str).map(|s| s.trim().to_owned()).collect(),
            Value::String(text) => text.split(',').map(|s| s.trim().to_owned()).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
        }
    };
    let default_limit = number(&body["defaultLimit"]);
    let objects = body["sobjects"].as_array().cloned().unwrap_or_default();
    if default_limit.is_some_and(|n| n > ROWS_MAX) || (default_limit.is_some() && objects.is_empty()) {
        return Err(malformed("defaultLimit is at most 2000 and needs at least one sobject"));
    }
    let mut returning = Vec::new();
    for object in &objects {
        let name = object["name"].as_str().ok_or_else(|| malformed("an sobject needs a name"))?;
        let own = names(&object["fields"]);
        let clauses = match object["where"].as_str() {
            Some(text) => {
                let text = format!("WHERE {text}");
                let mut parser = Parser::new(&text)?;
                let (filter, ..) = parser.clauses()?;
                parser.end()?;
                filter
            }
            None => None,
        };
        let order = match object["orderBy"].as_str() {
            Some(text) => Parser::new(&format!("ORDER BY {text}"))?.clauses()?.1,
            None => Vec::new(),
        };
        returning.push(Returning {
            object: name.to_owned(),
            fields: if own.is_empty() { names(&body["fields"]) } else { own },
            filter: clauses,
            order,
            limit: number(&object["limit"]).or(default_limit),
            offset: 0,
        });
    }
    let group = body["in"].as_str().map_or(Ok(Group::All), Group::read)?;
    let limit = number(&body["overallLimit"]).unwrap_or(ROWS_MAX).min(ROWS_MAX);
    Ok(Search { expression: expression(q)?, group, returning, limit })
}

/// Brings the query parameters of a GET into the form of a POST.
#[must_use]
pub(crate) fn from_query(query: &[(String, String)]) -> Value {
    let mut body = json!({"sobjects": []});
    let mut objects: Vec<Value> = Vec::new();
    for (name, value) in query {
        match name.as_str() {
            "q" | "in" | "overallLimit" | "defaultLimit" | "fields" => body[name] = json!(value),
            "sobject" => objects.push(json!({"name": value})),
            _ => {
                let Some((object, what)) = name.split_once('.') else { continue };
                if let Some(one) = objects.iter_mut().find(|o| o["name"] == object) {
                    one[what] = json!(value);
                }
            }
        }
    }
    for (name, value) in query {
        let Some((object, what)) = name.split_once('.') else { continue };
        if let Some(one) = objects.iter_mut().find(|o| o["name"] == object) {
            one[what] = json!(value);
        }
    }
    body["sobjects"] = json!(objects);
    body
}
