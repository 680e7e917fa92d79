//! The environment's invented content: users, accounts, contacts, cases; the known ones first, then as many as
//! wanted. The same seed gives the same people as in the other stand-ins, with their numbers typed in other ways.

use super::cell::Cell;
use super::entra::App;
use super::org::{Org, Row, now};
use super::rules::{self, Caller, Via};
use crate::people::{self, Company, Dice, Human, KNOWN};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// What was made.
pub(crate) struct Seeded {
    /// The agent in whose name people's edits are made.
    pub(crate) agent: Uuid,
    /// The known records, for the admin surface.
    pub(crate) known: Value,
}

/// Business phone and mobile phone of the people every stand-in knows, as typed here.
const NUMBERS: [(&str, &str); 6] = [
    ("020 7946 0112", "+447700900412"),
    ("415.555.0134", ""),
    ("+43 1 5550199", "0664/5550123"),
    ("+49 (0)30 23125-777", "+49 171 3920042"),
    ("+46-8-46500411", ""),
    ("08 465 00 411 ", ""),
];

const SUBJECTS: [(&str, i64); 14] = [
    ("Invoice shows the old address", 1),
    ("Parcel arrived damaged", 2),
    ("Cannot sign in after the update", 2),
    ("Delivery is three days late", 2),
    ("How do I add a second user?", 1),
    ("Refund for a cancelled order", 3),
    ("Replacement part for the label printer", 3),
    ("Order confirmation never came", 2),
    ("Wrong quantity delivered", 2),
    ("Please change the contact person", 3),
    ("Credit note missing", 3),
    ("Scanner does not pair", 2),
    ("Opening hours over the holidays", 1),
    ("Price differs from the offer", 1),
];

struct Filler<'a> {
    org: &'a mut Org,
    dice: Dice,
    /// Decides how numbers are typed, apart from who there is.
    typing: Dice,
    ids: Dice,
    who: Caller,
    start: OffsetDateTime,
}

/// Fills an empty environment.
pub(crate) fn fill(org: &mut Org, seed: u64, contacts: usize, apps: &[App]) -> Seeded {
    let start = now();
    let mut ids = Dice::new(seed ^ 0x0d1_4a51);
    let agents = users(org, &mut ids, apps);
    let agent = agents.first().copied().unwrap_or_default();
    let lag = std::mem::take(&mut org.switches.search_lag_ms);
    let mut filler = Filler {
        org,
        dice: Dice::new(seed),
        typing: Dice::new(seed ^ 0x7e1e),
        ids,
        who: Caller::person(agent),
        start,
    };
    for title in ["Delivery", "Billing", "Technical", "General"] {
        filler.make("subject", &json!({"title": title}), Duration::days(900));
    }
    let known = filler.known_people();
    let invented = filler.invented(contacts);
    let persons = if invented.is_empty() { known.clone() } else { invented };
    for n in 0..26 {
        filler.case(persons[n % persons.len()], &agents, n % 3 != 0);
    }
    let grace = filler.case_of(known[0], "Second pallet still missing", 2, &agents, 2);
    for _ in 0..contacts * 2 / 3 {
        let person = filler.dice.pick(&persons);
        let closed = filler.dice.chance(65);
        filler.case(person, &agents, closed);
    }
    filler.case_of(known[2], "Liefertermin für Stühle verschieben", 3, &agents, 1);
    let winch = filler.case_of(known[1], "Winch manual in Spanish", 1, &agents, 40);
    filler.close(winch);
    filler.call(known[0], grace, agents[0]);
    let number =
        filler.org.row("incident", grace).and_then(|r| r.text("ticketnumber")).unwrap_or_default().to_owned();
    org.switches.search_lag_ms = lag;
    let names = KNOWN.iter().zip(&NUMBERS).zip(&known).map(|((k, (phone, _)), id)| {
        json!({"id": id.to_string(), "name": format!("{} {}", k.first, k.last), "email": k.email, "phone": phone})
    });
    let known = json!({
        "contacts": names.collect::<Vec<Value>>(),
        "case": {"id": grace.to_string(), "number": number, "contact": "Grace Okafor"},
    });
    Seeded { agent, known }
}

