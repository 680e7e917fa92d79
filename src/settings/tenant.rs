//! Section `tenants.<id>`: a contact centre, its people, its queues, its CRMs.

use super::auth::list;
use super::http::check_origin;
use super::queue::span_or_none;
use super::{
    ClassificationSettings, Faq, LabelsSettings, LeaseSettings, Preset, Problems, Queue, Schedule, Script,
    Secret, Span, Template, WrapUpSettings, desk, hours,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use tieline_model::command::Open;
use tieline_model::crm::ConnectionInfo;
use tieline_model::policy::{AfterCall, AgentPolicy, CallLogs, CallPolicy, ParkOn, TenantPolicy};
use tieline_model::{AgentId, ConnectionId, Millis, QueueId, ScheduleId, SkillId, TenantId, Timestamp};

/// A contact centre.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tenant {
    /// A way of working to begin with: `inbox`, `offer` or `etiquette`. It is the preset of every queue that names none,
    /// and brings what statuses are called; keys that are written win. Default: none, the rules' defaults.
    pub preset: Option<Preset>,
    /// Name as shown. Default: the tenant's id.
    pub name: Option<String>,
    /// People, by id.
    pub agents: BTreeMap<AgentId, Agent>,
    /// Waiting lines, by id.
    pub queues: BTreeMap<QueueId, Queue>,
    /// Reasons an agent may name for On Break, in the order shown (A1). Default ["Break", "Lunch", "Training"].
    pub break_reasons: Vec<String>,
    /// What calls do to chats.
    pub calls: Calls,
    /// IANA name of the time zone the centre works in: its day begins at midnight there (G1), and its schedules are in
    /// it unless they say otherwise. Default "UTC".
    pub time_zone: String,
    /// Opening hours, by id; queues name them (A12). Default none.
    pub schedules: BTreeMap<ScheduleId, Schedule>,
    /// Replies that are ready to be sent, by id (B11). Default none.
    pub templates: BTreeMap<String, Template>,
    /// Questions that are often asked, with their answers, by id (B11). Default none.
    pub faq: BTreeMap<String, Faq>,
    /// Scripts, by id; queues name them (G3). Default none.
    pub scripts: BTreeMap<String, Script>,
    /// Waiting this long weighs as much as one step of priority, over all queues; with "none" priority always goes
    /// first (A11). Default "none".
    #[serde(deserialize_with = "span_or_none")]
    #[schemars(with = "String")]
    pub ageing: Option<Span>,
    /// When an agent whose connection is gone counts as lost (A8, A17).
    pub lease: LeaseSettings,
    /// What statuses are called (A1).
    pub labels: LabelsSettings,
    /// Origins of the pages that may embed the widget (`https://www.example.com`). Default none.
    pub site_origins: Vec<String>,
    /// Origins of the CRM pages that may frame the panel (`https://*.lightning.force.com`). Default none.
    pub panel_hosts: Vec<String>,
    /// Country whose habits a phone number without country code follows (`DE`). Default none: such a number is
    /// looked up as it is.
    pub default_country: Option<String>,
    /// The centre's own and internal numbers; they match nobody (E2). Default none.
    pub own_numbers: Vec<String>,
    /// Accounts of CRMs, by id.
    pub connections: BTreeMap<ConnectionId, Connection>,
    /// Connections in the order pops prefer them (D0); those not named come after, by id. Default none.
    pub connections_order: Vec<ConnectionId>,
}

/// One person who answers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Agent {
    /// Name as shown. Default: the agent's id.
    pub name: Option<String>,
    /// Argon2id hash of the password in PHC form (`$argon2id$v=19$…`), as `tieline hash-password` prints it. Without
    /// it the agent signs in by a token of a configured issuer only.
    #[schemars(with = "Option<String>")]
    pub password_hash: Option<Secret>,
    /// Queues the agent serves. Default none.
    pub queues: BTreeSet<QueueId>,
    /// Extension at the telephone system. Default none.
    pub extension: Option<String>,
    /// May reject offers (A6). Default true.
    pub may_reject: bool,
    /// Sees and does a supervisor's things. Default false.
    pub supervisor: bool,
    /// Units of unfinished chats at once (A5); a chat takes its queue's `units`, most often one. Default 3.
    pub chat_capacity: u32,
    /// What the agent can, and how well, from 1 to 10: `{ english = 8, billing = 5 }` (A11). Default none.
    pub skills: BTreeMap<SkillId, u8>,
    /// The agent's own user in each CRM, by connection, as that CRM identifies users (Salesforce: user id; Dynamics:
    /// systemuserid; Zendesk: user id). Records then name the agent, and a CRM that can pop from the server pops
    /// there. Default none.
    pub crm_users: BTreeMap<ConnectionId, String>,
}

