//! The org's invented content: users, companies, contacts, leads, cases; the known ones first, then as many as
//! wanted. The same seed gives the same org.

use super::oauth::Login;
use super::org::{Fields, Org, Row, Writer, now, stamp};
use super::{INTEGRATION_USER, ids};
use crate::people::{self, Company, Dice, Human, KNOWN, SUBJECTS};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use time::{Duration, OffsetDateTime};

/// What was made.
pub(crate) struct Seeded {
    /// Users who may log in, by username.
    pub(crate) logins: BTreeMap<String, Login>,
    /// Record id of the agent in whose name people's edits are made.
    pub(crate) agent: String,
    /// The known records, for the admin surface.
    pub(crate) known: Value,
}

/// How the known people's numbers are typed here: phone, mobile phone.
const PHONES: [(&str, &str); KNOWN.len()] = [
    ("+44 20 7946 0112", "07700 900412"),
    ("(415) 555-0134", ""),
    ("01/5550 199", "+43 664 5550 123"),
    ("0049 30 23125777", "0171 3920042"),
    ("08-465 004 11", ""),
    ("+46 8 465 004 11", ""),
];

/// Cases made before Grace's, so that hers is 00001027.
const CASES_BEFORE: usize = 26;

struct Filler<'a> {
    org: &'a mut Org,
    dice: Dice,
    who: Writer,
    start: OffsetDateTime,
}

/// Fills an empty org.
pub(crate) fn fill(org: &mut Org, seed: u64, contacts: usize) -> Seeded {
    let start = now();
    let (logins, agents) = users(org, start);
    let agent = agents.first().cloned().unwrap_or_default();
    let lag = std::mem::take(&mut org.switches.search_lag_ms);
    let who = Writer { user: agent.clone(), auto_assign: false, allow_duplicates: true };
    let mut filler = Filler { org, dice: Dice::new(seed), who, start };
    let known = filler.known_people();
    let invented = filler.invented(contacts);
    let mut persons: Vec<String> = invented;
    if persons.is_empty() {
        persons.clone_from(&known);
    }
    for n in 0..CASES_BEFORE {
        let person = persons[n % persons.len()].clone();
        filler.case(&person, &agents, n % 3 != 0);
    }
    let grace_case =
        filler.case_of(&known[0], "Second pallet still missing", "Delivery", "Working", &agents[0], 2);
    let more = contacts * 2 / 3;
    for _ in 0..more {
        let at = filler.dice.below(persons.len());
        let closed = filler.dice.chance(65);
        let person = persons[at].clone();
        filler.case(&person, &agents, closed);
    }
    filler.case_of(&known[2], "Liefertermin für Stühle verschieben", "Delivery", "New", &agents[0], 1);
    filler.case_of(&known[1], "Winch manual in Spanish", "Other", "Closed", &agents[0], 40);
    let leads = filler.leads(contacts / 6);
    let number = filler.org.text(&grace_case, "CaseNumber").unwrap_or_default().to_owned();
    org.switches.search_lag_ms = lag;
    let names = KNOWN.iter().zip(PHONES).zip(&known).map(|((k, (phone, _)), id)| {
        json!({"id": id, "name": format!("{} {}", k.first, k.last), "email": k.email, "phone": phone})
    });
    let known = json!({
        "contacts": names.collect::<Vec<Value>>(), "lead": leads,
        "case": {"id": grace_case, "number": number, "contact": "Grace Okafor"},
    });
    Seeded { logins, agent, known }
}

fn raw(org: &mut Org, object: &str, id: &str, at: OffsetDateTime, fields: Value) {
    let mut all: Fields = fields.as_object().cloned().unwrap_or_default().into_iter().collect();
    all.insert("Id".into(), json!(id));
    all.insert("IsDeleted".into(), json!(false));
    for name in ["CreatedDate", "LastModifiedDate", "SystemModstamp"] {
        all.insert(name.into(), json!(stamp(at)));
    }
    org.put(object, id, Row { fields: all, deleted: false, searchable_at: at });
}

