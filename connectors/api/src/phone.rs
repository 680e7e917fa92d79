//! Phone numbers: the same number is typed in many ways, and a CRM keeps it as typed.
//!
//! Pure: reads what a telephone system, a customer or a CRM wrote, says in which spellings to search for it, and how
//! sure it is that two texts name one number (D2). Withheld numbers match nobody (E2).

use phonenumber::country::{Id, Source};
use phonenumber::{Mode, PhoneNumber};
use std::fmt;
use std::str::FromStr;
use tieline_model::crm::Certainty;

/// Fewest digits that are searched for or compared: fewer would match half a city, or a colleague's extension.
pub const DIGITS_MIN: usize = 7;
/// Most digits a number can have (E.164).
pub const DIGITS_MAX: usize = 15;
/// Longest text read as a number, in bytes; phone fields of CRMs are shorter.
const TEXT_BYTES_MAX: usize = 256;

/// What telephone systems write when the caller hides the number, in lower case. `266696687` spells ANONYMOUS.
const WITHHELD: [&str; 24] = [
    "",
    "anonymous",
    "anonym",
    "anonyme",
    "anonimo",
    "unknown",
    "unbekannt",
    "inconnu",
    "withheld",
    "private",
    "privat",
    "privé",
    "restricted",
    "blocked",
    "hidden",
    "unavailable",
    "unterdrückt",
    "not available",
    "no number",
    "no caller id",
    "invalid",
    "none",
    "266696687",
    "+266696687",
];

/// A country, by its two-letter code, in which numbers written without a country code are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Country(Id);

/// The text is not the two-letter code of a country with a telephone network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a country code: write two capital letters, as GB or US")]
pub struct BadCountry;

impl FromStr for Country {
    type Err = BadCountry;
    fn from_str(text: &str) -> Result<Self, BadCountry> {
        if text.len() != 2 {
            return Err(BadCountry);
        }
        text.parse().map(Self).map_err(|_| BadCountry)
    }
}

/// A number somebody can be called at.
#[derive(Clone, PartialEq, Eq)]
pub struct Number {
    e164: Option<String>,
    significant: String,
    national: String,
    written: String,
    extension: Option<String>,
    /// It was written with its country code, so no other country can be meant.
    sure_of_country: bool,
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Number(***)")
    }
}

/// Whether a telephone system says with this text that the caller hides the number (E2).
#[must_use]
pub fn is_withheld(text: &str) -> bool {
    let text = strip_uri(text.trim()).to_lowercase();
    let text = text.trim();
    WITHHELD.contains(&text)
        || text.contains("anonymous")
        || !text.chars().any(|c| c.is_ascii_digit() && c != '0')
}

impl Number {
    /// Reads a number as given. `None` when it is withheld, or is no number that can be searched for
    /// ([`DIGITS_MIN`], [`DIGITS_MAX`]). `country` is where a number without country code is read.
    #[must_use]
    pub fn parse(text: &str, country: Option<Country>) -> Option<Self> {
        if text.len() > TEXT_BYTES_MAX || is_withheld(text) {
            return None;
        }
        let (main, extension) = split_extension(strip_uri(text.trim()));
        let plus = main.trim_start_matches(['(', ' ']).starts_with(['+', '\u{ff0b}']);
        let written = digits(main);
        if written.len() < DIGITS_MIN || written.len() > DIGITS_MAX + 5 {
            return None;
        }
        let read = read(&written, plus, country);
        let e164 = read.as_ref().map(|n| n.format().mode(Mode::E164).to_string());
        let significant = read.as_ref().map_or_else(|| written.clone(), significant);
        let national = read
            .as_ref()
            .map_or_else(|| written.clone(), |n| digits(&n.format().mode(Mode::National).to_string()));
        let sure_of_country =
            read.is_some_and(|n| n.country().code() != 0 && n.code().source() != Source::Default);
        Some(Self { e164, significant, national, written, extension, sure_of_country })
    }

    /// The number as E.164 writes it (`+442079460000`); `None` when its country is not known.
    #[must_use]
    pub fn e164(&self) -> Option<&str> {
        self.e164.as_deref()
    }
    /// Its digits as dialled inside its country, with the trunk prefix (`02079460000`).
    #[must_use]
    pub fn national(&self) -> &str {
        &self.national
    }
    /// Its digits without country code and trunk prefix (`2079460000`).
    #[must_use]
    pub fn significant(&self) -> &str {
        &self.significant
    }
    /// The extension behind it.
    #[must_use]
    pub fn extension(&self) -> Option<&str> {
        self.extension.as_deref()
    }