/// What calls do to chats, and which are logged.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Calls {
    /// When a call parks the active chat (B4): `answered` or `ringing`. Default `answered`.
    pub park_on: ParkOn,
    /// What becomes active after a call (B5): `resume_wrap_up` or `resume_last`. Default `resume_wrap_up`.
    pub after_call: AfterCall,
    /// Which calls are logged in the CRMs (E4): `answered`, `all` or `none`. Default `answered`.
    pub log: CallLogs,
    /// Wrap-up after an answered call (E5). Default none.
    pub wrap_up: Option<WrapUpSettings>,
    /// How calls are classified (E5).
    pub classification: ClassificationSettings,
    /// A call of which nothing is heard for so long counts as over, "none" never (E1). Default "4h".
    #[serde(deserialize_with = "span_or_none")]
    #[schemars(with = "String")]
    pub longest: Option<Span>,
}

/// One account of a CRM.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// Which CRM: `salesforce`, `dynamics` or `zendesk`. The table of the same name has the connector's settings.
    #[serde(rename = "type")]
    pub kind: String,
    /// Name as shown. Default: the connection's id.
    #[serde(default)]
    pub name: Option<String>,
    /// Requests a second to this CRM, over time. Default: `dispatch.budget_per_second`.
    #[serde(default)]
    pub budget_per_second: Option<u32>,
    /// Requests to this CRM at once, before the rate counts. Default: `dispatch.budget_burst`.
    #[serde(default)]
    pub budget_burst: Option<u32>,
    /// Of this CRM's burst, so many are kept for pops and look-ups (D13). Default: `dispatch.budget_for_pops`.
    #[serde(default)]
    pub budget_for_pops: Option<u32>,
    /// Settings of the Salesforce connector, as its own README lists them.
    #[serde(default)]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub salesforce: Option<serde_json::Value>,
    /// Settings of the Dynamics 365 connector, as its own README lists them.
    #[serde(default)]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub dynamics: Option<serde_json::Value>,
    /// Settings of the Zendesk connector, as its own README lists them.
    #[serde(default)]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub zendesk: Option<serde_json::Value>,
}

/// The connectors of this build, as `type` names them.
pub(super) const VENDORS: [&str; 3] = ["salesforce", "dynamics", "zendesk"];

impl Default for Tenant {
    fn default() -> Self {
        Self {
            preset: None,
            name: None,
            agents: BTreeMap::new(),
            queues: BTreeMap::new(),
            break_reasons: ["Break", "Lunch", "Training"].map(str::to_owned).to_vec(),
            calls: Calls::default(),
            time_zone: "UTC".to_owned(),
            schedules: BTreeMap::new(),
            templates: BTreeMap::new(),
            faq: BTreeMap::new(),
            scripts: BTreeMap::new(),
            ageing: None,
            lease: LeaseSettings::default(),
            labels: LabelsSettings::default(),
            site_origins: Vec::new(),
            panel_hosts: Vec::new(),
            default_country: None,
            own_numbers: Vec::new(),
            connections: BTreeMap::new(),
            connections_order: Vec::new(),
        }
    }
}

impl Default for Calls {
    fn default() -> Self {
        let rules = CallPolicy::default();
        Self {
            park_on: rules.park_on,
            after_call: rules.after_call,
            log: rules.log,
            wrap_up: None,
            classification: ClassificationSettings::default(),
            longest: rules.longest.map(|longest| Span::ms(longest.0)),
        }
    }
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            name: None,
            password_hash: None,
            queues: BTreeSet::new(),
            extension: None,
            may_reject: true,
            supervisor: false,
            chat_capacity: 3,
            skills: BTreeMap::new(),
            crm_users: BTreeMap::new(),
        }
    }
}

impl Connection {
    /// The connector's own settings, for the connector to read.
    #[must_use]
    pub fn own(&self) -> Option<&serde_json::Value> {
        self.table(&self.kind)
    }

    /// Whether it has a budget of its own.
    pub(super) fn has_budget(&self) -> bool {
        [self.budget_per_second, self.budget_burst, self.budget_for_pops].iter().any(Option::is_some)
    }

    fn table(&self, vendor: &str) -> Option<&serde_json::Value> {
        match vendor {
            "salesforce" => self.salesforce.as_ref(),
            "dynamics" => self.dynamics.as_ref(),
            "zendesk" => self.zendesk.as_ref(),
            _ => None,
        }
    }

