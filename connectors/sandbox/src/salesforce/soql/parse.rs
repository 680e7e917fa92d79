//! The grammar: SELECT … FROM … WHERE … ORDER BY … LIMIT … OFFSET.

use super::lex::{Lexer, Token, TokenKind};
use crate::salesforce::error::{ApiError, Result};

/// What is selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Select {
    /// `COUNT()`: only the number.
    Count,
    /// Fields, paths through relationships among them.
    Fields(Vec<String>),
    /// `FIELDS(ALL)` and its like.
    All,
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compare {
    /// `=`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `LIKE`
    Like,
}

/// A value in a condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    /// `'…'`; `\%`, `\_` and `\\` still escaped.
    Text(String),
    /// A number.
    Number(f64),
    /// `true`, `false`.
    Bool(bool),
    /// A day, or a date literal already resolved to its first and (exclusive) last day.
    Days(time::Date, time::Date),
    /// A moment.
    Moment(time::OffsetDateTime),
    /// `null`
    Null,
}

/// A WHERE.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    /// All of them.
    And(Vec<Condition>),
    /// Any of them.
    Or(Vec<Condition>),
    /// Not so.
    Not(Box<Condition>),
    /// A field against a value.
    Field(String, Compare, Literal),
    /// A field among values.
    In(String, Vec<Literal>),
    /// A field among what another query gives.
    Sub(String, Box<Query>),
}

/// One ORDER BY.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    /// The field.
    pub(crate) field: String,
    /// Largest first.
    pub(crate) descending: bool,
    /// Nulls at the end (they come first unless said).
    pub(crate) nulls_last: bool,
}

/// A query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    /// What is selected.
    pub(crate) select: Select,
    /// The object.
    pub(crate) from: String,
    /// The WHERE.
    pub(crate) filter: Option<Condition>,
    /// The order.
    pub(crate) order: Vec<Order>,
    /// The largest number of rows.
    pub(crate) limit: Option<usize>,
    /// Rows left out first.
    pub(crate) offset: usize,
}

/// Reads a whole query.
///
/// # Errors
/// MALFORMED_QUERY with the place.
pub(crate) fn parse(text: &str) -> Result<Query> {
    let mut parser = Parser::new(text)?;
    let query = parser.query()?;
    parser.end()?;
    Ok(query)
}

/// Reads SOQL, and the parts of SOSL that share its grammar.
pub(crate) struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    depth: u32,
}

/// Deepest nesting of parentheses.
const DEPTH_MAX: u32 = 50;

impl<'a> Parser<'a> {
    /// Starts on a text.
    ///
    /// # Errors
    /// MALFORMED_QUERY when it cannot be cut into tokens.
    pub(crate) fn new(text: &'a str) -> Result<Self> {
        Ok(Self { text, tokens: Lexer::new(text).all()?, at: 0, depth: 0 })
    }

    fn peek(&self) -> &TokenKind {
        &self.tokens[self.at.min(self.tokens.len() - 1)].kind
    }

    fn take(&mut self) -> TokenKind {
        let kind = self.peek().clone();
        self.at += 1;
        kind
    }

    /// MALFORMED_QUERY at the present token.
    #[must_use]
    pub(crate) fn unexpected(&self) -> ApiError {
        let token = &self.tokens[self.at.min(self.tokens.len() - 1)];
        let what = match &token.kind {
            TokenKind::Word(w) | TokenKind::Number(w) => format!("unexpected token: '{w}'"),
            TokenKind::Text(t) => format!("unexpected token: '{t}'"),
            TokenKind::Sign(s) => format!("unexpected token: '{s}'"),
            TokenKind::End => "unexpected token: '<EOF>'".to_owned(),
        };
        Lexer::error(self.text, token.column, &what)
    }

