//! What a file is, found by looking at its bytes: what its sender calls it counts for nothing (B18).

use unicode_segmentation::UnicodeSegmentation;

/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 200;
/// Bytes a name may take: an emoji may hold many.
const NAME_BYTES_MAX: usize = 1_000;

/// The media type of a file, or nothing when it is of no kind that is taken anywhere. What a browser would run, such as
/// HTML and SVG, is of no such kind, whatever a queue allows.
pub(super) fn media_type(bytes: &[u8]) -> Option<&'static str> {
    if let Some(kind) = infer::get(bytes) {
        let kind = kind.mime_type();
        return (!runs(kind)).then_some(kind);
    }
    is_plain_text(bytes).then_some("text/plain")
}

fn runs(kind: &str) -> bool {
    kind.starts_with("text/") || kind.ends_with("xml") || kind.contains("script") || kind.contains("html")
}

/// UTF-8 without control characters, and not markup.
fn is_plain_text(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let controls = text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}'));
    let mut start = text.trim_start().chars();
    let tag =
        start.next() == Some('<') && start.next().is_some_and(|c| c.is_alphabetic() || "!?/".contains(c));
    !controls && !tag
}

/// A name without path, control characters and what turns the reading direction around; never empty, never long.
pub(super) fn tidy_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let unseen = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let plain: String = last.chars().filter(unseen).collect();
    let plain = plain.trim().trim_start_matches('.').trim();
    let mut tidy = String::new();
    for one in plain.graphemes(true).take(NAME_CHARS_MAX) {
        if tidy.len() + one.len() > NAME_BYTES_MAX {
            break;
        }
        tidy.push_str(one);
    }
    if tidy.is_empty() { "file".to_owned() } else { tidy }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_bytes_say_what_a_file_is() {
        for (bytes, kind) in [
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), Some("image/png")),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", Some("image/jpeg")),
            (b"GIF89a<script>alert(1)</script>", Some("image/gif")),
            (b"RIFF\x24\0\0\0WEBPVP8 ", Some("image/webp")),
            (b"%PDF-1.7\n", Some("application/pdf")),
            ("Grüße\r\n\tfrom here".as_bytes(), Some("text/plain")),
            (b"\xef\xbb\xbfwith a mark", Some("text/plain")),
            (b"<3 you", Some("text/plain")),
            (b"", Some("text/plain")),
            (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", None),
            (b"<?xml version='1.0'?><svg/>", None),
            (b"  \n<!DOCTYPE html><script>", None),
            (b"\xef\xbb\xbf <HTML>", None),
            (b"<script>alert(1)</script>", None),
            (b"<!-- x --><html>", None),
            (b"#!/bin/sh\nrm -rf /", None),
            (b"caf\xe9 in Latin-1", None),
            (b"zero\0byte", None),
            (b"\xff\xfe<\0h\0t\0m\0l\0", None),
        ] {
            assert_eq!(media_type(bytes), kind, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_name_is_only_a_name() {
        for (said, tidy) in [
            ("invoice.pdf", "invoice.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\grace\\scan.png", "scan.png"),
            ("..", "file"),
            (".htaccess", "htaccess"),
            ("a\r\nContent-Type: text/html", "html"),
            ("photo\u{202e}gnp.exe", "photognp.exe"),
            ("  Übersicht 2026.pdf ", "Übersicht 2026.pdf"),
            ("", "file"),
        ] {
            assert_eq!(tidy_name(said), tidy, "{said:?}");
        }
        assert_eq!(tidy_name(&"é".repeat(300)).graphemes(true).count(), 200);
    }

    proptest! {
        #[test]
        fn no_name_gets_through_untidy(name in "\\PC*|.*") {
            let tidy = tidy_name(&name);
            prop_assert!(!tidy.is_empty() && tidy.graphemes(true).count() <= 200 && tidy.len() <= 1_000);
            prop_assert!(!tidy.contains(['/', '\\']) && !tidy.chars().any(char::is_control));
        }
    }
}
