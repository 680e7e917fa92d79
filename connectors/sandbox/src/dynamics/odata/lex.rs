//! Words of a query option.

use crate::dynamics::error::{ApiError, Result};

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// A name, a keyword, a number, a GUID or a moment: whatever stands between separators.
    Word(String),
    /// A text in single quotes.
    Text(String),
    /// A text in double quotes, as in JSON.
    Json(String),
    /// One of `( ) , ; = / : [ ] @`.
    Mark(char),
}

fn broken(at: usize, text: &str, why: &str) -> ApiError {
    ApiError::address(format!("{why} at position {at} in '{text}'."))
}

/// Splits a query option into tokens.
///
/// # Errors
/// A text is not closed, or a character has no place in a query.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>> {
    let chars: Vec<char> = text.chars().collect();
    let mut at = 0;
    let mut out = Vec::new();
    while let Some(&c) = chars.get(at) {
        match c {
            c if c.is_whitespace() => at += 1,
            '\'' => {
                let (string, next) = single(&chars, at + 1)
                    .ok_or_else(|| broken(at, text, "There is an unterminated string literal"))?;
                out.push(Token::Text(string));
                at = next;
            }
            '"' => {
                let (string, next) = double(&chars, at + 1)
                    .ok_or_else(|| broken(at, text, "There is an unterminated string literal"))?;
                out.push(Token::Json(string));
                at = next;
            }
            '(' | ')' | ',' | ';' | '=' | '/' | '[' | ']' | '@' => {
                out.push(Token::Mark(c));
                at += 1;
            }
            // A colon ends the variable of a lambda; inside a moment it belongs to the word.
            ':' => {
                out.push(Token::Mark(':'));
                at += 1;
            }
            c if c.is_alphanumeric() || "_$.-+{}*".contains(c) => {
                let (word, next) = word(&chars, at);
                out.push(Token::Word(word));
                at = next;
            }
            _ => return Err(broken(at, text, &format!("Syntax error: character '{c}' is not valid"))),
        }
    }
    Ok(out)
}

/// A text in single quotes; a doubled quote is one.
fn single(chars: &[char], mut at: usize) -> Option<(String, usize)> {
    let mut string = String::new();
    loop {
        match chars.get(at)? {
            '\'' if chars.get(at + 1) == Some(&'\'') => {
                string.push('\'');
                at += 2;
            }
            '\'' => return Some((string, at + 1)),
            c => {
                string.push(*c);
                at += 1;
            }
        }
    }
}

fn double(chars: &[char], mut at: usize) -> Option<(String, usize)> {
    let mut string = String::new();
    loop {
        match chars.get(at)? {
            '\\' => {
                string.push(*chars.get(at + 1)?);
                at += 2;
            }
            '"' => return Some((string, at + 1)),
            c => {
                string.push(*c);
                at += 1;
            }
        }
    }
}

/// A word; one that begins with a digit may be a moment and hold colons.
fn word(chars: &[char], from: usize) -> (String, usize) {
    let number = chars[from].is_ascii_digit();
    let mut at = from;
    let mut string = String::new();
    while let Some(&c) = chars.get(at) {
        let belongs = c.is_alphanumeric() || "_$.-+{}*".contains(c) || (c == ':' && number);
        if !belongs {
            break;
        }
        string.push(c);
        at += 1;
    }
    (string, at)
}