    /// The present token is this keyword.
    #[must_use]
    pub(crate) fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), TokenKind::Word(w) if w.eq_ignore_ascii_case(word))
    }

    /// Takes a keyword if it is there.
    pub(crate) fn word(&mut self, word: &str) -> bool {
        let is = self.is_word(word);
        self.at += usize::from(is);
        is
    }

    /// Takes a sign if it is there.
    pub(crate) fn sign(&mut self, sign: &str) -> bool {
        let is = matches!(self.peek(), TokenKind::Sign(s) if *s == sign);
        self.at += usize::from(is);
        is
    }

    /// Takes a keyword that must be there.
    ///
    /// # Errors
    /// MALFORMED_QUERY when it is not.
    pub(crate) fn need_word(&mut self, word: &str) -> Result<()> {
        if self.word(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Takes a sign that must be there.
    ///
    /// # Errors
    /// MALFORMED_QUERY when it is not.
    pub(crate) fn need_sign(&mut self, sign: &str) -> Result<()> {
        if self.sign(sign) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Takes a name.
    ///
    /// # Errors
    /// MALFORMED_QUERY when there is none.
    pub(crate) fn name(&mut self) -> Result<String> {
        match self.peek() {
            TokenKind::Word(w) if !w.ends_with('.') && !w.contains("..") => {
                let name = w.clone();
                self.at += 1;
                Ok(name)
            }
            TokenKind::Word(_)
            | TokenKind::Text(_)
            | TokenKind::Number(_)
            | TokenKind::Sign(_)
            | TokenKind::End => Err(self.unexpected()),
        }
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// MALFORMED_QUERY when something is.
    pub(crate) fn end(&mut self) -> Result<()> {
        if *self.peek() == TokenKind::End { Ok(()) } else { Err(self.unexpected()) }
    }

    fn query(&mut self) -> Result<Query> {
        self.need_word("SELECT")?;
        let select = self.select()?;
        self.need_word("FROM")?;
        let from = self.name()?;
        let alias = match self.peek() {
            TokenKind::Word(w)
                if !["WHERE", "ORDER", "LIMIT", "OFFSET", "FOR", "WITH", "GROUP", "USING", "ALL"]
                    .iter()
                    .any(|k| w.eq_ignore_ascii_case(k)) =>
            {
                Some(self.name()?)
            }
            TokenKind::Word(_)
            | TokenKind::Text(_)
            | TokenKind::Number(_)
            | TokenKind::Sign(_)
            | TokenKind::End => None,
        };
        if alias.is_some() {
            // Aliases exist in SOQL, but nothing a bridge sends uses one.
            self.at -= 1;
            return Err(self.unexpected());
        }
        let (filter, order, limit, offset) = self.clauses()?;
        if self.word("FOR") {
            let known = ["VIEW", "REFERENCE", "UPDATE"].iter().any(|w| self.word(w));
            if !known {
                return Err(self.unexpected());
            }
        }
        Ok(Query { select, from, filter, order, limit, offset })
    }

    /// WHERE, ORDER BY, LIMIT and OFFSET, as queries and SOSL's RETURNING share them.
    ///
    /// # Errors
    /// MALFORMED_QUERY with the place.
    #[allow(
        clippy::type_complexity,
        reason = "four clauses in their order; a struct would only name them again"
    )]
    pub(crate) fn clauses(&mut self) -> Result<(Option<Condition>, Vec<Order>, Option<usize>, usize)> {
        let filter = if self.word("WHERE") { Some(self.condition()?) } else { None };
        let mut order = Vec::new();
        if self.word("ORDER") {
            self.need_word("BY")?;
            loop {
                order.push(self.order()?);
                if !self.sign(",") {
                    break;
                }
            }
        }
        let limit = if self.word("LIMIT") { Some(self.number()?) } else { None };
        let offset = if self.word("OFFSET") { self.number()? } else { 0 };
        if offset > 2_000 {
            return Err(ApiError::bad("NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000"));
        }
        Ok((filter, order, limit, offset))
    }

    fn select(&mut self) -> Result<Select> {
        let next_is_paren =
            matches!(self.tokens.get(self.at + 1).map(|t| &t.kind), Some(TokenKind::Sign("(")));
        if self.is_word("COUNT") && next_is_paren {
            self.at += 2;
            self.need_sign(")")?;
            return Ok(Select::Count);
        }
        if self.is_word("FIELDS") && next_is_paren {
            self.at += 2;
            let known = ["ALL", "STANDARD", "CUSTOM"].iter().any(|w| self.word(w));
            if !known {
                return Err(self.unexpected());
            }
            self.need_sign(")")?;
            return Ok(Select::All);
        }
        let mut fields = vec![self.name()?];
        while self.sign(",") {
            fields.push(self.name()?);
        }
        Ok(Select::Fields(fields))
    }

    fn order(&mut self) -> Result<Order> {
        let field = self.name()?;
        let descending = if self.word("DESC") {
            true
        } else {
            self.word("ASC");
            false
        };
        let mut nulls_last = false;
        if self.word("NULLS") {
            nulls_last = self.word("LAST");
            if !nulls_last {
                self.need_word("FIRST")?;
            }
        }
        Ok(Order { field, descending, nulls_last })
    }

    fn number(&mut self) -> Result<usize> {
        let read = match self.peek() {
            TokenKind::Number(n) => n.parse().ok(),
            TokenKind::Word(_) | TokenKind::Text(_) | TokenKind::Sign(_) | TokenKind::End => None,
        };
        let Some(n) = read else { return Err(self.unexpected()) };
        self.at += 1;
        Ok(n)
    }

    /// A condition. AND and OR may not be mixed without parentheses, as in the real thing.
    fn condition(&mut self) -> Result<Condition> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.unexpected());
        }
        let first = self.unary()?;
        let mut all = vec![first];
        let made = if self.is_word("AND") {
            while self.word("AND") {
                all.push(self.unary()?);
            }
            if self.is_word("OR") {
                return Err(self.unexpected());
            }
            Condition::And(all)
        } else if self.is_word("OR") {
            while self.word("OR") {
                all.push(self.unary()?);
            }
            if self.is_word("AND") {
                return Err(self.unexpected());
            }
            Condition::Or(all)
        } else {
            all.remove(0)
        };
        self.depth -= 1;
        Ok(made)
    }

    fn unary(&mut self) -> Result<Condition> {
        if self.word("NOT") {
            self.depth += 1;
            if self.depth > DEPTH_MAX {
                return Err(self.unexpected());
            }
            let inner = self.unary()?;
            self.depth -= 1;
            return Ok(Condition::Not(Box::new(inner)));
        }
        if self.sign("(") {
            let inner = self.condition()?;
            self.need_sign(")")?;
            return Ok(inner);
        }
        let field = self.name()?;
        if self.word("NOT") {
            self.need_word("IN")?;
            return Ok(Condition::Not(Box::new(self.among(field)?)));
        }
        if self.word("IN") {
            return self.among(field);
        }
        let compare = self.compare()?;
        let value = self.literal()?;
        if compare == Compare::Like && !matches!(value, Literal::Text(_)) {
            self.at -= 1;
            return Err(self.unexpected());
        }
        Ok(Condition::Field(field, compare, value))
    }

    fn compare(&mut self) -> Result<Compare> {
        if self.word("LIKE") {
            return Ok(Compare::Like);
        }
        let known = [
            ("=", Compare::Eq),
            ("!=", Compare::Ne),
            ("<=", Compare::Le),
            (">=", Compare::Ge),
            ("<", Compare::Lt),
            (">", Compare::Gt),
        ];
        for (sign, compare) in known {
            if self.sign(sign) {
                return Ok(compare);
            }
        }
        Err(self.unexpected())
    }

    fn among(&mut self, field: String) -> Result<Condition> {
        self.need_sign("(")?;
        if self.is_word("SELECT") {
            self.depth += 1;
            if self.depth > 2 + 1 {
                return Err(self.unexpected());
            }
            let query = self.query()?;
            self.depth -= 1;
            self.need_sign(")")?;
            return Ok(Condition::Sub(field, Box::new(query)));
        }
        let mut values = vec![self.literal()?];
        while self.sign(",") {
            values.push(self.literal()?);
        }
        self.need_sign(")")?;
        Ok(Condition::In(field, values))
    }

    fn literal(&mut self) -> Result<Literal> {
        let read = match self.peek().clone() {
            TokenKind::Text(text) => Some(Literal::Text(text)),
            TokenKind::Number(text) => number(&text),
            TokenKind::Word(word) => {
                if let Some(relative) = self.relative(&word)? {
                    return Ok(relative);
                }
                match word.to_ascii_lowercase().as_str() {
                    "true" => Some(Literal::Bool(true)),
                    "false" => Some(Literal::Bool(false)),
                    "null" => Some(Literal::Null),
                    _ => None,
                }
            }
            TokenKind::Sign(_) | TokenKind::End => None,
        };
        let Some(literal) = read else { return Err(self.unexpected()) };
        self.take();
        Ok(literal)
    }

    /// TODAY, LAST_N_DAYS:7 and their like.
    fn relative(&mut self, word: &str) -> Result<Option<Literal>> {
        let today = crate::salesforce::org::now().date();
        let days = |from: i64, to: i64| {
            Some(Literal::Days(today + time::Duration::days(from), today + time::Duration::days(to)))
        };
        let literal = match word.to_ascii_uppercase().as_str() {
            "TODAY" => days(0, 1),
            "YESTERDAY" => days(-1, 0),
            "TOMORROW" => days(1, 2),
            "LAST_N_DAYS" | "NEXT_N_DAYS" => {
                let last = word.eq_ignore_ascii_case("LAST_N_DAYS");
                self.take();
                self.need_sign(":")?;
                let n = i64::try_from(self.number()?.min(36_500)).expect("small");
                return Ok(if last { days(-n, 1) } else { days(1, n + 1) });
            }
            _ => return Ok(None),
        };
        self.take();
        Ok(literal)
    }
}

fn number(text: &str) -> Option<Literal> {
    if let Some(day) = super::date(text) {
        return Some(Literal::Days(day, day.next_day()?));
    }
    if text.contains(['T', 't']) {
        return super::moment(&text.to_uppercase()).map(Literal::Moment);
    }
    text.parse().ok().map(Literal::Number)
}
