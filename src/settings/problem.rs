//! What is wrong with the settings: the key, what it holds, the limit, the way out.

use super::Span;
use std::fmt;
use std::ops::RangeInclusive;

/// One thing wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key at fault, dotted as in the file (`tenants.acme.queues.support.accept_within`).
    pub key: String,
    /// What it holds and why that will not do; never a secret.
    pub what: String,
    /// What to do about it.
    pub way_out: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}; {}", self.key, self.what, self.way_out)
    }
}

/// Everything wrong with the settings, in the order of the file's sections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Adds one.
    pub fn add(&mut self, key: impl Into<String>, what: impl Into<String>, way_out: impl Into<String>) {
        self.0.push(Problem { key: key.into(), what: what.into(), way_out: way_out.into() });
    }

    /// Nothing is wrong, or all of this.
    ///
    /// # Errors
    /// Itself, unless it is empty.
    pub fn into_result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }

    pub(super) fn span(&mut self, key: impl Into<String>, holds: Span, limits: RangeInclusive<Span>) {
        if !limits.contains(&holds) {
            let (low, high) = limits.into_inner();
            self.add(
                key,
                format!("is \"{holds}\""),
                format!("choose a duration from \"{low}\" to \"{high}\""),
            );
        }
    }

    pub(super) fn count(&mut self, key: impl Into<String>, holds: u64, limits: RangeInclusive<u64>) {
        if !limits.contains(&holds) {
            let (low, high) = limits.into_inner();
            self.add(key, format!("is {holds}"), format!("choose a number from {low} to {high}"));
        }
    }

    pub(super) fn text(&mut self, key: impl Into<String>, holds: &str, chars_max: usize) {
        let chars = holds.chars().count();
        if chars == 0 || chars > chars_max || holds.chars().any(char::is_control) {
            self.add(
                key,
                format!("has {chars} characters, or a control character"),
                format!("choose a text of 1 to {chars_max} characters on one line"),
            );
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
