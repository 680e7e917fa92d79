//! The account's invented content: agents, companies, customers, tickets; the known ones first, then as many as
//! wanted. The same seed gives the same account.

use super::account::{Account, Attachment, Comment, Identity, Organization, Role, Ticket, User, digits, now};
use super::comments::html_of;
use crate::people::{self, Company, Dice, Human, KNOWN, SUBJECTS};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use time::{Duration, OffsetDateTime};

/// How the known people's numbers are typed here: one field for each person, and a second number as an identity.
const PHONES: [(&str, &str); KNOWN.len()] = [
    ("020 7946 0112", "+447700900412"),
    ("+1 415.555.0134", ""),
    ("+43 (0)1 5550199", "0664/5550123"),
    ("+49 30 23125-777", "+491713920042"),
    ("+46846500411", ""),
    ("0046 (0)8-465 004 11", ""),
];

/// Tickets made before Grace's, so that hers is 1027.
const TICKETS_BEFORE: usize = 26;

/// What was made.
pub(crate) struct Seeded {
    /// The user the API works as.
    pub(crate) owner: u64,
    /// The agent who looks at the page.
    pub(crate) agent: u64,
    /// The known records, for the admin surface.
    pub(crate) known: Value,
}

struct Filler<'a> {
    account: &'a mut Account,
    dice: Dice,
    start: OffsetDateTime,
    agents: Vec<u64>,
}

/// Fills an empty account.
pub(crate) fn fill(account: &mut Account, seed: u64, contacts: usize) -> Seeded {
    let mut filler = Filler { account, dice: Dice::new(seed), start: now(), agents: Vec::new() };
    let owner = filler.staff();
    let known = filler.known_people();
    let invented = filler.invented(contacts);
    let persons = if invented.is_empty() { known.clone() } else { invented };
    for n in 0..TICKETS_BEFORE {
        filler.ticket(persons[n % persons.len()], n % 3 != 0);
    }
    let said = "One of two pallets came on Tuesday. The carrier says both were delivered.";
    let first = filler.agents[0];
    let grace =
        filler.ticket_of(known[0], "Second pallet still missing", said, "open", Duration::days(2), first);
    for _ in 0..contacts * 2 / 3 {
        let (at, closed) = (filler.dice.below(persons.len()), filler.dice.chance(65));
        filler.ticket(persons[at], closed);
    }
    let said = "Können die Stühle eine Woche später kommen?";
    filler.ticket_of(known[2], "Liefertermin für Stühle verschieben", said, "new", Duration::days(1), first);
    let said = "Do you have the winch manual in Spanish?";
    filler.ticket_of(known[1], "Winch manual in Spanish", said, "closed", Duration::days(40), first);
    let agents: Vec<Value> = filler
        .agents
        .iter()
        .filter_map(|id| filler.account.user(*id))
        .map(|u| json!({"id": u.id.to_string(), "name": u.name, "email": u.email}))
        .collect();
    let names = KNOWN.iter().zip(PHONES).zip(&known).map(|((k, (phone, _)), id)| {
        json!({"id": id.to_string(), "name": format!("{} {}", k.first, k.last), "email": k.email, "phone": phone})
    });
    let known = json!({"contacts": names.collect::<Vec<Value>>(), "agents": agents,
        "case": {"id": grace.to_string(), "number": grace.to_string(), "contact": "Grace Okafor"}});
    let agent = filler.agents[0];
    Seeded { owner, agent, known }
}