    /// The spellings to search a CRM for, most telling first, none twice, none under [`DIGITS_MIN`] digits: all
    /// digits with country code, national significant, national with trunk prefix, the `+` form, both prefixes
    /// (`+44 (0)20 …`), the international dialling prefix (`0044 …`), and the digits as given.
    #[must_use]
    pub fn variants(&self) -> Vec<String> {
        let mut all = Vec::new();
        let full = self.e164.as_deref().map(digits);
        all.extend(full.clone());
        all.push(self.significant.clone());
        all.push(self.national.clone());
        all.extend(self.e164.clone());
        if let Some(full) = full {
            let code = full.strip_suffix(&self.significant).unwrap_or_default();
            all.push(format!("{code}{}", self.national));
            all.push(format!("00{full}"));
        }
        all.push(self.written.clone());
        let mut unique: Vec<String> = Vec::with_capacity(all.len());
        for variant in all {
            if digits(&variant).len() >= DIGITS_MIN && !unique.contains(&variant) {
                unique.push(variant);
            }
        }
        unique
    }

    /// How sure it is that a text typed into a CRM names this number: the same E.164 text, the same number written
    /// differently, or the last [`DIGITS_MIN`] or more digits agree. A field may hold several numbers.
    ///
    /// The same line with another extension is a guess. Two numbers that both carry their country code and differ
    /// are different, however alike they end.
    #[must_use]
    pub fn compare(&self, typed: &str, country: Option<Country>) -> Option<Certainty> {
        let whole = self.compare_one(typed, country);
        let parts = typed.split(['/', ';', ',', '|', '\n']).filter(|part| part.len() < typed.len());
        parts.filter_map(|part| self.compare_one(part, country)).chain(whole).min()
    }

    fn compare_one(&self, typed: &str, country: Option<Country>) -> Option<Certainty> {
        let other = Self::parse(typed, country)?;
        let same = match (&self.e164, &other.e164) {
            (Some(ours), Some(theirs)) => ours == theirs,
            (None, _) | (_, None) => self.written == other.written,
        };
        if same && self.extension == other.extension {
            let as_typed = self.e164.as_deref().unwrap_or(&self.written) == typed.trim();
            return Some(if as_typed { Certainty::Exact } else { Certainty::Normalised });
        }
        if !same && self.sure_of_country && other.sure_of_country {
            return None;
        }
        let agree = common_suffix(&self.significant, &other.significant);
        (same || agree >= DIGITS_MIN).then_some(Certainty::Guessed)
    }
}

fn digits(text: &str) -> String {
    text.chars().filter_map(|c| c.to_digit(10)).filter_map(|d| char::from_digit(d, 10)).collect()
}

fn common_suffix(a: &str, b: &str) -> usize {
    a.bytes().rev().zip(b.bytes().rev()).take_while(|(a, b)| a == b).count()
}

/// National significant number; some countries (Italy) keep a leading zero in it.
fn significant(number: &PhoneNumber) -> String {
    let full = digits(&number.format().mode(Mode::E164).to_string());
    let code = number.code().value().to_string();
    full.strip_prefix(&code).unwrap_or(&full).to_owned()
}

/// `sip:+44…@host;user=phone`, `tel:+44-20-…;ext=12` and `"Name" <sip:…>` as the number inside.
fn strip_uri(text: &str) -> &str {
    let text = text.rsplit_once('<').map_or(text, |(_, inner)| inner).trim_end_matches('>');
    for scheme in ["sip:", "sips:", "tel:", "callto:"] {
        if let Some(head) = text.get(..scheme.len())
            && head.eq_ignore_ascii_case(scheme)
        {
            let rest = &text[scheme.len()..];
            return rest.split_once('@').map_or(rest, |(user, _)| user);
        }
    }
    text
}

/// Parts a number from its extension (`ext. 12`, `x12`, `#12`, `;ext=12`, `DW 12`). What stands before must be a
/// number by itself, and the extension one to seven digits, else the text is taken whole.
fn split_extension(text: &str) -> (&str, Option<String>) {
    let marker = text.char_indices().find(|(at, c)| {
        let before = text[..*at].chars().filter(char::is_ascii_digit).count();
        before >= DIGITS_MIN && (matches!(c, 'x' | 'X' | '#' | ';') || c.is_alphabetic())
    });
    let Some((at, _)) = marker else { return (text, None) };
    let extension = digits(&text[at..]);
    let fits = (1..=DIGITS_MIN).contains(&extension.len());
    (&text[..at], fits.then_some(extension))
}

