//! The words of SOQL, and where they stand, for error messages.

use crate::salesforce::error::{ApiError, Result};

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A name or keyword, dots included (`Account.Name`).
    Word(String),
    /// A string, escapes resolved, except that `\%` and `\_` stay as written for LIKE.
    Text(String),
    /// A number, day or moment as written.
    Number(String),
    /// Punctuation or an operator.
    Sign(&'static str),
    /// The end.
    End,
}

/// A token and its column, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// What it is.
    pub(crate) kind: TokenKind,
    /// Where it starts.
    pub(crate) column: usize,
}

/// Cuts a text into tokens.
pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

const SIGNS: [&str; 12] = ["!=", "<>", "<=", ">=", "=", "<", ">", "(", ")", ",", ":", "{"];

impl<'a> Lexer<'a> {
    /// Starts at the beginning.
    #[must_use]
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// All tokens, the end among them.
    ///
    /// # Errors
    /// MALFORMED_QUERY for an unfinished string, an unknown escape or an unknown character.
    pub(crate) fn all(mut self) -> Result<Vec<Token>> {
        let mut out = Vec::new();
        loop {
            let token = self.next()?;
            let end = token.kind == TokenKind::End;
            out.push(token);
            if end {
                return Ok(out);
            }
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// A MALFORMED_QUERY that quotes the text around a column.
    #[must_use]
    pub(crate) fn error(text: &str, column: usize, what: &str) -> ApiError {
        let start = column.saturating_sub(40);
        let quoted: String = text.chars().skip(start).take(60).collect();
        let mark = " ".repeat(column.saturating_sub(start + 1));
        let says = format!("\n{quoted}\n{mark}^\nERROR at Row:1:Column:{column}\n{what}");
        ApiError::bad("MALFORMED_QUERY", says)
    }

    fn next(&mut self) -> Result<Token> {
        self.at += self.rest().len() - self.rest().trim_start().len();
        let column = self.text[..self.at].chars().count() + 1;
        let Some(first) = self.rest().chars().next() else {
            return Ok(Token { kind: TokenKind::End, column });
        };
        let kind = if first == '\'' {
            self.string(column)?
        } else if first.is_ascii_digit() || matches!(first, '-' | '+' | '.') {
            let number: String = self
                .rest()
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || "+-.:".contains(*c))
                .collect();
            self.at += number.len();
            TokenKind::Number(number)
        } else if first.is_alphabetic() || first == '_' {
            let word: String =
                self.rest().chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '.').collect();
            self.at += word.len();
            TokenKind::Word(word)
        } else if let Some(sign) = SIGNS.iter().find(|s| self.rest().starts_with(**s)) {
            self.at += sign.len();
            TokenKind::Sign(if *sign == "<>" { "!=" } else { sign })
        } else {
            return Err(Self::error(
                self.text,
                column,
                &format!("line 1:{column} no viable alternative at character '{first}'"),
            ));
        };
        Ok(Token { kind, column })
    }

    fn string(&mut self, column: usize) -> Result<TokenKind> {
        let mut out = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((i, c)) = chars.next() {
            match c {
                '\'' => {
                    self.at += i + 1;
                    return Ok(TokenKind::Text(out));
                }
                '\\' => {
                    let escaped = chars.next().map_or('\0', |(_, c)| c);
                    match escaped {
                        '\\' | '%' | '_' => out.extend(['\\', escaped]),
                        '\'' | '"' => out.push(escaped),
                        'n' | 'N' => out.push('\n'),
                        'r' | 'R' => out.push('\r'),
                        't' | 'T' => out.push('\t'),
                        'b' | 'B' => out.push('\u{8}'),
                        'f' | 'F' => out.push('\u{c}'),
                        _ => {
                            let says = format!(
                                "Invalid string literal '{}'. Illegal character sequence '\\{escaped}' in string literal.",
                                out
                            );
                            return Err(Self::error(self.text, column, &says));
                        }
                    }
                }
                c => out.push(c),
            }
        }
        Err(Self::error(self.text, column, "line 1: unterminated string literal"))
    }
}
