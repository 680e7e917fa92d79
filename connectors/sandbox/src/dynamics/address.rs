//! Addresses below the service's root: segments, keys, and the options behind the question mark.

use super::error::{ApiError, NO_SUCH_KEY, Result};
use super::org::Org;
use super::rules::keys_match;
use super::schema::Table;
use uuid::Uuid;

/// What stands in the parentheses behind a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    /// A primary key.
    Id(Uuid),
    /// Names and values, of an alternate key or of a function.
    Named(Vec<(String, String)>),
    /// Nothing.
    Empty,
}

/// One segment of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Its name.
    pub(crate) name: String,
    /// What stands in its parentheses.
    pub(crate) key: Option<Key>,
}

/// Decodes `%XX`; `+` becomes a space in a query and stays in a path.
pub(crate) fn decode(text: &str, plus: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&b) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|h| std::str::from_utf8(h).ok());
        match (b, hex.and_then(|h| u8::from_str_radix(h, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (b'+', _) if plus => {
                out.push(b' ');
                at += 1;
            }
            _ => {
                out.push(b);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The names and values behind the question mark; names are decoded too (`%24filter`).
pub(crate) fn query(text: &str) -> Vec<(String, String)> {
    let pair = |text: &str| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (decode(name, true), decode(value, true))
    };
    text.split('&').filter(|p| !p.is_empty()).map(pair).collect()
}

/// Reads a path below the service's root.
///
/// # Errors
/// Parentheses or quotes do not close, or a key is neither a GUID nor names and values.
pub(crate) fn path(text: &str) -> Result<Vec<Segment>> {
    let mut out = Vec::new();
    for part in split(text, '/') {
        if part.is_empty() {
            continue;
        }
        let part = decode(part, false);
        let Some((name, rest)) = part.split_once('(') else {
            out.push(Segment { name: part, key: None });
            continue;
        };
        let inner = rest.strip_suffix(')').ok_or_else(|| ApiError::no_segment(&part))?;
        out.push(Segment { name: name.to_owned(), key: Some(key(&part, inner)?) });
    }
    Ok(out)
}

/// Splits outside of single quotes and parentheses.
fn split(text: &str, at: char) -> Vec<&str> {
    let (mut quoted, mut depth, mut from) = (false, 0_usize, 0);
    let mut out = Vec::new();
    for (i, c) in text.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            c if c == at && !quoted && depth == 0 => {
                out.push(&text[from..i]);
                from = i + c.len_utf8();
            }
            _ => {}
        }
    }
    out.push(&text[from..]);
    out
}

fn key(segment: &str, inner: &str) -> Result<Key> {
    let inner = inner.trim();
    if inner.is_empty() {
        return Ok(Key::Empty);
    }
    if let Ok(id) = Uuid::try_parse(inner) {
        return Ok(Key::Id(id));
    }
    let pair = |text: &str| {
        let (name, value) = text.split_once('=')?;
        let value = value.trim();
        let value = match value.strip_prefix('\'') {
            Some(quoted) => quoted.strip_suffix('\'')?.replace("''", "'"),
            None => value.to_owned(),
        };
        Some((name.trim().to_owned(), value))
    };
    let pairs: Option<Vec<_>> = split(inner, ',').into_iter().map(pair).collect();
    let bad = || ApiError::address(format!("The key in '{segment}' is neither a GUID nor names and values."));
    pairs.map(Key::Named).ok_or_else(bad)
}

/// The id that a key means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// This id, whether or not there is such a row.
    Id(Uuid),
    /// No row has these values.
    None(Vec<(String, String)>),
}

/// Looks a key up.
///
/// # Errors
/// The names are no alternate key of the table, or one whose index is not active.
pub(crate) fn look_up(org: &Org, table: &Table, given: &Key) -> Result<Found> {
    let pairs = match given {
        Key::Id(id) => return Ok(Found::Id(*id)),
        Key::Empty => return Err(ApiError::address("Expected a key.")),
        Key::Named(pairs) => pairs,
    };
    if let [(name, value)] = pairs.as_slice()
        && *name == table.id
    {
        let id =
            Uuid::try_parse(value).map_err(|_| ApiError::address(format!("'{value}' is not a GUID.")))?;
        return Ok(Found::Id(id));
    }
    let is_key = |key: &&super::schema::Key| {
        key.status == "Active"
            && key.columns.len() == pairs.len()
            && key.columns.iter().all(|c| pairs.iter().any(|(n, _)| n == c))
    };
    let Some(key) = table.keys.iter().find(is_key) else {
        let names: Vec<&str> = pairs.iter().map(|(n, _)| n.as_str()).collect();
        let says = format!(
            "The specified key attributes are not a defined key for the {} entity: {}",
            table.name,
            names.join(", ")
        );
        return Err(ApiError::new(400, NO_SUCH_KEY, says));
    };
    let of = |column: &str| pairs.iter().find(|(n, _)| n == column).map(|(_, v)| v.as_str());
    let row = org.rows(&table.name).find(|row| keys_match(key, row, &of));
    Ok(row.map_or_else(|| Found::None(pairs.clone()), |row| Found::Id(row.id)))
}

/// The row that `@odata.bind` or a reference means: its table and id.
///
/// # Errors
/// It does not parse, names no entity set, or names a key that no row has.
pub(crate) fn reference(org: &Org, text: &str) -> Result<(Table, Uuid)> {
    let below = match text.find("/api/data/v") {
        Some(at) => text[at + "/api/data/v".len()..].split_once('/').map_or("", |(_, rest)| rest),
        None => text,
    };
    let segments = path(below)?;
    let [Segment { name, key: Some(key) }] = segments.as_slice() else {
        return Err(ApiError::address(format!("Resource not found for the segment '{text}'.")));
    };
    let table = org.schema.set(name).ok_or_else(|| ApiError::no_segment(name))?.clone();
    match look_up(org, &table, key)? {
        Found::Id(id) => Ok((table, id)),
        Found::None(_) => {
            let says =
                format!("A record with the specified key values does not exist in {} entity", table.name);
            Err(ApiError::new(404, NO_SUCH_KEY, says))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_decodes_both_spellings_of_a_space_and_of_a_dollar() {
        let wanted = vec![("$filter".to_owned(), "mobilephone eq '+1 5'".to_owned())];
        assert_eq!(query("$filter=mobilephone%20eq%20%27%2B1%205%27"), wanted);
        assert_eq!(query("%24filter=mobilephone+eq+'%2B1+5'"), wanted);
        assert_eq!(query("$filter='+1'")[0].1, "' 1'");
    }

    #[test]
    fn a_path_has_segments_and_keys() {
        let id = Uuid::from_u128(7);
        let parsed = path(&format!("incidents({id})/title")).unwrap();
        assert_eq!(parsed[0].key, Some(Key::Id(id)));
        assert_eq!(parsed[1], Segment { name: "title".to_owned(), key: None });
        let named = path("incidents(abc_x='a/b''c',abc_y=5)").unwrap();
        let pairs = vec![("abc_x".to_owned(), "a/b'c".to_owned()), ("abc_y".to_owned(), "5".to_owned())];
        assert_eq!(named[0].key, Some(Key::Named(pairs)));
        assert!(path("incidents(nonsense)").is_err() && path("incidents(").is_err());
    }
}
