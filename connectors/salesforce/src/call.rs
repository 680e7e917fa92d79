//! A call as Salesforce keeps calls: a task that is done, of subtype Call (E4, sheet 2.5). Pure: no network.

use crate::map::{self, FIELD_UNITS, Fields, SUBJECT_UNITS, is_id, one_line};
use crate::settings::Settings;
use serde_json::json;
use tieline_connector_api::account;
use tieline_connector_api::template::Template;
use tieline_connector_api::text::{DAY, show};
use tieline_model::crm::{Direction, Log, Outcome, Record};

/// Fields of Task that Tieline writes for every call, and whether later facts change them.
pub(crate) const FIELDS: [(&str, bool); 12] = [
    ("Subject", true),
    ("Description", true),
    ("Status", false),
    ("ActivityDate", false),
    ("TaskSubtype", false),
    ("CallType", true),
    ("CallDurationInSeconds", true),
    ("CallDisposition", true),
    ("CallObject", false),
    ("WhoId", true),
    ("WhatId", true),
    ("OwnerId", false),
];

/// Fields that only a first write carries: they belong to the org's people afterwards, or cannot be updated.
pub(crate) fn create_set(log: &Log, settings: &Settings) -> Fields {
    let mut fields = Fields::new();
    fields.insert("Status".into(), settings.call.status.as_str().into());
    // Cannot be updated, so a second create of the same call is told from the first (see `deliver`).
    fields.insert("TaskSubtype".into(), "Call".into());
    fields.insert("CallObject".into(), log.key().into());
    fields.insert("ActivityDate".into(), show(log.started_at, DAY).into());
    if !settings.call.r#type.is_empty() {
        fields.insert("Type".into(), settings.call.r#type.as_str().into());
    }
    fields.extend(map::owner(log).map(|id| ("OwnerId".to_owned(), id.into())));
    fields.extend(update_set(log, settings));
    fields.retain(|_, value| !value.is_null());
    fields
}

/// Fields that later facts may change (D6). An absent value is `null`, so that it can be taken back.
pub(crate) fn update_set(log: &Log, settings: &Settings) -> Fields {
    let mut fields = Fields::new();
    let subject = settings.call.subject.as_deref().and_then(|text| Template::parse(text).ok());
    let subject = subject.map(|template| template.render(log)).filter(|text| !text.trim().is_empty());
    let subject = subject.unwrap_or_else(|| account::subject(log));
    fields.insert("Subject".into(), one_line(&subject, SUBJECT_UNITS).into());
    fields.insert("Description".into(), map::description(log).text.into());
    let way = match account::direction(log) {
        Direction::Inbound => "Inbound",
        Direction::Outbound => "Outbound",
    };
    fields.insert("CallType".into(), way.into());
    fields.insert("CallDurationInSeconds".into(), json!(account::talked_s(log)));
    let result = match log.outcome {
        Outcome::Answered => "Answered",
        Outcome::Missed => "Missed",
        Outcome::Abandoned | Outcome::Overflowed | Outcome::MessageLeft => "Abandoned",
    };
    fields.insert("CallDisposition".into(), result.into());
    for (name, record) in [("WhoId", who(log)), ("WhatId", what(log))] {
        fields.extend(record.map(|record| (name.to_owned(), record.id.as_str().into())));
    }
    for (name, text) in &settings.call.fields {
        if let Ok(template) = Template::parse(text) {
            fields.insert(name.clone(), template.value(log, FIELD_UNITS));
        }
    }
    fields
}

/// The person the call was with.
fn who(log: &Log) -> Option<&Record> {
    log.contact.as_ref().filter(|record| matches!(record.object.as_str(), "Contact" | "Lead"))
}

/// What the call was about: the named case, else the account that was called. A lead's task can have neither.
fn what(log: &Log) -> Option<&Record> {
    if who(log).is_some_and(|record| record.object == "Lead") {
        return None;
    }
    let case = log.case.as_ref().filter(|case| case.object == "Case" && is_id(case.id.as_str()));
    case.or_else(|| log.contact.as_ref().filter(|record| record.object == "Account"))
}

