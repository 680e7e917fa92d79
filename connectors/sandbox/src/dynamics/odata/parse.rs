//! The grammar of `$filter`, `$select`, `$orderby` and `$expand`, as much of it as the Web API takes.

use super::lex::{Token, tokens};
use super::like::Place;
use crate::dynamics::cell::{date, moment};
use crate::dynamics::error::{ApiError, Result};
use std::collections::BTreeMap;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

/// A literal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    /// `null`
    Null,
    /// A text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// Any number.
    Number(f64),
    /// `true` or `false`
    Bool(bool),
    /// A GUID.
    Id(Uuid),
    /// A moment.
    Time(OffsetDateTime),
    /// A date.
    Day(Date),
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    /// A property, through navigation properties perhaps.
    Path(Vec<String>),
    /// A literal.
    Literal(Literal),
}

/// How two sides compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    /// `eq`
    Eq,
    /// `ne`
    Ne,
    /// `gt`
    Gt,
    /// `ge`
    Ge,
    /// `lt`
    Lt,
    /// `le`
    Le,
}

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    /// Both.
    And(Box<Expr>, Box<Expr>),
    /// Either.
    Or(Box<Expr>, Box<Expr>),
    /// The contrary.
    Not(Box<Expr>),
    /// A comparison.
    Compare(Operand, Op, Operand),
    /// `contains`, `startswith`, `endswith`
    Like(Vec<String>, Place, String),
    /// `Microsoft.Dynamics.CRM.In` or `NotIn`
    In {
        /// The property.
        property: Vec<String>,
        /// The values, as texts.
        values: Vec<String>,
        /// `NotIn`
        not: bool,
    },
    /// `collection/any(x:…)` or `all`.
    Each {
        /// The navigation property.
        collection: String,
        /// `all` instead of `any`.
        all: bool,
        /// The condition on each row; an `any` may have none.
        inner: Option<Box<Expr>>,
    },
}

/// A column to sort by, and whether from the end.
pub(crate) type Order = (Vec<String>, bool);

/// A navigation property to expand.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Expand {
    /// The navigation property.
    pub(crate) property: String,
    /// Columns; empty for all.
    pub(crate) select: Vec<String>,
    /// A condition, for collections.
    pub(crate) filter: Option<Expr>,
    /// Sorting, for collections.
    pub(crate) order: Vec<Order>,
    /// At most so many, for collections.
    pub(crate) top: Option<usize>,
    /// Further down.
    pub(crate) expand: Vec<Expand>,
}

/// Values of `@name` in the address.
pub(crate) type Aliases = BTreeMap<String, String>;

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    aliases: &'a Aliases,
    /// The variable of the lambda we are in.
    variable: Option<String>,
}

fn parser<'a>(text: &'a str, aliases: &'a Aliases) -> Result<Parser<'a>> {
    Ok(Parser { text, tokens: tokens(text)?, at: 0, aliases, variable: None })
}

/// Reads `$filter`.
///
/// # Errors
/// It does not parse.
pub(crate) fn filter(text: &str, aliases: &Aliases) -> Result<Expr> {
    let mut p = parser(text, aliases)?;
    let expr = p.or()?;
    p.end()?;
    Ok(expr)
}

/// Reads `$select`.
///
/// # Errors
/// It does not parse.
pub(crate) fn select(text: &str) -> Result<Vec<String>> {
    let aliases = Aliases::new();
    let mut p = parser(text, &aliases)?;
    let names = p.names()?;
    p.end()?;
    Ok(names)
}

/// Reads `$orderby`.
///
/// # Errors
/// It does not parse.
pub(crate) fn order(text: &str) -> Result<Vec<Order>> {
    let aliases = Aliases::new();
    let mut p = parser(text, &aliases)?;
    let order = p.orders()?;
    p.end()?;
    Ok(order)
}

