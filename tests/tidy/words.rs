//! What may not be written in any file: promises without a date, and paths of the machine it was written on.

use crate::source::{files, root};

/// Begin of a path that means something on one machine only.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/")];

#[test]
fn no_file_holds_an_undated_todo_or_a_machine_path() {
    let mut faults = Vec::new();
    for path in files(&["."]) {
        // What cannot be read as text is an image or a font.
        let Ok(text) = std::fs::read_to_string(root().join(&path)) else { continue };
        for (number, line) in text.lines().enumerate() {
            faults
                .extend(line_faults(line).into_iter().map(|fault| format!("{path}:{}: {fault}", number + 1)));
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn an_undated_todo_and_a_machine_path_are_seen() {
    assert_eq!(line_faults(concat!("// TO", "DO: later")).len(), 1);
    assert_eq!(line_faults(concat!("# FIX", "ME(2026-11-20, when the broker is 4.1): later")).len(), 0);
    assert_eq!(line_faults(concat!("see /ho", "me/someone/notes")).len(), 1);
    assert_eq!(line_faults(concat!("GET /api/v1/ho", "me/")).len(), 0);
}

fn line_faults(line: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for word in [concat!("TO", "DO"), concat!("FIX", "ME")] {
        for after in split_words(line, word) {
            if !is_dated(after) {
                faults.push(format!("{word} without a date; write {word}(2026-11-20, why): …"));
            }
        }
    }
    for path in MACHINE_PATHS {
        let own = line.match_indices(path).any(|(at, _)| {
            line[..at]
                .chars()
                .next_back()
                .is_none_or(|before| !before.is_alphanumeric() && !"./_-}".contains(before))
        });
        if own {
            faults.push(format!("{path}… is a path of one machine"));
        }
    }
    faults
}

/// What follows each whole word in a line.
fn split_words<'a>(line: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    line.match_indices(word).filter_map(move |(at, _)| {
        let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let after = &line[at + word.len()..];
        (!is_part(line[..at].chars().next_back()) && !is_part(after.chars().next())).then_some(after)
    })
}

/// `(2026-11-20` and whatever follows.
fn is_dated(after: &str) -> bool {
    let Some(date) = after.strip_prefix('(').and_then(|rest| rest.get(..10)) else { return false };
    date.char_indices().all(|(at, c)| if matches!(at, 4 | 7) { c == '-' } else { c.is_ascii_digit() })
}