fn users(org: &mut Org, at: OffsetDateTime) -> (BTreeMap<String, Login>, Vec<String>) {
    let org_id = org.id.clone();
    raw(
        org,
        "Organization",
        &org_id,
        at,
        json!({"Name": "Tieline Sandbox Org", "InstanceName": "SBX1", "IsSandbox": true, "TrialExpirationDate": null,
            "NamespacePrefix": null, "OrganizationType": "Developer Edition"}),
    );
    let queue = org.mint("00G");
    raw(
        org,
        "Group",
        &queue,
        at,
        json!({"Name": "Support Queue", "DeveloperName": "Support_Queue", "Type": "Queue"}),
    );
    org.queue = queue;
    let record_type = org.mint("012");
    raw(
        org,
        "RecordType",
        &record_type,
        at,
        json!({"Name": "Support", "DeveloperName": "Support", "SobjectType": "Case", "IsActive": true}),
    );
    let people = [
        ("integration", "Tieline", "Integration", true, false),
        ("agent.alma", "Alma", "Brandtner", true, true),
        ("agent.noah", "Noah", "Fitzwilliam", true, true),
        ("agent.sofia", "Sofia", "Restrepo", true, true),
        ("inactive", "Ivo", "Gone", false, false),
    ];
    let (mut logins, mut agents) = (BTreeMap::new(), Vec::new());
    for (local, first, last, active, is_agent) in people {
        let id = org.mint("005");
        let username = format!("{local}@tieline-sandbox.example");
        let name = format!("{first} {last}");
        raw(
            org,
            "User",
            &id,
            at,
            json!({"Username": username, "FirstName": first, "LastName": last, "Name": name, "Email": username,
                "IsActive": active, "Title": if is_agent { json!("Service Agent") } else { Value::Null }}),
        );
        if is_agent {
            agents.push(id.clone());
        }
        logins.insert(username, Login { id, active });
    }
    debug_assert!(logins.contains_key(INTEGRATION_USER));
    (logins, agents)
}

