//! Queries in OData's words. Pure. Everything a visitor may have typed goes through [`literal`] or [`pattern`];
//! percent-encoding is the client's, for every query alike (sheet 2.3).

use crate::settings::Settings;
use std::fmt::Write as _;

/// Rows looked through for one number: the pattern finds more than the number, and what it finds is compared here.
const PATTERN_ROWS: u32 = 50;
/// Most cases listed for one number.
const CASE_ROWS: u32 = 5;
/// Columns of a case that a match shows.
const CASE_COLUMNS: &str = "incidentid,ticketnumber,title,statuscode,_customerid_value";

/// A query: options by name, as they stand in the address before encoding.
pub(crate) type Query = Vec<(&'static str, String)>;

/// A string literal: in quotes, with quotes inside doubled.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Digits with anything between them, for `contains`: it takes `%`, `_` and `[…]` for patterns, so nothing that a
/// visitor typed goes into it but digits.
pub(crate) fn pattern(digits: &str) -> String {
    let digits: Vec<String> = digits.chars().filter(char::is_ascii_digit).map(String::from).collect();
    digits.join("%")
}

fn any_of(columns: &[String], values: &[String]) -> String {
    let mut out = String::new();
    for column in columns {
        for value in values {
            let or = if out.is_empty() { "" } else { " or " };
            let _ = write!(out, "{or}{column} eq {}", literal(value));
        }
    }
    out
}

fn list(columns: &str, filter: String, order: &str, top: u32) -> Query {
    vec![
        ("$select", columns.to_owned()),
        ("$filter", filter),
        ("$orderby", order.to_owned()),
        ("$top", top.to_string()),
    ]
}

/// A table that people and companies are looked up in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum People {
    Contacts,
    Accounts,
}

impl People {
    pub(crate) fn set(self) -> &'static str {
        match self {
            Self::Contacts => "contacts",
            Self::Accounts => "accounts",
        }
    }
    pub(crate) fn object(self) -> &'static str {
        match self {
            Self::Contacts => "contact",
            Self::Accounts => "account",
        }
    }
    pub(crate) fn phones(self, settings: &Settings) -> Vec<String> {
        match self {
            Self::Contacts => settings.contact.phone_fields.clone(),
            Self::Accounts => vec!["telephone1".to_owned()],
        }
    }
    pub(crate) fn emails(self, settings: &Settings) -> Vec<String> {
        match self {
            Self::Contacts => settings.contact.email_fields.clone(),
            Self::Accounts => vec!["emailaddress1".to_owned()],
        }
    }
    fn columns(self, more: &[String]) -> String {
        let own = match self {
            Self::Contacts => "contactid,fullname,_parentcustomerid_value",
            Self::Accounts => "accountid,name",
        };
        more.iter().fold(own.to_owned(), |all, name| format!("{all},{name}"))
    }
}

/// Rows whose number stands in one of these spellings.
pub(crate) fn by_phone(people: People, spellings: &[String], settings: &Settings) -> Query {
    let columns = people.phones(settings);
    let filter = format!("statecode eq 0 and ({})", any_of(&columns, spellings));
    list(&people.columns(&columns), filter, "modifiedon desc", settings.limits.matches_max + 1)
}

/// Rows whose number has these digits in this order, with anything between them.
pub(crate) fn by_pattern(people: People, digits: &str, settings: &Settings) -> Query {
    let columns = people.phones(settings);
    let pattern = pattern(digits);
    let tests: Vec<String> =
        columns.iter().map(|column| format!("contains({column},{})", literal(&pattern))).collect();
    let filter = format!("statecode eq 0 and ({})", tests.join(" or "));
    list(&people.columns(&columns), filter, "modifiedon desc", PATTERN_ROWS)
}

/// Rows with an address.
pub(crate) fn by_email(people: People, email: &str, settings: &Settings) -> Query {
    let columns = people.emails(settings);
    let filter = format!("statecode eq 0 and ({})", any_of(&columns, &[email.to_owned()]));
    list(&people.columns(&columns), filter, "modifiedon desc", settings.limits.matches_max + 1)
}

/// Cases with this number.
pub(crate) fn by_case_number(number: &str) -> Query {
    list(CASE_COLUMNS, format!("ticketnumber eq {}", literal(number)), "createdon desc", CASE_ROWS)
}

/// Cases whose number has these digits in it: as people say it, without the environment's prefix and random end.
pub(crate) fn by_case_digits(digits: &str) -> Query {
    let filter = format!("contains(ticketnumber,{})", literal(&pattern(digits)));
    list(CASE_COLUMNS, filter, "createdon desc", PATTERN_ROWS)
}

/// Latest cases of a customer.
pub(crate) fn cases_of(customer: &str, limit: u32) -> Query {
    let columns = "incidentid,ticketnumber,title,statuscode,createdon";
    list(columns, format!("_customerid_value eq {customer}"), "createdon desc", limit)
}

/// Latest phone calls with a customer.
pub(crate) fn calls_of(customer: &str, limit: u32) -> Query {
    let columns = "activityid,subject,statuscode,createdon";
    list(columns, format!("_regardingobjectid_value eq {customer}"), "createdon desc", limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn settings() -> Settings {
        serde_json::from_value(json!({
            "org_url": "https://acme.crm4.dynamics.com", "tenant": "acme.example", "client_id": "x", "client_secret": "s",
            "contact": { "phone_fields": ["mobilephone", "telephone1"], "email_fields": ["emailaddress1"] },
        }))
        .unwrap()
    }

    fn filter(query: &Query) -> &str {
        &query.iter().find(|(name, _)| *name == "$filter").unwrap().1
    }

    #[test]
    fn queries_are_as_dataverse_reads_them() {
        let spellings = ["+442079460000".to_owned(), "02079460000".to_owned()];
        assert_eq!(
            filter(&by_phone(People::Contacts, &spellings, &settings())),
            "statecode eq 0 and (mobilephone eq '+442079460000' or mobilephone eq '02079460000' or telephone1 eq '+442079460000' or telephone1 eq '02079460000')"
        );
        assert_eq!(
            filter(&by_pattern(People::Contacts, "9460000", &settings())),
            "statecode eq 0 and (contains(mobilephone,'9%4%6%0%0%0%0') or contains(telephone1,'9%4%6%0%0%0%0'))"
        );
        assert_eq!(
            filter(&by_email(People::Accounts, "o'x@example.org", &settings())),
            "statecode eq 0 and (emailaddress1 eq 'o''x@example.org')"
        );
        assert_eq!(filter(&by_case_number("CAS-1'")), "ticketnumber eq 'CAS-1'''");
        assert_eq!(filter(&by_case_digits("1027")), "contains(ticketnumber,'1%0%2%7')");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        /// A literal ends where it should: inside it, quotes come in pairs only.
        #[test]
        fn nothing_a_visitor_types_leaves_its_quotes(text in any::<String>()) {
            let literal = literal(&text);
            let inner = literal.strip_prefix('\'').unwrap().strip_suffix('\'').unwrap();
            prop_assert!(!inner.replace("''", "").contains('\''));
            prop_assert_eq!(inner.replace("''", "'"), text);
        }

        #[test]
        fn a_pattern_has_no_wildcard_that_a_visitor_typed(text in any::<String>()) {
            let pattern = pattern(&text);
            prop_assert!(pattern.split('%').all(|part| part.len() <= 1 && part.bytes().all(|b| b.is_ascii_digit())));
        }
    }
}