/// A mapping must not set these: keys, and what makes the task another kind of record.
pub(crate) fn is_reserved(name: &str) -> bool {
    ["Id", "CallObject", "TaskSubtype", "SystemModstamp"].iter().any(|own| own.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use tieline_model::Timestamp;
    use tieline_model::content::{Person, Remarks};
    use tieline_model::crm::{CallDetails, Channel};

    const START: i64 = 1_795_165_200_000; // 2026-11-20T09:00:00Z

    fn settings(patch: Value) -> Settings {
        let mut all = json!({ "consumer_key": "k", "username": "u", "private_key": "p" });
        all.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        let settings: Settings = serde_json::from_value(all).unwrap();
        settings.validate().unwrap();
        settings
    }

    fn record(object: &str, id: &str) -> Record {
        Record { object: object.into(), id: id.parse().unwrap() }
    }

    fn log() -> Log {
        Log {
            interaction: "0190b7a2-0000-7000-8000-000000000001".parse().unwrap(),
            version: 7,
            channel: Channel::Call,
            started_at: Timestamp(START),
            answered_at: Some(Timestamp(START + 20_000)),
            ended_at: Some(Timestamp(START + 140_900)),
            outcome: Outcome::Answered,
            queue: None,
            queue_name: Some("Sales".into()),
            agent: Some("alice".parse().unwrap()),
            agent_name: Some("Alice".into()),
            person: Person { phone: Some("+442079460000".into()), ..Person::default() },
            contact: Some(record("Contact", "003Hs00000A1b2cIAB")),
            case: None,
            codes: Vec::new(),
            not_classified: false,
            remarks: Remarks::default(),
            transcript: Vec::new(),
            call: Some(CallDetails {
                direction: Direction::Inbound,
                number: Some("+442079460000".into()),
                line: Some("+442079460999".into()),
                recording: None,
            }),
            crm_user: Some("005Hs00000A1b2cIAB".into()),
            legs: Vec::new(),
            answers: Default::default(),
            abuse: None,
            previous: None,
        }
    }

    const DESCRIPTION: &str = "Call, inbound, answered
Started: 2026-11-20 09:00:00 UTC
Answered: 2026-11-20 09:00:20 UTC
Ended: 2026-11-20 09:02:20 UTC
Queue: Sales
Agent: Alice
Customer: +442079460000
Phone: +442079460000
Line: +442079460999";

    // proves E4
    #[test]
    fn a_call_becomes_a_task_that_is_done() {
        let settings =
            settings(json!({ "call": { "fields": { "Line__c": "{line}", "Way__c": "{direction}" } } }));
        let expected = json!({
            "Subject": "Call with +442079460000", "Description": DESCRIPTION, "Status": "Completed", "Type": "Call",
            "TaskSubtype": "Call", "ActivityDate": "2026-11-20", "CallType": "Inbound", "CallDurationInSeconds": 120,
            "CallDisposition": "Answered", "CallObject": "0190b7a2-0000-7000-8000-000000000001",
            "WhoId": "003Hs00000A1b2cIAB", "OwnerId": "005Hs00000A1b2cIAB", "Line__c": "+442079460999",
            "Way__c": "inbound",
        });
        assert_eq!(Value::Object(create_set(&log(), &settings)), expected);
    }

    // proves E4
    #[test]
    fn nobody_answered_is_a_call_without_a_length() {
        let mut log = log();
        (log.outcome, log.answered_at, log.crm_user) = (Outcome::Missed, None, Some("alice".into()));
        log.call.as_mut().unwrap().direction = Direction::Outbound;
        let made = create_set(&log, &settings(json!({ "call": { "type": "" } })));
        assert_eq!(made["Subject"], "Unanswered call to +442079460000");
        assert_eq!((&made["CallType"], &made["CallDisposition"]), (&json!("Outbound"), &json!("Missed")));
        for absent in ["CallDurationInSeconds", "OwnerId", "Type"] {
            assert_eq!(made.get(absent), None, "{absent}");
        }
    }

    // proves E4
    #[test]
    fn a_call_hangs_on_whoever_and_whatever_it_was_about() {
        let of = |contact: Option<Record>, case: Option<Record>| {
            let made = update_set(&Log { contact, case, ..log() }, &settings(json!({})));
            let id = |name: &str| made.get(name).and_then(Value::as_str).map(str::to_owned);
            (id("WhoId"), id("WhatId"))
        };
        let (case, account) = (record("Case", "500Hs00000A1b2cIAB"), record("Account", "001Hs00000A1b2cIAB"));
        let (contact, lead) = (record("Contact", "003Hs00000A1b2cIAB"), record("Lead", "00QHs00000A1b2cIAB"));
        let id = |record: &Record| Some(record.id.to_string());
        assert_eq!(of(Some(contact.clone()), Some(case.clone())), (id(&contact), id(&case)));
        assert_eq!(of(Some(account.clone()), None), (None, id(&account)));
        assert_eq!(of(Some(account), Some(case.clone())), (None, id(&case)));
        assert_eq!(of(Some(lead.clone()), Some(case)), (id(&lead), None));
        assert_eq!(of(None, None), (None, None));
    }

    // proves D6
    #[test]
    fn later_facts_of_a_call_never_touch_what_belongs_to_the_org() {
        let made = update_set(&log(), &settings(json!({})));
        let names: Vec<&str> = made.keys().map(String::as_str).collect();
        let updated = FIELDS.iter().filter(|(_, updated)| *updated).map(|(name, _)| *name);
        assert!(names.iter().all(|name| updated.clone().any(|own| own == *name)), "{names:?}");
    }
}