impl Filler<'_> {
    /// Makes a record by the org's own rules; the seed's texts keep them.
    fn make(&mut self, object: &str, fields: Value, age: Duration) -> String {
        let fields: Map<String, Value> = fields.as_object().cloned().unwrap_or_default();
        let fields = fields.into_iter().filter(|(_, v)| !v.is_null() && *v != "").collect();
        let object = self.org.schema.path(object).expect("a standard object").clone();
        let id = self.org.insert(&object, &fields, &self.who).expect("invented data keeps the rules");
        let at = self.start - age;
        if let Some(mut row) = self.org.row(&id).cloned() {
            for name in ["CreatedDate", "LastModifiedDate", "SystemModstamp"] {
                row.fields.insert(name.into(), json!(stamp(at)));
            }
            if !row.fields.get("ClosedDate").is_none_or(Value::is_null) {
                let closed = at + Duration::hours(3 + i64::try_from(self.dice.below(90)).unwrap_or(0));
                row.fields.insert("ClosedDate".into(), json!(stamp(closed.min(self.start))));
            }
            row.searchable_at = at;
            self.org.put(&object.name, &id, row);
        }
        id
    }

    fn days(&mut self, most: usize) -> Duration {
        let minutes = self.dice.below(most * 24 * 60) + 30;
        Duration::minutes(i64::try_from(minutes).unwrap_or(30))
    }

    fn known_people(&mut self) -> Vec<String> {
        let mut accounts: BTreeMap<&str, String> = BTreeMap::new();
        let mut out = Vec::new();
        for (known, (phone, mobile)) in KNOWN.iter().zip(PHONES) {
            let account = match accounts.get(known.company) {
                Some(id) => id.clone(),
                None => {
                    let fields = json!({"Name": known.company, "Type": "Customer", "BillingCity": known.city,
                        "BillingCountry": known.country});
                    let id = self.make("Account", fields, Duration::days(900));
                    accounts.insert(known.company, id.clone());
                    id
                }
            };
            let fields = json!({"FirstName": known.first, "LastName": known.last, "Email": known.email,
                "Phone": phone, "MobilePhone": mobile, "Title": known.title, "AccountId": account,
                "MailingCity": known.city, "MailingCountry": known.country});
            out.push(self.make("Contact", fields, Duration::days(400)));
        }
        out
    }

    fn invented(&mut self, contacts: usize) -> Vec<String> {
        if contacts == 0 {
            return Vec::new();
        }
        let companies = people::companies(&mut self.dice, (contacts / 3).clamp(1, 150));
        let humans = people::humans(&mut self.dice, &companies, contacts);
        let accounts: Vec<String> = companies.iter().map(|c| self.company(c)).collect();
        humans.iter().map(|h| self.person(h, &companies, &accounts)).collect()
    }

    fn company(&mut self, c: &Company) -> String {
        let age = self.days(1_500);
        let fields = json!({"Name": c.name, "Phone": c.phone, "Website": format!("https://www.{}", c.domain),
            "Industry": c.industry, "Type": "Customer", "BillingCity": c.city, "BillingCountry": c.country.name()});
        self.make("Account", fields, age)
    }

    fn person(&mut self, h: &Human, companies: &[Company], accounts: &[String]) -> String {
        let age = self.days(1_200);
        let fields = json!({"FirstName": h.first, "LastName": h.last, "Salutation": h.salutation, "Title": h.title,
            "Email": h.email, "Phone": h.phone, "MobilePhone": h.mobile, "AccountId": accounts[h.company],
            "MailingCity": companies[h.company].city, "MailingCountry": h.country.name()});
        self.make("Contact", fields, age)
    }

    fn case(&mut self, contact: &str, agents: &[String], closed: bool) {
        let (subject, reason, kind) = self.dice.pick(&SUBJECTS);
        let status = if closed {
            "Closed"
        } else {
            self.dice.pick(&["New", "Working", "Working", "On Hold", "Escalated"])
        };
        let origin = self.dice.pick(&["Phone", "Email", "Web", "Chat"]);
        let priority = self.dice.pick(&["Low", "Medium", "Medium", "High"]);
        let owner = self.dice.pick(agents);
        let age = self.days(if closed { 300 } else { 30 });
        let fields = json!({"Subject": subject, "Reason": reason, "Type": kind, "Status": status, "Origin": origin,
            "Priority": priority, "ContactId": contact, "OwnerId": owner});
        self.make("Case", fields, age);
    }

    fn case_of(
        &mut self,
        contact: &str,
        subject: &str,
        reason: &str,
        status: &str,
        owner: &str,
        days: i64,
    ) -> String {
        let fields = json!({"Subject": subject, "Reason": reason, "Type": "Problem", "Status": status,
            "Origin": "Email", "Priority": "High", "ContactId": contact, "OwnerId": owner,
            "Description": "One of two pallets came on Tuesday. The carrier says both were delivered."});
        let fields = if subject.starts_with("Second") {
            fields
        } else {
            let mut fields = fields;
            fields["Description"] = Value::Null;
            fields
        };
        self.make("Case", fields, Duration::days(days))
    }

    fn leads(&mut self, n: usize) -> Value {
        let known = json!({"FirstName": "Noor", "LastName": "Haddad", "Company": "Lanternworks Studio",
            "Email": "noor.haddad@lanternworks.example", "Phone": "+44 7700 900321", "LeadSource": "Web",
            "City": "Leeds", "Country": "United Kingdom", "Rating": "Warm"});
        let id = self.make("Lead", known, Duration::days(5));
        debug_assert!(ids::normalise(&id).is_some());
        if n > 0 {
            let mut dice = Dice::new(self.dice.roll());
            let companies = people::companies(&mut dice, n.clamp(1, 60));
            for h in people::humans(&mut dice, &companies, n) {
                let age = self.days(200);
                let fields = json!({"FirstName": h.first, "LastName": h.last, "Company": companies[h.company].name,
                    "Title": h.title, "Email": h.email, "Phone": h.phone, "MobilePhone": h.mobile,
                    "LeadSource": "Web", "City": companies[h.company].city, "Country": h.country.name()});
                self.make("Lead", fields, age);
            }
        }
        json!({"id": id, "name": "Noor Haddad", "phone": "+44 7700 900321"})
    }
}