/// Reads `$expand`.
///
/// # Errors
/// It does not parse.
pub(crate) fn expand(text: &str, aliases: &Aliases) -> Result<Vec<Expand>> {
    let mut p = parser(text, aliases)?;
    let expand = p.expands()?;
    p.end()?;
    Ok(expand)
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn bad<T>(&self) -> Result<T> {
        Err(ApiError::address(format!("Syntax error at position {} in '{}'.", self.at, self.text)))
    }

    fn end(&self) -> Result<()> {
        if self.peek().is_none() { Ok(()) } else { self.bad() }
    }

    fn is(&self, mark: char) -> bool {
        self.peek() == Some(&Token::Mark(mark))
    }

    fn eat(&mut self, mark: char) -> bool {
        let there = self.is(mark);
        self.at += usize::from(there);
        there
    }

    fn must(&mut self, mark: char) -> Result<()> {
        if self.eat(mark) { Ok(()) } else { self.bad() }
    }

    fn keyword(&mut self, word: &str) -> bool {
        let there = matches!(self.peek(), Some(Token::Word(w)) if w == word);
        self.at += usize::from(there);
        there
    }

    fn word(&mut self) -> Result<String> {
        match self.next() {
            Some(Token::Word(word)) => Ok(word),
            Some(Token::Text(_) | Token::Json(_) | Token::Mark(_)) | None => self.bad(),
        }
    }

    fn or(&mut self) -> Result<Expr> {
        let mut left = self.and()?;
        while self.keyword("or") {
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr> {
        let mut left = self.not()?;
        while self.keyword("and") {
            left = Expr::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Expr> {
        if self.keyword("not") { Ok(Expr::Not(Box::new(self.not()?))) } else { self.primary() }
    }

    fn primary(&mut self) -> Result<Expr> {
        if self.eat('(') {
            let inner = self.or()?;
            self.must(')')?;
            return Ok(inner);
        }
        if let (Some(Token::Word(name)), Some(Token::Mark('('))) = (self.peek(), self.tokens.get(self.at + 1))
        {
            let name = name.clone();
            self.at += 2;
            return self.function(&name);
        }
        let left = self.operand()?;
        if let Operand::Path(path) = &left
            && let Some((last, collection)) = path.split_last()
            && matches!(last.as_str(), "any" | "all")
            && self.eat('(')
        {
            let [collection] = collection else { return self.bad() };
            return self.lambda(collection.clone(), last == "all");
        }
        let op = match self.word()?.as_str() {
            "eq" => Op::Eq,
            "ne" => Op::Ne,
            "gt" => Op::Gt,
            "ge" => Op::Ge,
            "lt" => Op::Lt,
            "le" => Op::Le,
            _ => return self.bad(),
        };
        Ok(Expr::Compare(left, op, self.operand()?))
    }

    fn lambda(&mut self, collection: String, all: bool) -> Result<Expr> {
        if self.eat(')') {
            return if all { self.bad() } else { Ok(Expr::Each { collection, all, inner: None }) };
        }
        let variable = self.word()?;
        self.must(':')?;
        let outer = self.variable.replace(variable);
        let inner = self.or()?;
        self.variable = outer;
        self.must(')')?;
        Ok(Expr::Each { collection, all, inner: Some(Box::new(inner)) })
    }

    fn function(&mut self, name: &str) -> Result<Expr> {
        let place = match name {
            "contains" => Place::Inside,
            "startswith" => Place::Front,
            "endswith" => Place::Back,
            "Microsoft.Dynamics.CRM.In" => return self.within(false),
            "Microsoft.Dynamics.CRM.NotIn" => return self.within(true),
            _ => {
                let says = format!("An unknown function with name '{name}' was found.");
                return Err(ApiError::address(says));
            }
        };
        let Operand::Path(path) = self.operand()? else { return self.bad() };
        self.must(',')?;
        let Operand::Literal(Literal::Text(pattern)) = self.operand()? else { return self.bad() };
        self.must(')')?;
        Ok(Expr::Like(path, place, pattern))
    }

    /// `PropertyName='x',PropertyValues=["a","b"]`, each perhaps behind an alias.
    fn within(&mut self, not: bool) -> Result<Expr> {
        let (mut property, mut values) = (None, None);
        loop {
            let name = self.word()?;
            self.must('=')?;
            let given = self.argument()?;
            match name.as_str() {
                "PropertyName" => property = given.into_iter().next(),
                "PropertyValues" => values = Some(given),
                _ => return self.bad(),
            }
            if !self.eat(',') {
                break;
            }
        }
        self.must(')')?;
        let (Some(property), Some(values)) = (property, values) else { return self.bad() };
        Ok(Expr::In { property: vec![property], values, not })
    }

    fn argument(&mut self) -> Result<Vec<String>> {
        if self.eat('@') {
            let alias = self.word()?;
            let Some(text) = self.aliases.get(&alias) else {
                return Err(ApiError::address(format!("The alias '@{alias}' has no value.")));
            };
            let none = Aliases::new();
            let mut inner = parser(text, &none)?;
            let given = inner.argument()?;
            inner.end()?;
            return Ok(given);
        }
        if !self.eat('[') {
            return match self.next() {
                Some(Token::Text(text) | Token::Json(text)) => Ok(vec![text]),
                Some(Token::Word(_) | Token::Mark(_)) | None => self.bad(),
            };
        }
        let mut out = Vec::new();
        loop {
            match self.next() {
                Some(Token::Json(text) | Token::Word(text)) => out.push(text),
                // The values are JSON, whose texts have double quotes.
                Some(Token::Text(_) | Token::Mark(_)) | None => return self.bad(),
            }
            if self.eat(']') {
                return Ok(out);
            }
            self.must(',')?;
        }
    }

    fn operand(&mut self) -> Result<Operand> {
        match self.next() {
            Some(Token::Text(text)) => Ok(Operand::Literal(Literal::Text(text))),
            Some(Token::Word(word)) => match literal(&word) {
                Some(literal) => Ok(Operand::Literal(literal)),
                None => {
                    let mut path = vec![word];
                    while self.eat('/') {
                        path.push(self.word()?);
                    }
                    if self.variable.as_ref() == path.first() && path.len() > 1 {
                        path.remove(0);
                    }
                    Ok(Operand::Path(path))
                }
            },
            Some(Token::Mark('@')) => {
                let alias = self.word()?;
                let Some(text) = self.aliases.get(&alias).cloned() else {
                    return Err(ApiError::address(format!("The alias '@{alias}' has no value.")));
                };
                let none = Aliases::new();
                let mut inner = parser(&text, &none)?;
                let operand = inner.operand()?;
                inner.end()?;
                Ok(operand)
            }
            Some(Token::Json(_) | Token::Mark(_)) | None => self.bad(),
        }
    }

    fn names(&mut self) -> Result<Vec<String>> {
        let mut out = vec![self.word()?];
        while self.eat(',') {
            out.push(self.word()?);
        }
        Ok(out)
    }

    fn orders(&mut self) -> Result<Vec<Order>> {
        let mut out = Vec::new();
        loop {
            let Operand::Path(path) = self.operand()? else { return self.bad() };
            let descending = self.keyword("desc");
            if !descending {
                self.keyword("asc");
            }
            out.push((path, descending));
            if !self.eat(',') {
                return Ok(out);
            }
        }
    }

    fn expands(&mut self) -> Result<Vec<Expand>> {
        let mut out = Vec::new();
        loop {
            let mut one = Expand { property: self.word()?, ..Expand::default() };
            if self.eat('(') {
                loop {
                    self.expand_option(&mut one)?;
                    if self.eat(')') {
                        break;
                    }
                    self.must(';')?;
                }
            }
            out.push(one);
            if !self.eat(',') {
                return Ok(out);
            }
        }
    }

    fn expand_option(&mut self, into: &mut Expand) -> Result<()> {
        let name = self.word()?;
        self.must('=')?;
        match name.as_str() {
            "$select" => into.select = self.names()?,
            "$filter" => into.filter = Some(self.or()?),
            "$orderby" => into.order = self.orders()?,
            "$expand" => into.expand = self.expands()?,
            "$top" => into.top = Some(self.word()?.parse().or_else(|_| self.bad())?),
            _ => return self.bad(),
        }
        Ok(())
    }
}

/// A word as a literal; anything else is a name.
fn literal(word: &str) -> Option<Literal> {
    match word {
        "null" => return Some(Literal::Null),
        "true" => return Some(Literal::Bool(true)),
        "false" => return Some(Literal::Bool(false)),
        _ => {}
    }
    if word.len() == 36
        && let Ok(id) = Uuid::try_parse(word)
    {
        return Some(Literal::Id(id));
    }
    if let Ok(n) = word.parse() {
        return Some(Literal::Int(n));
    }
    if word.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+') {
        let number = || word.parse().ok().map(Literal::Number);
        return date(word).map(Literal::Day).or_else(|| moment(word).map(Literal::Time)).or_else(number);
    }
    None
}
