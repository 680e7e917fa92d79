//! Wrap-up and classification, of a queue's chats or of calls.

use super::super::{Problems, Span};
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, de};
use std::collections::BTreeSet;
use std::fmt;
use tieline_model::Millis;
use tieline_model::policy::{Classification, WrapUp};

/// Wrap-up after a chat or a call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WrapUpSettings {
    /// The countdown, or "none" (C3). Default "60s".
    #[serde(deserialize_with = "span_or_none")]
    #[schemars(with = "String")]
    pub time: Option<Span>,
    /// How often it may be extended (C4). Default 3.
    pub extensions: u32,
    /// What one extension adds. Default "30s".
    pub extension: Span,
    /// From the end of the chat, parked too, but not during calls; then it completes by itself, and "none" never
    /// (C8). Default "30m".
    #[serde(deserialize_with = "span_or_none")]
    #[schemars(with = "String")]
    pub max: Option<Span>,
}

/// How chats or calls are classified.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClassificationSettings {
    /// The codes to choose from, in the order shown; empty means free text only. A branch of a tree is a table:
    /// `{ name = "Billing", codes = ["Refund", "Invoice"] }`; what is recorded is "Billing / Refund" (C1). Default
    /// none.
    pub codes: Vec<CodeSettings>,
    /// More than one code may be chosen. Default false.
    pub several: bool,
    /// A chat without classification is recorded as "not classified" (C6). Default false.
    pub mandatory: bool,
}

/// A code, or a branch with codes of its own.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[serde(untagged)]
pub enum CodeSettings {
    /// A code that can be chosen.
    Leaf(String),
    /// A branch, which only groups.
    Branch(Branch),
}

/// A branch of the tree of codes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// What it is called.
    pub name: String,
    /// What is below it.
    pub codes: Vec<CodeSettings>,
}

impl<'de> Deserialize<'de> for CodeSettings {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = CodeSettings;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or a table such as { name = \"Billing\", codes = [\"Refund\"] }")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<CodeSettings, E> {
                Ok(CodeSettings::Leaf(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CodeSettings, A::Error> {
                Branch::deserialize(MapAccessDeserializer::new(map)).map(CodeSettings::Branch)
            }
        }
        d.deserialize_any(Either)
    }
}

/// A duration, or the word "none".
pub(in super::super) fn span_or_none<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Span>, D::Error> {
    match String::deserialize(d)?.as_str() {
        "none" => Ok(None),
        text => text.parse().map(Some).map_err(|bad| de::Error::custom(format!("{bad}, or \"none\""))),
    }
}

impl Default for WrapUpSettings {
    fn default() -> Self {
        let rules = WrapUp::default();
        let span = |ms: Millis| Span::ms(ms.0);
        Self {
            time: rules.time.map(span),
            extensions: rules.extensions,
            extension: span(rules.extension),
            max: rules.max.map(span),
        }
    }
}

impl WrapUpSettings {
    pub(in super::super) fn validate(&self, at: &str, problems: &mut Problems) {
        let timer = Span::secs(1)..=Span::hours(24);
        if let Some(time) = self.time {
            problems.span(format!("{at}.time"), time, timer.clone());
        }
        problems.count(format!("{at}.extensions"), self.extensions.into(), 0..=100);
        problems.span(format!("{at}.extension"), self.extension, timer.clone());
        if let Some(max) = self.max {
            let low = self.time.filter(|time| timer.contains(time)).unwrap_or(*timer.start());
            problems.span(format!("{at}.max"), max, low..=*timer.end());
        }
    }

    pub(in super::super) fn policy(&self) -> WrapUp {
        WrapUp {
            time: self.time.map(Millis::from),
            extensions: self.extensions,
            extension: self.extension.millis(),
            max: self.max.map(Millis::from),
        }
    }
}

/// Between the steps of a code's path.
const STEP: &str = " / ";
/// Longest path of a code, as the panel and the CRMs' fields have room for.
const CODE_CHARS_MAX: usize = 120;
/// Deepest tree.
const DEPTH_MAX: usize = 5;
/// Codes of one queue.
const CODES_MAX: u64 = 500;

impl ClassificationSettings {
    pub(in super::super) fn validate(&self, at: &str, problems: &mut Problems) {
        let codes = self.flat();
        problems.count(format!("{at}.codes"), codes.len() as u64, 0..=CODES_MAX);
        let mut seen = BTreeSet::new();
        validate_level(&format!("{at}.codes"), &self.codes, "", 1, &mut seen, problems);
        if self.mandatory && codes.is_empty() && !self.codes.is_empty() {
            problems.add(format!("{at}.codes"), "has branches without codes", "put codes below them");
        }
    }

    /// Every code that can be chosen, as its path.
    fn flat(&self) -> Vec<String> {
        let mut all = Vec::new();
        flatten(&self.codes, "", &mut all);
        all
    }

    pub(in super::super) fn policy(&self) -> Classification {
        Classification { codes: self.flat(), several: self.several, mandatory: self.mandatory }
    }
}

fn flatten(codes: &[CodeSettings], above: &str, all: &mut Vec<String>) {
    for code in codes {
        match code {
            CodeSettings::Leaf(name) => all.push(format!("{above}{name}")),
            CodeSettings::Branch(branch) => {
                flatten(&branch.codes, &format!("{above}{}{STEP}", branch.name), all)
            }
        }
    }
}

fn validate_level(
    at: &str,
    codes: &[CodeSettings],
    above: &str,
    depth: usize,
    seen: &mut BTreeSet<String>,
    problems: &mut Problems,
) {
    for (index, code) in codes.iter().enumerate() {
        let at = format!("{at}[{index}]");
        let name = match code {
            CodeSettings::Leaf(name) => name,
            CodeSettings::Branch(branch) => &branch.name,
        };
        let path = format!("{above}{name}");
        problems.text(&at, &path, CODE_CHARS_MAX);
        if !seen.insert(path.clone()) {
            problems.add(&at, format!("is \"{path}\" again"), "list each code once");
        }
        let CodeSettings::Branch(branch) = code else { continue };
        if name.contains(STEP.trim()) {
            problems.add(&at, format!("is the branch \"{name}\""), "write its name without \"/\"");
        }
        if branch.codes.is_empty() {
            problems.add(format!("{at}.codes"), "is empty", "put codes below it, or write it as a text");
        } else if depth == DEPTH_MAX {
            problems.add(
                format!("{at}.codes"),
                "is one step too deep",
                format!("use at most {DEPTH_MAX} steps"),
            );
        } else {
            validate_level(
                &format!("{at}.codes"),
                &branch.codes,
                &format!("{path}{STEP}"),
                depth + 1,
                seen,
                problems,
            );
        }
    }
}
