//! How the database compares texts: without case, mostly without accents, and with wildcards that are live inside
//! `contains`, `startswith` and `endswith` (sheet 2.3).

/// Where a pattern must lie in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Anywhere.
    Inside,
    /// At the beginning.
    Front,
    /// At the end.
    Back,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Any,
    One,
    Char(char),
    Class { not: bool, ranges: Vec<(char, char)> },
}

/// A text as comparisons see it.
pub(crate) fn fold(text: &str, accents: bool) -> String {
    text.chars().flat_map(char::to_lowercase).map(|c| if accents { c } else { plain(c) }).collect()
}

/// Whether a text is like a pattern.
pub(crate) fn like(text: &str, pattern: &str, place: Place, accents: bool) -> bool {
    let text: Vec<char> = fold(text, accents).chars().collect();
    let mut parts = parts(&fold(pattern, accents));
    if place != Place::Front {
        parts.insert(0, Part::Any);
    }
    if place != Place::Back {
        parts.push(Part::Any);
    }
    matches(&text, &parts)
}

fn parts(pattern: &str) -> Vec<Part> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut at = 0;
    let mut out = Vec::new();
    while let Some(&c) = chars.get(at) {
        at += 1;
        out.push(match c {
            '%' => Part::Any,
            '_' => Part::One,
            '[' => match class(&chars, at) {
                Some((part, next)) => {
                    at = next;
                    part
                }
                // A bracket that is never closed matches nothing in SQL; as a plain character it matches as little.
                None => Part::Char('['),
            },
            c => Part::Char(c),
        });
    }
    out
}

fn class(chars: &[char], from: usize) -> Option<(Part, usize)> {
    let end = from + chars.get(from..)?.iter().skip(1).position(|c| *c == ']')? + 1;
    let not = chars[from] == '^';
    let inner = &chars[from + usize::from(not)..end];
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < inner.len() {
        if inner.get(at + 1) == Some(&'-') && at + 2 < inner.len() {
            ranges.push((inner[at], inner[at + 2]));
            at += 3;
        } else {
            ranges.push((inner[at], inner[at]));
            at += 1;
        }
    }
    Some((Part::Class { not, ranges }, end + 1))
}

/// Greedy matching with one way back: each `%` is tried as late as needed.
fn matches(text: &[char], parts: &[Part]) -> bool {
    let (mut t, mut p) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let fits = match parts.get(p) {
            Some(Part::Any) => {
                retry = Some((t, p));
                p += 1;
                continue;
            }
            Some(part) => text.get(t).is_some_and(|c| part.fits(*c)),
            None if t == text.len() => return true,
            None => false,
        };
        if fits {
            t += 1;
            p += 1;
            continue;
        }
        let Some((from, any)) = retry.filter(|(from, _)| *from < text.len()) else { return false };
        retry = Some((from + 1, any));
        t = from + 1;
        p = any + 1;
    }
}

impl Part {
    fn fits(&self, c: char) -> bool {
        match self {
            Self::Any => true,
            Self::One => true,
            Self::Char(own) => *own == c,
            Self::Class { not, ranges } => ranges.iter().any(|(a, b)| (*a..=*b).contains(&c)) != *not,
        }
    }
}

fn plain(c: char) -> char {
    match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => 'a',
        'ç' | 'č' | 'ć' => 'c',
        'è' | 'é' | 'ê' | 'ë' | 'ě' => 'e',
        'ì' | 'í' | 'î' | 'ï' | 'ı' => 'i',
        'ñ' | 'ň' => 'n',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' => 'o',
        'ř' => 'r',
        'š' | 'ś' => 's',
        'ù' | 'ú' | 'û' | 'ü' | 'ů' => 'u',
        'ý' | 'ÿ' => 'y',
        'ž' | 'ź' | 'ż' => 'z',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_live_and_can_be_written_as_a_class() {
        let inside = |text: &str, pattern: &str| like(text, pattern, Place::Inside, false);
        assert!(inside("(555) 123-4567", "5%5%5%1%2%3%4%5%6%7"));
        assert!(!inside("(555) 123-4568", "5%5%5%1%2%3%4%5%6%7"));
        assert!(inside("100 % sure", "[%]") && !inside("100 sure", "[%]"));
        assert!(inside("a_b", "a[_]b") && inside("axb", "a_b") && !inside("axb", "a[_]b"));
        assert!(inside("x7", "[0-9]") && !inside("x7", "x[^0-9]") && inside("a[b", "[[]"));
    }

    #[test]
    fn comparisons_know_no_case_and_no_accents() {
        assert!(like("Jürgen Weißenfels", "JURGEN", Place::Front, false));
        assert!(!like("Jürgen", "jurgen", Place::Front, true));
        assert!(like("abc", "C", Place::Back, true) && !like("abcd", "c", Place::Back, true));
        assert!(like("aab", "ab", Place::Back, true) && !like("ab", "abc", Place::Front, true));
    }
}
