//! What a customer says about themselves, on its way in: sizes, and what a conversation can be found by.

use crate::journal::Handle;
use tieline_model::content::Person;
use tieline_model::{Code, Refusal};
use unicode_segmentation::UnicodeSegmentation;

/// Characters of a name, an address or a number.
const SHORT_MAX: usize = 200;
/// Characters of an answer to the pre-chat form, and of the page's address.
const LONG_MAX: usize = 2_000;
/// Answers to the pre-chat form.
const ANSWERS_MAX: usize = 20;

/// Trims, drops what is empty, and refuses what is too long; never cuts.
pub(super) fn check(person: Person) -> Result<Person, Refusal> {
    let short = |field: &str, text: Option<String>| tidy(&format!("person.{field}"), text, SHORT_MAX);
    if person.answers.len() > ANSWERS_MAX {
        let message = format!("the form has {} answers; {ANSWERS_MAX} is the limit", person.answers.len());
        return Err(Refusal::new(Code::TooLong, message).field("person.answers").limit(ANSWERS_MAX as u64));
    }
    let mut answers = std::collections::BTreeMap::new();
    for (label, answer) in person.answers {
        let Some(label) = short("answers", Some(label))? else { continue };
        if let Some(answer) = tidy("person.answers", Some(answer), LONG_MAX)? {
            answers.insert(label, answer);
        }
    }
    Ok(Person {
        name: short("name", person.name)?,
        first_name: short("first_name", person.first_name)?,
        last_name: short("last_name", person.last_name)?,
        email: short("email", person.email)?,
        phone: short("phone", person.phone)?,
        case_number: short("case_number", person.case_number)?,
        answers,
        page: tidy("person.page", person.page, LONG_MAX)?,
    })
}

fn tidy(field: &str, text: Option<String>, max: usize) -> Result<Option<String>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let trimmed = text.trim();
    let chars = trimmed.graphemes(true).count();
    if chars > max || trimmed.len() > max * 4 {
        let message = format!("`{field}` has {chars} characters; {max} is the limit");
        return Err(Refusal::new(Code::TooLong, message).field(field).limit(max as u64));
    }
    let control = |c: char| c.is_control() && !(max == LONG_MAX && matches!(c, '\n' | '\r' | '\t'));
    if trimmed.chars().any(control) {
        return Err(Refusal::new(Code::Invalid, format!("`{field}` holds a control character")).field(field));
    }
    Ok((!trimmed.is_empty()).then(|| trimmed.to_owned()))
}

/// By what the conversation can be found again.
pub(super) fn handles(person: &Person, country: Option<&str>) -> Vec<Handle> {
    let email = person.email.as_deref().filter(|e| e.contains('@')).map(|e| Handle::Email(e.to_lowercase()));
    let country = country.and_then(|c| c.parse().ok());
    let phone = person.phone.as_deref().and_then(|phone| {
        let number = phonenumber::parse(country, phone).ok().filter(phonenumber::is_valid)?;
        Some(Handle::Phone(number.format().mode(phonenumber::Mode::E164).to_string()))
    });
    email.into_iter().chain(phone).collect()
}

/// What to call a person.
pub(super) fn display_name(person: &Person) -> String {
    let given = |text: &Option<String>| text.clone().filter(|t| !t.is_empty());
    let parts = [given(&person.first_name), given(&person.last_name)].into_iter().flatten();
    let joined = parts.collect::<Vec<_>>().join(" ");
    given(&person.name)
        .or_else(|| (!joined.is_empty()).then_some(joined))
        .unwrap_or_else(|| "Visitor".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_refused_with_its_limit_and_never_cut() {
        let long = "ä".repeat(200);
        let good =
            Person { name: Some(format!("  {long} ")), phone: Some(String::new()), ..Person::default() };
        assert_eq!(check(good).unwrap(), Person { name: Some(long.clone()), ..Person::default() });
        let refused = check(Person { email: Some(format!("{long}x")), ..Person::default() }).unwrap_err();
        assert_eq!(
            (refused.code, refused.field.as_deref(), refused.limit),
            (Code::TooLong, Some("person.email"), Some(200))
        );
        let refused = check(Person { name: Some("a\u{0}b".to_owned()), ..Person::default() }).unwrap_err();
        assert_eq!(refused.code, Code::Invalid);
        let answers = (0..21).map(|n| (n.to_string(), "x".to_owned())).collect();
        assert_eq!(check(Person { answers, ..Person::default() }).unwrap_err().limit, Some(20));
    }

    #[test]
    fn a_conversation_is_found_by_address_and_number() {
        let person = Person {
            email: Some("Grace@Example.COM".to_owned()),
            phone: Some("030 901820".to_owned()),
            ..Person::default()
        };
        let found = handles(&person, Some("DE"));
        assert!(
            found == [Handle::Email("grace@example.com".to_owned()), Handle::Phone("+4930901820".to_owned())]
        );
        assert_eq!(handles(&person, None).len(), 1, "a number without a country means nothing");
    }
}