impl Filler<'_> {
    fn user(
        &mut self,
        name: String,
        email: Option<&str>,
        phones: [Option<&str>; 2],
        role: Role,
        age: Duration,
    ) -> u64 {
        let id = self.account.mint();
        let at = self.start - age;
        let mut identity = |kind: &str, value: &str, primary: bool| {
            let same = |i: &Identity| {
                i.kind == kind
                    && if kind == "email" { i.value == value } else { digits(&i.value) == digits(value) }
            };
            let taken = self.account.identities.values().any(same);
            if !taken {
                let one = self.account.mint();
                let value = value.to_owned();
                let made = Identity {
                    id: one,
                    user_id: id,
                    kind: kind.to_owned(),
                    value,
                    primary,
                    verified: primary,
                    at,
                };
                self.account.identities.insert(one, made);
            }
            taken
        };
        if let Some(email) = email {
            identity("email", email, true);
        }
        let mut shared_phone = false;
        for (n, phone) in phones.iter().enumerate() {
            let Some(phone) = phone.filter(|p| !p.is_empty()) else { continue };
            let taken = identity("phone_number", phone, false);
            shared_phone |= taken && n == 0;
        }
        // One field for the phone; a second number is only an identity.
        let phone = phones[0].or(phones[1]).filter(|p| !p.is_empty()).map(str::to_owned);
        let user = User {
            id,
            name,
            email: email.map(str::to_owned),
            phone,
            shared_phone,
            role,
            external_id: None,
            organization_id: None,
            tags: Vec::new(),
            notes: String::new(),
            details: String::new(),
            user_fields: Map::new(),
            active: true,
            suspended: false,
            verified: email.is_some(),
            merged_into: None,
            created_at: at,
            updated_at: at,
        };
        self.account.put_user(user);
        id
    }

    fn staff(&mut self) -> u64 {
        let age = Duration::days(1_000);
        let address = |local: &str| format!("{local}@tieline-sandbox.example");
        let owner = self.user(
            "Tieline Integration".into(),
            Some(&address("integration")),
            [None; 2],
            Role::Admin,
            age,
        );
        for (local, name) in [
            ("agent.alma", "Alma Brandtner"),
            ("agent.noah", "Noah Fitzwilliam"),
            ("agent.sofia", "Sofia Restrepo"),
        ] {
            let id = self.user(name.into(), Some(&address(local)), [None; 2], Role::Agent, age);
            self.agents.push(id);
        }
        owner
    }

    fn organization(&mut self, name: &str, domain: &str, details: String, age: Duration) -> u64 {
        let id = self.account.mint();
        let (domains, at) = (vec![domain.to_owned()], self.start - age);
        self.account
            .organizations
            .insert(id, Organization { id, name: name.to_owned(), details, domains, at });
        id
    }

    fn set(&mut self, id: u64, change: impl FnOnce(&mut User)) {
        if let Some(mut user) = self.account.user(id).cloned() {
            change(&mut user);
            self.account.put_user(user);
        }
    }

    fn known_people(&mut self) -> Vec<u64> {
        let mut companies: BTreeMap<&str, u64> = BTreeMap::new();
        let mut out = Vec::new();
        for (known, (phone, mobile)) in KNOWN.iter().zip(PHONES) {
            let domain = known.email.split_once('@').map_or("", |(_, d)| d);
            let there = companies.get(known.company).copied();
            let company = there.unwrap_or_else(|| {
                self.organization(
                    known.company,
                    domain,
                    format!("{}, {}", known.city, known.country),
                    Duration::days(900),
                )
            });
            companies.insert(known.company, company);
            let name = format!("{} {}", known.first, known.last);
            let id = self.user(
                name,
                Some(known.email),
                [Some(phone), Some(mobile)],
                Role::EndUser,
                Duration::days(400),
            );
            self.set(id, |u| {
                u.organization_id = Some(company);
                known.title.clone_into(&mut u.details);
            });
            out.push(id);
        }
        out
    }

    fn days(&mut self, most: usize) -> Duration {
        let minutes = self.dice.below(most * 24 * 60) + 30;
        Duration::minutes(i64::try_from(minutes).unwrap_or(30))
    }

    fn invented(&mut self, contacts: usize) -> Vec<u64> {
        if contacts == 0 {
            return Vec::new();
        }
        let companies = people::companies(&mut self.dice, (contacts / 3).clamp(1, 150));
        let humans = people::humans(&mut self.dice, &companies, contacts);
        let organizations: Vec<u64> = companies.iter().map(|c| self.company(c)).collect();
        humans.iter().map(|h| self.person(h, &organizations)).collect()
    }

    fn company(&mut self, c: &Company) -> u64 {
        let age = self.days(1_500);
        self.organization(&c.name, &c.domain, format!("{}, {} · {}", c.city, c.country.name(), c.phone), age)
    }

    fn person(&mut self, h: &Human, organizations: &[u64]) -> u64 {
        let age = self.days(1_200);
        let name = format!("{} {}", h.first, h.last);
        let id = self.user(
            name,
            h.email.as_deref(),
            [h.phone.as_deref(), h.mobile.as_deref()],
            Role::EndUser,
            age,
        );
        let company = organizations.get(h.company).copied();
        self.set(id, |u| {
            u.organization_id = company;
            h.title.clone_into(&mut u.details);
        });
        id
    }

    fn ticket(&mut self, requester: u64, closed: bool) {
        let (subject, reason, _) = self.dice.pick(&SUBJECTS);
        let status = if closed {
            "closed"
        } else {
            self.dice.pick(&["new", "open", "open", "pending", "hold", "solved"])
        };
        let age = self.days(if closed { 300 } else { 30 });
        let agent = self.dice.pick(&self.agents.clone());
        let said = format!("{subject}. ({reason})");
        self.ticket_of(requester, subject, &said, status, age, agent);
    }

    fn ticket_of(
        &mut self,
        requester: u64,
        subject: &str,
        said: &str,
        status: &str,
        age: Duration,
        agent: u64,
    ) -> u64 {
        let id = self.account.mint_ticket();
        let at = self.start - age;
        let organization_id = self.account.user(requester).and_then(|u| u.organization_id);
        let priority = Some(self.dice.pick(&["low", "normal", "normal", "high"]).to_owned());
        let ticket = Ticket {
            id,
            external_id: None,
            subject: subject.to_owned(),
            description: said.to_owned(),
            status: status.to_owned(),
            priority,
            kind: Some("question".into()),
            requester_id: requester,
            submitter_id: requester,
            assignee_id: (status != "new").then_some(agent),
            organization_id,
            group_id: Some(self.account.group),
            tags: Vec::new(),
            custom_fields: BTreeMap::new(),
            due_at: None,
            channel: "email",
            via_id: None,
            followup_of: None,
            public: true,
            deleted: false,
            created_at: at,
            updated_at: at,
        };
        self.account.put_ticket(ticket);
        let comment = Comment {
            id: self.account.mint(),
            kind: "Comment",
            author_id: requester,
            body: said.to_owned(),
            html: html_of(said),
            public: true,
            attachments: Vec::<Attachment>::new(),
            audit_id: self.account.mint(),
            custom: Map::new(),
            data: None,
            client: String::new(),
            at,
        };
        self.account.comments.insert(id, vec![comment]);
        id
    }
}
