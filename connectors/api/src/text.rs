//! Texts as CRMs take them: cut between graphemes to a field's limit, on one line or on many, without control
//! characters; moments in UTC; digests of values that were sent. Pure.

use std::fmt::Write as _;
use tieline_model::Timestamp;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use unicode_segmentation::UnicodeSegmentation;

/// `2026-11-20 09:00:00`.
pub const DAY_AND_TIME: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
/// `2026-11-20`.
pub const DAY: &[BorrowedFormatItem<'static>] = format_description!("[year]-[month]-[day]");
/// `09:00:00`.
pub const CLOCK: &[BorrowedFormatItem<'static>] = format_description!("[hour]:[minute]:[second]");
/// `2026-11-20T09:00:00.000Z`, as CRMs take it.
pub const WIRE: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// What was cut and whether.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The text, with the mark where it was cut.
    pub text: String,
    /// Something is missing.
    pub cut: bool,
}

/// Shortens a text to a number of UTF-16 units and of bytes, between graphemes, with a mark where it was cut.
#[must_use]
pub fn cut(text: &str, units_max: usize, bytes_max: usize, mark: &str) -> Cut {
    if text.len() <= bytes_max && units(text) <= units_max {
        return Cut { text: text.to_owned(), cut: false };
    }
    let (mut units_left, mut bytes_left) =
        (units_max.saturating_sub(units(mark)), bytes_max.saturating_sub(mark.len()));
    let mut end = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        if units(grapheme) > units_left || grapheme.len() > bytes_left {
            break;
        }
        units_left -= units(grapheme);
        bytes_left -= grapheme.len();
        end = at + grapheme.len();
    }
    Cut { text: format!("{}{mark}", text[..end].trim_end()), cut: true }
}

/// Length in UTF-16 units, as most CRMs count.
#[must_use]
pub fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// A text of one line: control characters become spaces, ends are trimmed, and it is cut with an ellipsis.
#[must_use]
pub fn one_line(text: &str, units_max: usize) -> String {
    let flat: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    cut(flat.trim(), units_max, usize::MAX, "…").text
}

/// A text of many lines without the control characters that CRMs refuse.
#[must_use]
pub fn many_lines(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { ' ' } else { c }).collect()
}

/// Later lines of one message stand indented, so that nobody can write a line that looks like another's.
#[must_use]
pub fn indented(text: &str) -> String {
    many_lines(text).replace('\n', "\n    ")
}

/// A moment in UTC, written as `how` says.
#[must_use]
pub fn show(at: Timestamp, how: &[BorrowedFormatItem<'_>]) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .format(how)
        .unwrap_or_default()
}

/// An e-mail address that an e-mail field of at most `chars_max` characters takes; anything else is none.
#[must_use]
pub fn email(text: &str, chars_max: usize) -> Option<String> {
    let text = text.trim();
    let (user, host) = text.rsplit_once('@')?;
    let plain =
        |s: &str| !s.is_empty() && s.chars().all(|c| c.is_ascii_graphic() && !"\"(),:;<>@[]\\".contains(c));
    let dots = !host.starts_with('.') && !host.ends_with('.') && !host.contains("..") && host.contains('.');
    (plain(user) && plain(host) && dots && text.len() <= chars_max).then(|| text.to_owned())
}

/// A short digest of a value of one field of one record; salted with the record's key, so that equal texts of
/// different people do not look equal in the ledger.
#[must_use]
pub fn digest(key: &str, field: &str, value: &str) -> String {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for part in [key, field, value] {
        context.update(&part.len().to_le_bytes());
        context.update(part.as_bytes());
    }
    context.finish().as_ref()[..12].iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cut_never_splits_what_a_reader_sees_as_one_sign() {
        assert_eq!(cut("abc", 3, 3, "…").text, "abc");
        assert_eq!(cut("abcdef", 4, 99, "…").text, "abc…");
        assert_eq!(cut("👩‍👩‍👧‍👦👩‍👩‍👧‍👦", 12, 999, "…").text, "👩‍👩‍👧‍👦…");
        assert_eq!(cut("👩‍👩‍👧‍👦", 10, 999, "…").text, "…");
        assert_eq!(cut("€€€€", 99, 9, "…").text, "€€…");
    }

    #[test]
    fn only_addresses_that_crms_take_go_into_email_fields() {
        for good in ["ada@example.org", " ada+x@sub.example.co.uk "] {
            assert_eq!(email(good, 80).as_deref(), Some(good.trim()), "{good}");
        }
        for bad in [
            "",
            "ada",
            "ada@",
            "@example.org",
            "ada@example",
            "a b@example.org",
            "ada@.org",
            "ada@a..b",
            "ä@example.org",
        ] {
            assert_eq!(email(bad, 80), None, "{bad}");
        }
        assert_eq!(email("ada@example.org", 14), None);
    }

    #[test]
    fn a_digest_is_of_one_field_of_one_record() {
        assert_eq!(digest("k", "F", "a"), digest("k", "F", "a"));
        for other in [digest("other", "F", "a"), digest("k", "G", "a"), digest("k", "F", "A")] {
            assert_ne!(digest("k", "F", "a"), other);
        }
        assert_ne!(digest("k", "Fa", ""), digest("k", "F", "a"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_cut_keeps_both_limits_and_the_beginning(text in any::<String>(), units_max in 5_usize..60, bytes_max in 8_usize..60) {
            let Cut { text: short, cut } = cut(&text, units_max, bytes_max, "[…]");
            prop_assert!(units(&short) <= units_max && short.len() <= bytes_max);
            let kept = if cut { short.strip_suffix("[…]").unwrap() } else { &short };
            prop_assert!(text.starts_with(kept));
            prop_assert_eq!(cut, short != text);
        }
    }
}