    fn validate(&self, at: &str, problems: &mut Problems) {
        let kind = self.kind.as_str();
        if !VENDORS.contains(&kind) {
            problems.add(
                format!("{at}.type"),
                format!("is \"{kind}\""),
                format!("choose a connector of this build: {}", VENDORS.join(", ")),
            );
        } else if self.own().is_none() {
            problems.add(
                format!("{at}.{kind}"),
                "is missing",
                format!("add the table with the settings of the connector, as connectors/{kind}/README.md lists them"),
            );
        }
        for other in VENDORS.into_iter().filter(|other| *other != kind && self.table(other).is_some()) {
            problems.add(
                format!("{at}.{other}"),
                format!("stands beside type \"{kind}\""),
                format!("remove it, or change the type to \"{other}\""),
            );
        }
        if let Some(name) = &self.name {
            problems.text(format!("{at}.name"), name, 80);
        }
    }
}

impl Calls {
    fn policy(&self) -> CallPolicy {
        CallPolicy {
            park_on: self.park_on,
            after_call: self.after_call,
            log: self.log,
            wrap_up: self.wrap_up.as_ref().map(WrapUpSettings::policy),
            classification: self.classification.policy(),
            longest: self.longest.map(Millis::from),
        }
    }

    fn validate(&self, at: &str, problems: &mut Problems) {
        if let Some(wrap_up) = &self.wrap_up {
            wrap_up.validate(&format!("{at}.wrap_up"), problems);
        }
        self.classification.validate(&format!("{at}.classification"), problems);
        if let Some(longest) = self.longest {
            problems.span(format!("{at}.longest"), longest, Span::mins(1)..=Span::hours(7 * 24));
        }
    }
}

impl Tenant {
    /// What the engine must know, as it enters the journal.
    #[must_use]
    pub fn policy(&self) -> TenantPolicy {
        TenantPolicy {
            agents: self.agents.iter().map(|(id, agent)| (id.clone(), agent.policy(id))).collect(),
            queues: self.queues.iter().map(|(id, queue)| (id.clone(), queue.policy(id.as_str()))).collect(),
            connections: self.connections_in_order().into_iter().map(|(id, c)| c.info(id)).collect(),
            break_reasons: self.break_reasons.clone(),
            calls: self.calls.policy(),
            ageing: self.ageing.map(Millis::from),
            lease: self.lease.policy(),
            labels: self.labels.policy(),
        }
    }

    /// When each schedule is open, from yesterday on and for sixty days, as the engine takes it. The same all day
    /// long.
    #[must_use]
    pub fn open_hours(&self, now: Timestamp) -> BTreeMap<ScheduleId, Vec<Open>> {
        let open = |schedule: &Schedule| schedule.open(&self.time_zone, now);
        self.schedules.iter().map(|(id, schedule)| (id.clone(), open(schedule))).collect()
    }

    /// The day that it is in the centre (`2026-02-28`), and when the next one begins.
    #[must_use]
    pub fn day(&self, now: Timestamp) -> (String, Timestamp) {
        hours::day(&self.time_zone, now)
    }

    /// Connections as pops prefer them (D0).
    #[must_use]
    pub fn connections_in_order(&self) -> Vec<(&ConnectionId, &Connection)> {
        let named = self.connections_order.iter().filter_map(|id| self.connections.get_key_value(id));
        let rest = self.connections.iter().filter(|(id, _)| !self.connections_order.contains(id));
        named.chain(rest).collect()
    }

    pub(super) fn validate(&self, id: &TenantId, problems: &mut Problems) {
        let at = format!("tenants.{id}");
        if let Some(name) = &self.name {
            problems.text(format!("{at}.name"), name, 80);
        }
        for (agent, settings) in &self.agents {
            let at = format!("{at}.agents.{agent}");
            settings.validate(&at, &self.queues, problems);
            settings.validate_crm_users(&at, &self.connections, problems);
        }
        for (queue, settings) in &self.queues {
            settings.validate(&format!("{at}.queues.{queue}"), queue, self, problems);
        }
        for (schedule, settings) in &self.schedules {
            settings.validate(&format!("{at}.schedules.{schedule}"), problems);
        }
        desk::validate(&at, self, problems);
        hours::validate_zone(format!("{at}.time_zone"), &self.time_zone, problems);
        if let Some(ageing) = self.ageing {
            problems.span(format!("{at}.ageing"), ageing, Span::secs(1)..=Span::hours(24));
        }
        self.lease.validate(&at, problems);
        self.labels.validate(&at, problems);
        self.calls.validate(&format!("{at}.calls"), problems);
        self.validate_lists(&at, problems);
        self.validate_extensions(&at, problems);
        self.validate_connections(&at, problems);
    }