/// Reads digits as a number of the world (`plus`) or of a country. The parser is given clean digits only: its own
/// reading of punctuation is looser, and it strips the default country's trunk prefix from foreign numbers.
fn read(written: &str, plus: bool, country: Option<Country>) -> Option<PhoneNumber> {
    if plus {
        return world(written);
    }
    let Some(Country(id)) = country else {
        return written.strip_prefix("00").and_then(world);
    };
    let home = phonenumber::parse(Some(id), written).ok();
    match home {
        Some(number) if number.code().source() == Source::Idd => {
            let code = number.code().value().to_string();
            let least = code.len() + significant(&number).len();
            let long_enough = |rest: &&str| rest.len() >= least && rest.starts_with(&code);
            let foreign = (2..=5).rev().filter_map(|at| written.get(at..)).find(long_enough);
            foreign.and_then(world).or(Some(number))
        }
        // Telephone systems often leave the `+` out.
        Some(number) if !number.is_valid() => world(written).filter(PhoneNumber::is_valid).or(Some(number)),
        Some(number) => Some(number),
        None => world(written).filter(PhoneNumber::is_valid),
    }
}

fn world(digits: &str) -> Option<PhoneNumber> {
    phonenumber::parse(None, format!("+{digits}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn gb() -> Option<Country> {
        Some("GB".parse().unwrap())
    }
    fn us() -> Option<Country> {
        Some("US".parse().unwrap())
    }
    fn number(text: &str) -> Number {
        Number::parse(text, gb()).unwrap()
    }

    // proves D2
    #[test]
    fn one_number_is_read_from_the_many_ways_people_type_it() {
        for typed in [
            "+442079460000",
            "+44 20 7946 0000",
            "+44 (0)20 7946 0000",
            "0044 20 7946 0000",
            "020 7946 0000",
            "(020) 7946-0000",
            "020/79460000",
            "020.7946.0000",
            "442079460000",
            "tel:+44-20-7946-0000",
            "sip:+442079460000@pbx.example;user=phone",
            "\"Ada\" <sip:02079460000@pbx.example>",
            "\u{ff0b}44 20 7946 0000",
        ] {
            assert_eq!(number(typed).e164(), Some("+442079460000"), "{typed}");
        }
        for typed in
            ["(415) 555-1212", "415-555-1212", "1 415 555 1212", "+1 415.555.1212", "011 1 415 555 1212"]
        {
            assert_eq!(Number::parse(typed, us()).unwrap().e164(), Some("+14155551212"), "{typed}");
        }
    }

    // proves D2
    #[test]
    fn a_foreign_number_keeps_its_own_leading_zero() {
        assert_eq!(number("+39 06 6982 1234").e164(), Some("+390669821234"));
        assert_eq!(number("0039 06 6982 1234").e164(), Some("+390669821234"));
        assert_eq!(number("+49 (0)30 1234567").e164(), Some("+49301234567"));
    }

    // proves D1
    #[test]
    fn a_search_has_each_spelling_once_and_never_a_short_one() {
        assert_eq!(
            number("+44 20 7946 0000").variants(),
            ["442079460000", "2079460000", "02079460000", "+442079460000", "4402079460000", "00442079460000"]
        );
        assert_eq!(
            Number::parse("(415) 555-1212", us()).unwrap().variants(),
            ["14155551212", "4155551212", "+14155551212", "0014155551212"]
        );
        assert!(Number::parse("4711", gb()).is_none());
        assert!(Number::parse("123456", gb()).is_none());
    }

    // proves E2
    #[test]
    fn withheld_numbers_are_no_numbers() {
        for typed in [
            "",
            "  ",
            "anonymous",
            "Anonymous",
            "sip:anonymous@anonymous.invalid",
            "\"Anonymous\" <sip:anonymous@x.y>",
            "unknown",
            "Private",
            "withheld",
            "Unterdrückt",
            "0",
            "0000000000",
            "-",
            "+",
            "266696687",
            "Restricted",
        ] {
            assert!(is_withheld(typed), "{typed}");
            assert!(Number::parse(typed, gb()).is_none(), "{typed}");
            assert_eq!(number("+442079460000").compare(typed, gb()), None, "{typed}");
        }
        assert!(!is_withheld("+442079460000"));
    }

    // proves D2
    #[test]
    fn certainty_says_how_the_typed_number_was_matched() {
        let caller = number("+442079460000");
        let sure = |typed: &str| caller.compare(typed, gb());
        assert_eq!(sure("+442079460000"), Some(Certainty::Exact));
        assert_eq!(sure("020 7946 0000"), Some(Certainty::Normalised));
        assert_eq!(sure("+44 (0)20 7946 0000"), Some(Certainty::Normalised));
        assert_eq!(sure("07700 900123 / 020 7946 0000"), Some(Certainty::Normalised));
        assert_eq!(sure("7946 0000"), Some(Certainty::Guessed));
        assert_eq!(sure("+44 20 7946 0000 ext. 12"), Some(Certainty::Guessed));
        assert_eq!(sure("+1 207 946 0000"), None);
        assert_eq!(sure("46 0000"), None);
        assert_eq!(sure("see notes"), None);
    }

    #[test]
    fn an_extension_is_kept_apart() {
        for typed in
            ["020 7946 0000 x12", "020 7946 0000 ext 12", "020 7946 0000 #12", "tel:+44-20-7946-0000;ext=12"]
        {
            let number = number(typed);
            assert_eq!((number.e164(), number.extension()), (Some("+442079460000"), Some("12")), "{typed}");
        }
        let with = number("020 7946 0000 x12");
        assert_eq!(with.compare("+44 20 7946 0000 ext 12", gb()), Some(Certainty::Normalised));
    }

    #[test]
    fn without_a_country_digits_still_match() {
        let caller = Number::parse("020 7946 0000", None).unwrap();
        assert_eq!(caller.e164(), None);
        assert_eq!(caller.variants(), ["02079460000"]);
        assert_eq!(caller.compare("02079460000", None), Some(Certainty::Exact));
        assert_eq!(caller.compare("020 7946 0000", None), Some(Certainty::Normalised));
        assert_eq!(caller.compare("+44 20 7946 0000", None), Some(Certainty::Guessed));
    }

    #[test]
    fn countries_are_two_letters() {
        assert!("GB".parse::<Country>().is_ok());
        for bad in ["", "gb", "GBR", "XX", "44", "Ä"] {
            assert!(bad.parse::<Country>().is_err(), "{bad}");
        }
    }

    fn country() -> impl Strategy<Value = Option<Country>> {
        let codes =
            ["GB", "US", "DE", "IT", "FR", "BR", "AU", "JP", "RU", "MX", "AR", "IN", "SG", "NZ", "CI", "SM"];
        prop_oneof![
            Just(None),
            proptest::sample::select(codes.to_vec()).prop_map(|c| Some(c.parse().unwrap())),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever is typed: no panic, and what is read keeps the limits.
        #[test]
        fn any_text_is_a_number_within_limits_or_none(text in "\\PC{0,40}", country in country()) {
            if let Some(number) = Number::parse(&text, country) {
                for variant in number.variants() {
                    prop_assert!(digits(&variant).len() >= DIGITS_MIN);
                    prop_assert!(variant.chars().all(|c| c.is_ascii_digit() || c == '+'));
                }
            }
        }

        #[test]
        fn any_digits_are_read_without_panic(text in "[+0]{0,2}[0-9]{0,20}", other in "[+]?[0-9]{5,16}", country in country()) {
            if let Some(number) = Number::parse(&text, country) {
                let _ = number.compare(&other, country);
                prop_assert!(number.variants().len() <= 7);
            }
        }

        /// A number compared with itself is certain, whatever stands between its digits.
        #[test]
        fn punctuation_never_changes_who_is_called(
            line in 79_460_000_u32..79_469_999,
            gaps in proptest::collection::vec(proptest::sample::select(vec!["", " ", "-", ".", "/", " - "]), 8),
        ) {
            let caller = number(&format!("+4420{line}"));
            let typed: String = line.to_string().chars().zip(&gaps).map(|(c, gap)| format!("{gap}{c}")).collect();
            prop_assert_eq!(caller.compare(&format!("+44 20{typed}"), gb()).map(|c| c <= Certainty::Normalised), Some(true));
            prop_assert_eq!(caller.compare(&format!("020{typed}"), gb()).map(|c| c <= Certainty::Normalised), Some(true));
            prop_assert_eq!(caller.compare(&format!("+4420{line}"), None), Some(Certainty::Exact));
        }

        /// Certainty is never claimed for numbers whose last digits differ.
        #[test]
        fn different_ends_never_match(a in 1_000_000_u64..9_999_999, b in 1_000_000_u64..9_999_999) {
            prop_assume!(a != b);
            let caller = number(&format!("+44207{a}"));
            prop_assert_eq!(caller.compare(&format!("0207{b}"), gb()), None);
        }
    }
}