fn id(dice: &mut Dice) -> Uuid {
    let bytes = (u128::from(dice.roll()) << 64 | u128::from(dice.roll())).to_be_bytes();
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

fn raw(org: &mut Org, table: &str, id: Uuid, cells: &[(&str, Cell)]) {
    let cells = cells.iter().map(|(n, c)| ((*n).to_owned(), c.clone())).collect();
    org.put(table, Row { id, cells, version: 0, searchable_at: now() });
}

/// Users, the agents first.
fn users(org: &mut Org, dice: &mut Dice, apps: &[App]) -> Vec<Uuid> {
    let text = |text: &str| Cell::Text(text.to_owned());
    let unit = id(dice);
    org.id = id(dice);
    let org_id = org.id;
    let blocked = org.switches.attachment_extensions_blocked.join(";");
    let size = i64::try_from(org.switches.attachment_bytes_max).unwrap_or(i64::MAX);
    raw(
        org,
        "organization",
        org_id,
        &[
            ("name", text("tielinesandbox")),
            ("maxuploadfilesize", Cell::Int(size)),
            ("blockedattachments", Cell::Text(blocked)),
            ("languagecode", Cell::Int(1033)),
        ],
    );
    raw(org, "businessunit", unit, &[("name", text("Tieline Sandbox"))]);
    let unit = Cell::Row("businessunit".to_owned(), unit);
    let mut user = |org: &mut Org, first: &str, last: &str, local: &str, more: &[(&str, Cell)]| {
        let mail = format!("{local}@tieline-sandbox.example");
        let mut cells = vec![
            ("firstname", text(first)),
            ("lastname", text(last)),
            ("fullname", Cell::Text(format!("{first} {last}").trim().to_owned())),
            ("internalemailaddress", text(&mail)),
            ("domainname", text(&mail)),
            ("azureactivedirectoryobjectid", Cell::Id(id(dice))),
            ("isdisabled", Cell::Bool(false)),
            ("businessunitid", unit.clone()),
        ];
        cells.extend_from_slice(more);
        let made = id(dice);
        raw(org, "systemuser", made, &cells);
        made
    };
    let title = [("title", text("Service Agent"))];
    let agents = vec![
        user(org, "Alma", "Brandtner", "agent.alma", &title),
        user(org, "Noah", "Fitzwilliam", "agent.noah", &title),
        user(org, "Sofia", "Restrepo", "agent.sofia", &title),
    ];
    user(org, "Ivo", "Gone", "inactive", &[("isdisabled", Cell::Bool(true))]);
    for app in apps.iter().filter(|a| a.application_user) {
        let client = Uuid::try_parse(&app.client_id).unwrap_or_default();
        user(org, "#", "Tieline", "integration", &[("applicationid", Cell::Id(client))]);
    }
    agents
}

impl Filler<'_> {
    /// Makes a row by the environment's own rules; the seed's texts keep them.
    fn make(&mut self, table: &str, fields: &Value, age: Duration) -> Uuid {
        let fields: Map<String, Value> = fields.as_object().cloned().unwrap_or_default();
        let fields = fields.into_iter().filter(|(_, v)| !v.is_null() && *v != "").collect();
        let table = self.org.table(table);
        let wanted = id(&mut self.ids);
        let made = rules::create(self.org, &table, Some(wanted), &fields, &self.who, Via::Post);
        let made = made.expect("invented data keeps the rules");
        let at = self.start - age;
        if let Some(mut row) = self.org.row(&table.name, made).cloned() {
            row.set("createdon", Some(Cell::Time(at)));
            row.set("modifiedon", Some(Cell::Time(at)));
            row.searchable_at = at;
            self.org.put(&table.name, row);
        }
        made
    }

    fn days(&mut self, most: usize) -> Duration {
        let minutes = self.dice.below(most * 24 * 60) + 30;
        Duration::minutes(i64::try_from(minutes).unwrap_or(30))
    }

    fn known_people(&mut self) -> Vec<Uuid> {
        let mut accounts: BTreeMap<&str, Uuid> = BTreeMap::new();
        let mut out = Vec::new();
        for (known, (phone, mobile)) in KNOWN.iter().zip(&NUMBERS) {
            let account = match accounts.get(known.company) {
                Some(id) => *id,
                None => {
                    let fields = json!({"name": known.company, "address1_city": known.city,
                        "address1_country": known.country});
                    let id = self.make("account", &fields, Duration::days(900));
                    accounts.insert(known.company, id);
                    id
                }
            };
            let fields = json!({"firstname": known.first, "lastname": known.last, "emailaddress1": known.email,
                "telephone1": phone, "mobilephone": mobile, "jobtitle": known.title,
                "parentcustomerid_account@odata.bind": format!("/accounts({account})"),
                "address1_city": known.city, "address1_country": known.country});
            out.push(self.make("contact", &fields, Duration::days(400)));
        }
        out
    }

    fn invented(&mut self, contacts: usize) -> Vec<Uuid> {
        if contacts == 0 {
            return Vec::new();
        }
        let companies = people::companies(&mut self.dice, (contacts / 3).clamp(1, 150));
        let humans = people::humans(&mut self.dice, &companies, contacts);
        let accounts: Vec<Uuid> = companies.iter().map(|c| self.company(c)).collect();
        humans.iter().map(|h| self.person(h, &companies, &accounts)).collect()
    }

    fn company(&mut self, c: &Company) -> Uuid {
        let age = self.days(1_500);
        let fields = json!({"name": c.name, "telephone1": c.phone, "websiteurl": format!("https://www.{}", c.domain),
            "description": c.industry, "address1_city": c.city, "address1_country": c.country.name()});
        self.make("account", &fields, age)
    }

    fn person(&mut self, h: &Human, companies: &[Company], accounts: &[Uuid]) -> Uuid {
        let age = self.days(1_200);
        let mut again = |number: &Option<String>| {
            number.as_ref().map(|n| people::typed_again(&mut self.typing, h.country, n))
        };
        let (phone, mobile) = (again(&h.phone), again(&h.mobile));
        let fields = json!({"firstname": h.first, "lastname": h.last, "salutation": h.salutation,
            "jobtitle": h.title, "emailaddress1": h.email, "telephone1": phone, "mobilephone": mobile,
            "parentcustomerid_account@odata.bind": format!("/accounts({})", accounts[h.company]),
            "address1_city": companies[h.company].city, "address1_country": h.country.name()});
        self.make("contact", &fields, age)
    }

    fn case(&mut self, contact: Uuid, agents: &[Uuid], closed: bool) {
        let (title, kind) = self.dice.pick(&SUBJECTS);
        let age = self.days(if closed { 300 } else { 30 });
        let status = self.dice.pick(&[1, 1, 1, 2, 3]);
        let fields = json!({"title": title, "casetypecode": kind, "statuscode": status,
            "caseorigincode": self.dice.pick(&[1, 2, 3]), "prioritycode": self.dice.pick(&[1, 2, 2, 3]),
            "customerid_contact@odata.bind": format!("/contacts({contact})"),
            "ownerid@odata.bind": format!("/systemusers({})", self.dice.pick(agents))});
        let made = self.make("incident", &fields, age);
        if closed {
            self.close(made);
        }
    }

    fn close(&mut self, case: Uuid) {
        if let Some(mut row) = self.org.row("incident", case).cloned() {
            row.set("statecode", Some(Cell::Int(1)));
            row.set("statuscode", Some(Cell::Int(5)));
            self.org.put("incident", row);
        }
    }

    fn case_of(&mut self, contact: Uuid, title: &str, kind: i64, agents: &[Uuid], days: i64) -> Uuid {
        let description = "One of two pallets came on Tuesday. The carrier says both were delivered.";
        let fields = json!({"title": title, "casetypecode": kind, "caseorigincode": 2, "prioritycode": 1,
            "description": if title.starts_with("Second") { description } else { "" },
            "customerid_contact@odata.bind": format!("/contacts({contact})"),
            "ownerid@odata.bind": format!("/systemusers({})", agents[0])});
        self.make("incident", &fields, Duration::days(days))
    }

    /// A phone call that was made about the known case.
    fn call(&mut self, contact: Uuid, case: Uuid, agent: Uuid) {
        let fields = json!({"subject": "Asked the carrier for the second pallet", "phonenumber": "020 7946 0112",
        "directioncode": true, "actualdurationminutes": 4,
        "regardingobjectid_incident_phonecall@odata.bind": format!("/incidents({case})"),
        "phonecall_activity_parties": [
            {"participationtypemask": 1, "partyid_systemuser@odata.bind": format!("/systemusers({agent})")},
            {"participationtypemask": 2, "partyid_contact@odata.bind": format!("/contacts({contact})")},
        ]});
        let made = self.make("phonecall", &fields, Duration::days(1));
        if let Some(mut row) = self.org.row("phonecall", made).cloned() {
            row.set("statecode", Some(Cell::Int(1)));
            row.set("statuscode", Some(Cell::Int(2)));
            self.org.put("phonecall", row);
        }
    }
}