    fn validate_lists(&self, at: &str, problems: &mut Problems) {
        problems.count(format!("{at}.break_reasons"), self.break_reasons.len() as u64, 1..=50);
        for (index, reason) in self.break_reasons.iter().enumerate() {
            problems.text(format!("{at}.break_reasons[{index}]"), reason, 80);
        }
        let lists = [("site_origins", &self.site_origins), ("panel_hosts", &self.panel_hosts)];
        for (name, origins) in lists {
            problems.count(format!("{at}.{name}"), origins.len() as u64, 0..=200);
            for (index, origin) in origins.iter().enumerate() {
                if let Err(way_out) = check_origin(origin, true) {
                    problems.add(format!("{at}.{name}[{index}]"), format!("is \"{origin}\""), way_out);
                }
            }
        }
        problems.count(format!("{at}.own_numbers"), self.own_numbers.len() as u64, 0..=10_000);
        if let Some(country) = &self.default_country
            && (country.len() != 2 || !country.bytes().all(|b| b.is_ascii_uppercase()))
        {
            problems.add(
                format!("{at}.default_country"),
                format!("is \"{country}\""),
                "write the two capital letters of ISO 3166, such as DE",
            );
        }
    }

    /// A call event names an agent by id or by extension, so neither may mean two people.
    fn validate_extensions(&self, at: &str, problems: &mut Problems) {
        let mut taken: BTreeMap<&str, &AgentId> = self.agents.keys().map(|id| (id.as_str(), id)).collect();
        for (id, agent) in &self.agents {
            let Some(extension) = &agent.extension else { continue };
            if let Some(other) = taken.insert(extension, id)
                && other != id
            {
                problems.add(
                    format!("{at}.agents.{id}.extension"),
                    format!("is \"{extension}\", which means agent `{other}` already"),
                    "give each agent an extension of its own",
                );
            }
        }
    }

    fn validate_connections(&self, at: &str, problems: &mut Problems) {
        for (id, connection) in &self.connections {
            connection.validate(&format!("{at}.connections.{id}"), problems);
        }
        for (index, id) in self.connections_order.iter().enumerate() {
            if !self.connections.contains_key(id) || self.connections_order[..index].contains(id) {
                problems.add(
                    format!("{at}.connections_order[{index}]"),
                    format!("is \"{id}\""),
                    format!(
                        "name each connection of this tenant at most once{}",
                        list(self.connections.keys())
                    ),
                );
            }
        }
    }
}

impl Agent {
    fn validate(&self, at: &str, queues: &BTreeMap<QueueId, Queue>, problems: &mut Problems) {
        if let Some(name) = &self.name {
            problems.text(format!("{at}.name"), name, 80);
        }
        if let Some(hash) = &self.password_hash
            && !hash.reveal().starts_with("$argon2id$v=19$")
        {
            problems.add(
                format!("{at}.password_hash"),
                "does not begin with $argon2id$v=19$",
                "write what `tieline hash-password` prints, never the password",
            );
        }
        for queue in self.queues.iter().filter(|queue| !queues.contains_key(*queue)) {
            problems.add(
                format!("{at}.queues"),
                format!("names \"{queue}\""),
                format!("name queues of this tenant{}", list(queues.keys())),
            );
        }
        if let Some(extension) = &self.extension {
            problems.text(format!("{at}.extension"), extension, 40);
        }
        problems.count(format!("{at}.chat_capacity"), self.chat_capacity.into(), 1..=50);
        for (skill, level) in &self.skills {
            problems.count(format!("{at}.skills.{skill}"), u64::from(*level), 1..=10);
        }
    }

    fn validate_crm_users(
        &self,
        at: &str,
        connections: &BTreeMap<ConnectionId, Connection>,
        problems: &mut Problems,
    ) {
        for (connection, user) in &self.crm_users {
            if connections.contains_key(connection) {
                problems.text(format!("{at}.crm_users.{connection}"), user, 200);
            } else {
                problems.add(
                    format!("{at}.crm_users.{connection}"),
                    "names no connection",
                    format!("name connections of this tenant{}", list(connections.keys())),
                );
            }
        }
    }

    fn policy(&self, id: &AgentId) -> AgentPolicy {
        AgentPolicy {
            name: self.name.clone().unwrap_or_else(|| id.to_string()),
            queues: self.queues.clone(),
            extension: self.extension.clone(),
            may_reject: self.may_reject,
            supervisor: self.supervisor,
            chat_capacity: self.chat_capacity,
            crm_users: self.crm_users.clone(),
            skills: self.skills.clone(),
        }
    }
}

impl Connection {
    fn info(&self, id: &ConnectionId) -> ConnectionInfo {
        ConnectionInfo {
            id: id.clone(),
            vendor: self.kind.clone(),
            name: self.name.clone().unwrap_or_else(|| id.to_string()),
        }
    }
}
