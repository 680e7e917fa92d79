//! Finds the FAQ entries that answer a question best (B11): BM25 over words without marks and capitals.
//!
//! A library for full-text search would bring an index on disk for a few thousand short texts that lie in memory anyway.

use crate::settings::Faq;
use std::collections::{BTreeSet, HashMap};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// How much a word that an entry repeats counts, and how much an entry's length; the values Robertson and Zaragoza
/// ("The Probabilistic Relevance Framework", 2009) recommend.
const K1: f64 = 1.2;
const B: f64 = 0.75;
/// A word of the question or a tag says more about an entry than one of its answer.
const QUESTION_WEIGHT: f64 = 3.0;
/// What the beginning of a word counts: people see results while they type.
const BEGINNING_WEIGHT: f64 = 0.5;
/// Shortest beginning that counts.
const BEGINNING_CHARS_MIN: usize = 3;
/// Longest ending by which a word of the query may be longer than one of the entry.
const ENDING_CHARS_MAX: usize = 3;
/// Words of a query that are looked for.
const WORDS_MAX: usize = 20;

/// Entries to find, best first.
pub(super) fn find<'a>(
    entries: impl Iterator<Item = (&'a String, &'a Faq)>,
    asked: &str,
) -> Vec<(&'a String, &'a Faq)> {
    let entries: Vec<Entry<'a>> = entries.map(|(id, faq)| Entry::new(id, faq)).collect();
    let asked: BTreeSet<String> = words(asked).into_iter().take(WORDS_MAX).collect();
    if asked.is_empty() {
        return entries.into_iter().map(|entry| (entry.id, entry.faq)).collect();
    }
    let count = f64::from(u32::try_from(entries.len()).unwrap_or(u32::MAX));
    let total: f64 = entries.iter().map(|entry| entry.length).sum();
    let typical = (total / count.max(1.0)).max(1.0);
    let mut scores = vec![0.0; entries.len()];
    for word in &asked {
        let weights: Vec<f64> = entries.iter().map(|entry| entry.weight(word)).collect();
        let holders = weights.iter().filter(|weight| **weight > 0.0).count();
        let holders = f64::from(u32::try_from(holders).unwrap_or(u32::MAX));
        let rare = (1.0 + (count - holders + 0.5) / (holders + 0.5)).ln();
        for ((score, weight), entry) in scores.iter_mut().zip(weights).zip(&entries) {
            let long = 1.0 - B + B * entry.length / typical;
            *score += rare * weight * (K1 + 1.0) / (weight + K1 * long);
        }
    }
    let mut found: Vec<(f64, Entry<'a>)> =
        scores.into_iter().zip(entries).filter(|(score, _)| *score > 0.0).collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.id.cmp(b.1.id)));
    found.into_iter().map(|(_, entry)| (entry.id, entry.faq)).collect()
}

struct Entry<'a> {
    id: &'a String,
    faq: &'a Faq,
    /// What each word counts here.
    words: HashMap<String, f64>,
    length: f64,
}

impl<'a> Entry<'a> {
    fn new(id: &'a String, faq: &'a Faq) -> Self {
        let mut entry = Self { id, faq, words: HashMap::new(), length: 0.0 };
        entry.add(&faq.question, QUESTION_WEIGHT);
        faq.tags.iter().for_each(|tag| entry.add(tag, QUESTION_WEIGHT));
        entry.add(&faq.answer, 1.0);
        entry
    }

    fn add(&mut self, text: &str, weight: f64) {
        for word in words(text) {
            *self.words.entry(word).or_default() += weight;
            self.length += 1.0;
        }
    }

    /// What a word counts here; one that only begins alike counts less: people see results while they type, and ask
    /// for invoices where the entry has an invoice.
    fn weight(&self, asked: &str) -> f64 {
        if let Some(weight) = self.words.get(asked) {
            return *weight;
        }
        let alike = self.words.iter().filter(|(word, _)| begins_alike(word, asked));
        alike.map(|(_, weight)| weight * BEGINNING_WEIGHT).fold(0.0, f64::max)
    }
}

fn begins_alike(word: &str, asked: &str) -> bool {
    let (chars, asked_chars) = (word.chars().count(), asked.chars().count());
    let typed = asked_chars >= BEGINNING_CHARS_MIN && word.starts_with(asked);
    let bent =
        chars > BEGINNING_CHARS_MIN && asked_chars <= chars + ENDING_CHARS_MAX && asked.starts_with(word);
    typed || bent
}

/// Words of a text, so that those match which people take for the same.
fn words(text: &str) -> Vec<String> {
    // Without the marks that people leave out when they type in a hurry.
    let bare = text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    let folded = bare.collect::<String>().replace('ß', "ss");
    let words = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn faq() -> BTreeMap<String, Faq> {
        let entry = |question: &str, answer: &str, tags: &[&str]| Faq {
            question: question.to_owned(),
            answer: answer.to_owned(),
            tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
            queues: BTreeSet::new(),
        };
        [
            (
                "delivery",
                entry(
                    "How long does delivery take?",
                    "Orders are delivered within three days.",
                    &["shipping"],
                ),
            ),
            (
                "return",
                entry("How do I return an order?", "Print the label and send the parcel back.", &["refund"]),
            ),
            (
                "invoice",
                entry("Where is my invoice?", "You find invoices of your orders in your account.", &[]),
            ),
            ("rueckgabe", entry("Wie gebe ich Geräte zurück?", "Die Rückgabe ist kostenlos.", &["Größe"])),
        ]
        .into_iter()
        .map(|(id, entry)| (id.to_owned(), entry))
        .collect()
    }

    fn ids(asked: &str) -> Vec<String> {
        find(faq().iter(), asked).into_iter().map(|(id, _)| id.clone()).collect()
    }

    // proves B11
    #[test]
    fn what_fits_best_comes_first_whatever_the_spelling() {
        assert_eq!(ids("delivery")[0], "delivery");
        assert_eq!(ids("invoices")[0], "invoice");
        assert_eq!(ids("returning orders")[0], "return");
        assert_eq!(ids("SHIPPING"), ["delivery"]);
        assert_eq!(ids("geraet"), Vec::<String>::new(), "another spelling is another word");
        assert_eq!(ids("Gerat"), ["rueckgabe"], "a mark left out");
        assert_eq!(ids("GROSSE"), ["rueckgabe"]);
        assert_eq!(ids("refu"), ["return"], "the beginning of a word");
        assert_eq!(ids("zebra crossings"), Vec::<String>::new());
        assert_eq!(ids("").len(), 4, "without a question all are listed");
    }
}
