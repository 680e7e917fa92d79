//! Users, their identities and organizations (sheet 2.1).

use super::account::{Identity, Role, User, digits, now};
use super::answer::{Answer, ApiError, Result};
use super::limits::{Bucket, add};
use super::tickets::tag_list;
use super::world::{Call, World, number, text};
use serde_json::{Map, Value, json};

/// Longest name.
const NAME_MAX: usize = 255;
/// Longest external id.
const EXTERNAL_MAX: usize = 255;
/// Keys of a user that are taken; all others are dropped with a warning.
const KNOWN: [&str; 33] = [
    "active",
    "alias",
    "custom_role_id",
    "default_group_id",
    "details",
    "email",
    "external_id",
    "id",
    "identities",
    "locale",
    "locale_id",
    "moderator",
    "name",
    "notes",
    "only_private_comments",
    "organization",
    "organization_id",
    "organization_ids",
    "phone",
    "photo",
    "remote_photo_url",
    "restricted_agent",
    "role",
    "shared_phone_number",
    "signature",
    "skip_verify_email",
    "suspended",
    "tags",
    "ticket_restriction",
    "time_zone",
    "url",
    "user_fields",
    "verified",
];
const IDENTITY_KINDS: [&str; 8] = [
    "email",
    "twitter",
    "facebook",
    "google",
    "phone_number",
    "agent_forwarding",
    "any_channel",
    "messaging",
];

impl World {
    /// Everything below `/users` and `/organizations`.
    pub(super) fn people(&mut self, call: &Call, path: &[&str]) -> Result {
        if let (["users", "me"], "GET") = (path, call.method.as_str()) {
            return Ok(self.me(call));
        }
        if call.who == 0 {
            return Err(ApiError::login());
        }
        self.agent_only(call)?;
        match (call.method.as_str(), path) {
            ("GET", ["users", "search"]) => self.users_search(call),
            ("GET", ["users", "autocomplete"]) => self.users_search(call),
            ("GET", ["users"]) => {
                let role = call.of("role").and_then(Role::read);
                let all =
                    self.account.users.values().filter(|u| u.active && role.is_none_or(|r| u.role == r));
                let all = all.map(|u| self.urls.user(u)).collect();
                self.page(call, "users", all)
            }
            ("GET", ["users", "count"]) => Ok(Answer::json(
                200,
                json!({"count": {"value": self.account.users.len(), "refreshed_at": null}}),
            )),
            ("GET", ["users", "show_many"]) => self.show_many(call),
            ("POST", ["users"]) => self.create_user(call),
            ("POST", ["users", "create_or_update"]) => self.create_or_update(call),
            (_, ["organizations", ..]) => self.organizations(call, path),
            ("GET", ["user_fields"]) => self.page(call, "user_fields", Vec::new()),
            (_, ["users", id, rest @ ..]) => {
                let id: u64 = id.parse().map_err(|_| {
                    ApiError::attribute(
                        "id",
                        "Invalid parameter: id must be an integer from api/v2/users/show",
                    )
                })?;
                self.one_user(call, id, rest)
            }
            _ => Err(ApiError::not_found()),
        }
    }

    /// Nobody is somebody here: without a login this answers 200 (sheet 1.2).
    fn me(&self, call: &Call) -> Answer {
        let body = match self.account.user(call.who) {
            Some(user) => {
                let mut body = self.urls.user(user);
                body["authenticity_token"] = json!("not-for-programs");
                body
            }
            None => json!({"id": null, "url": self.urls.api("users/.json"), "name": "Anonymous user",
                "email": "invalid@example.com", "created_at": null, "updated_at": null, "time_zone": "London",
                "phone": null, "photo": null, "locale_id": 1, "locale": "en-US", "organization_id": null,
                "role": "end-user", "verified": false, "external_id": null, "tags": [], "alias": null,
                "active": true, "shared": false, "user_fields": {}}),
        };
        Answer::json(200, json!({"user": body}))
    }

    /// A user; one folded into another is gone, or inactive, by the switch.
    fn shown(&self, id: u64) -> Result<&User> {
        let hidden = |u: &&User| !(self.switches.merged_user_gone && u.merged_into.is_some());
        self.account.user(id).filter(hidden).ok_or_else(ApiError::not_found)
    }

    fn show_many(&self, call: &Call) -> Result {
        let mut ids = call.ids("ids");
        let external = call.of("external_ids").unwrap_or_default().split(',').filter(|e| !e.is_empty());
        let external: Vec<&str> = external.collect();
        if ids.len() > 100 || external.len() > 100 {
            return Err(super::tickets::too_many());
        }
        ids.extend(external.iter().filter_map(|e| self.account.by_external_id(e)));
        let rows: Vec<Value> =
            ids.iter().filter_map(|id| self.shown(*id).ok()).map(|u| self.urls.user(u)).collect();
        let count = rows.len();
        Ok(Answer::json(
            200,
            json!({"users": rows, "next_page": null, "previous_page": null, "count": count}),
        ))
    }

    fn created(&self, id: u64, status: u16) -> Result {
        let user = self.account.user(id).ok_or_else(ApiError::not_found)?;
        let location = self.urls.api(format_args!("users/{id}.json"));
        Ok(Answer::json(status, json!({"user": self.urls.user(user)})).with("location", location))
    }

    fn create_user(&mut self, call: &Call) -> Result {
        let given = call.object("user")?;
        let id = self.make_user(&given)?;
        self.created(id, 201)
    }

    /// Matches on e-mail or external id, never on a phone number.
    fn create_or_update(&mut self, call: &Call) -> Result {
        let given = call.object("user")?;
        let mut headers = self.limits.take(Bucket::UserWrites, 0, &self.switches)?;
        let external = text(given.get("external_id"));
        let by_external = external.as_deref().and_then(|e| self.account.by_external_id(e));
        let by_email = text(given.get("email")).and_then(|e| self.account.by_email(&e));
        let (id, status) = match by_external.or(by_email) {
            Some(id) => {
                headers.extend(self.limits.take(Bucket::UserWrite, id, &self.switches)?);
                self.change_user(id, &given)?;
                (id, 200)
            }
            None => (self.make_user(&given)?, 201),
        };
        let mut answer = self.created(id, status)?;
        add(&mut answer, headers);
        Ok(answer)
    }

    /// Makes a user.
    pub(super) fn make_user(&mut self, given: &Map<String, Value>) -> Result<u64> {
        self.note_unknown("user", given, &KNOWN);
        let name = text(given.get("name")).map(|n| n.trim().to_owned()).filter(|n| !n.is_empty());
        let Some(name) = name else {
            return Err(ApiError::field(
                "name",
                "Name:  is too short (minimum is 1 characters)",
                "ValueTooShort",
            ));
        };
        self.check_user(None, given)?;
        let id = self.account.mint();
        let at = now();
        let mut user = User {
            id,
            name,
            email: None,
            phone: None,
            shared_phone: false,
            role: Role::EndUser,
            external_id: None,
            organization_id: None,
            tags: Vec::new(),
            notes: String::new(),
            details: String::new(),
            user_fields: Map::new(),
            active: true,
            suspended: false,
            verified: false,
            merged_into: None,
            created_at: at,
            updated_at: at,
        };
        self.fill_user(&mut user, given);
        self.account.put_user(user);
        for one in given.get("identities").and_then(Value::as_array).into_iter().flatten() {
            if let Some(one) = one.as_object() {
                self.add_identity(id, one)?;
            }
        }
        Ok(id)
    }

    pub(super) fn change_user(&mut self, id: u64, given: &Map<String, Value>) -> Result<()> {
        self.note_unknown("user", given, &KNOWN);
        self.check_user(Some(id), given)?;
        let mut user = self.account.user(id).cloned().ok_or_else(ApiError::not_found)?;
        if let Some(name) = text(given.get("name")) {
            user.name = name;
        }
        self.fill_user(&mut user, given);
        user.updated_at = now();
        self.account.put_user(user);
        Ok(())
    }

    /// What a user may not be.
    fn check_user(&self, own: Option<u64>, given: &Map<String, Value>) -> Result<()> {
        let long = |name: &str, most: usize| text(given.get(name)).is_some_and(|t| t.chars().count() > most);
        if long("name", NAME_MAX) {
            return Err(ApiError::field(
                "name",
                "Name:  is too long (maximum is 255 characters after encoding)",
                "ValueTooLong",
            ));
        }
        if long("external_id", EXTERNAL_MAX) {
            return Err(ApiError::field(
                "external_id",
                "External:  is too long (maximum is 255 characters)",
                "ValueTooLong",
            ));
        }
        if let Some(email) = text(given.get("email")) {
            let well_formed = email.is_ascii()
                && !email.contains(char::is_whitespace)
                && email
                    .split_once('@')
                    .is_some_and(|(l, d)| !l.is_empty() && d.contains('.') && !d.contains('@'));
            if !well_formed {
                return Err(ApiError::field(
                    "email",
                    format!("Email:  {email} is not properly formatted"),
                    "InvalidFormat",
                ));
            }
            if self.account.by_email(&email).is_some_and(|id| Some(id) != own) {
                let says = format!("Email: {email} is already being used by another user");
                return Err(ApiError::field("email", says, "DuplicateValue"));
            }
        }
        let external = text(given.get("external_id")).and_then(|e| self.account.by_external_id(&e));
        if external.is_some_and(|id| Some(id) != own) {
            return Err(ApiError::field("external_id", "External has already been taken", "DuplicateValue"));
        }
        if let Some(phone) = text(given.get("phone")).filter(|_| self.switches.validate_phones) {
            let e164 = phone.strip_prefix('+').is_some_and(|d| (8..=15).contains(&d.len()) && digits(d) == d);
            if !e164 {
                // An object here, where every other field has a list (sheet 2.1).
                let says = format!("Phone {phone} is not properly formatted");
                return Err(ApiError::invalid(
                    json!({"phone": {"description": says, "error": "InvalidFormat"}}),
                ));
            }
        }
        let organization = given.get("organization_id").and_then(number);
        if organization.is_some_and(|id| !self.account.organizations.contains_key(&id)) {
            return Err(ApiError::field("organization_id", "Organization is invalid", "InvalidValue"));
        }
        Ok(())
    }

    fn fill_user(&mut self, user: &mut User, given: &Map<String, Value>) {
        if let Some(email) = text(given.get("email"))
            && user.email.as_ref().is_none_or(|e| !e.eq_ignore_ascii_case(&email))
        {
            let primary = user.email.is_none();
            self.put_identity(user.id, "email", &email, primary, given.get("verified") == Some(&json!(true)));
            if primary {
                user.email = Some(email);
            }
        }
        if given.contains_key("phone") {
            self.fill_phone(user, text(given.get("phone")));
        }
        if given.contains_key("external_id") {
            user.external_id = given
                .get("external_id")
                .filter(|v| !v.is_null())
                .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
        }
        if given.contains_key("organization_id") {
            user.organization_id = given.get("organization_id").and_then(number);
        }
        for (name, into) in [("notes", &mut user.notes), ("details", &mut user.details)] {
            if let Some(value) = given.get(name) {
                *into = value.as_str().unwrap_or_default().to_owned();
            }
        }
        if let Some(tags) = given.get("tags") {
            user.tags = tag_list(tags);
        }
        if let Some(role) = given.get("role").and_then(Value::as_str).and_then(Role::read) {
            user.role = role;
        }
        if let Some(fields) = given.get("user_fields").and_then(Value::as_object) {
            user.user_fields.extend(fields.clone());
        }
        if let Some(suspended) = given.get("suspended").and_then(Value::as_bool) {
            user.suspended = suspended;
        }
    }

    /// A number nobody else has becomes an identity; one that somebody has is only shared (sheet 2.1).
    fn fill_phone(&mut self, user: &mut User, phone: Option<String>) {
        let id = user.id;
        self.account.identities.retain(|_, i| {
            i.user_id != id || i.kind != "phone_number" || Some(&i.value) != user.phone.as_ref()
        });
        if let Some(phone) = &phone {
            let taken = self.account.identities.values();
            user.shared_phone =
                taken.clone().any(|i| i.kind == "phone_number" && digits(&i.value) == digits(phone));
            if !user.shared_phone {
                self.put_identity(id, "phone_number", phone, false, false);
            }
        }
        user.phone = phone;
    }

    fn put_identity(&mut self, user_id: u64, kind: &str, value: &str, primary: bool, verified: bool) -> u64 {
        let id = self.account.mint();
        let one = Identity {
            id,
            user_id,
            kind: kind.to_owned(),
            value: value.to_owned(),
            primary,
            verified,
            at: now(),
        };
        self.account.identities.insert(id, one);
        id
    }

    fn add_identity(&mut self, user_id: u64, given: &Map<String, Value>) -> Result<u64> {
        self.note_unknown("identity", given, &["type", "value", "verified", "primary", "skip_verify_email"]);
        let (kind, value) =
            (text(given.get("type")).unwrap_or_default(), text(given.get("value")).unwrap_or_default());
        if !IDENTITY_KINDS.contains(&kind.as_str()) {
            return Err(ApiError::field("type", format!("Type: {kind} is not valid"), "InvalidValue"));
        }
        if value.is_empty() {
            return Err(ApiError::field("value", "Value: cannot be blank", "BlankValue"));
        }
        let same = |i: &&Identity| i.kind == kind && i.value.eq_ignore_ascii_case(&value);
        if let Some(there) = self.account.identities.values().find(same) {
            if there.user_id == user_id {
                return Ok(there.id);
            }
            let says = format!("Value: {value} is already being used by another user");
            return Err(ApiError::field("value", says, "DuplicateValue"));
        }
        let mut user = self.account.user(user_id).cloned().ok_or_else(ApiError::not_found)?;
        let primary = kind == "email" && (user.email.is_none() || given.get("primary") == Some(&json!(true)));
        let id =
            self.put_identity(user_id, &kind, &value, primary, given.get("verified") == Some(&json!(true)));
        if primary {
            user.email = Some(value);
        } else if kind == "phone_number" && user.phone.is_none() {
            user.phone = Some(value);
        }
        user.updated_at = now();
        self.account.put_user(user);
        Ok(id)
    }

    fn one_user(&mut self, call: &Call, id: u64, rest: &[&str]) -> Result {
        let user = self.shown(id)?.clone();
        match (call.method.as_str(), rest) {
            ("GET", []) => Ok(Answer::json(200, json!({"user": self.urls.user(&user)}))),
            ("PUT", []) => {
                let given = call.object("user")?;
                let mut headers = self.limits.take(Bucket::UserWrites, 0, &self.switches)?;
                headers.extend(self.limits.take(Bucket::UserWrite, id, &self.switches)?);
                self.change_user(id, &given)?;
                let body = self.urls.user(self.shown(id)?);
                let mut answer = Answer::json(200, json!({"user": body}));
                add(&mut answer, headers);
                Ok(answer)
            }
            ("DELETE", []) => {
                if user.role != Role::EndUser {
                    return Err(ApiError::new(403, "Forbidden", "Agents cannot be deleted here"));
                }
                let mut user = user;
                (user.active, user.updated_at) = (false, now());
                let body = self.urls.user(&user);
                self.account.identities.retain(|_, i| i.user_id != id);
                self.account.put_user(user);
                Ok(Answer::json(200, json!({"user": body})))
            }
            ("PUT", ["merge"]) => {
                let target =
                    call.object("user")?.get("id").and_then(number).ok_or_else(ApiError::not_found)?;
                self.merge_users(target, id)?;
                let body = self.urls.user(self.shown(target)?);
                Ok(Answer::json(200, json!({"user": body})))
            }
            ("GET", ["related"]) => {
                let asked =
                    self.account.tickets.values().filter(|t| !t.deleted && t.requester_id == id).count();
                Ok(Answer::json(
                    200,
                    json!({"user_related": {"requested_tickets": asked, "assigned_tickets": 0,
                    "ccd_tickets": 0, "organization_subscriptions": 0}}),
                ))
            }
            ("GET", ["tickets", "requested"]) => self.tickets_of(call, |t| t.requester_id == id),
            ("GET", ["tickets", "assigned"]) => self.tickets_of(call, |t| t.assignee_id == Some(id)),
            ("GET", ["organizations"]) => {
                let own = user.organization_id.and_then(|o| self.account.organizations.get(&o));
                let rows = own.map(|o| self.urls.organization(o)).into_iter().collect();
                self.page(call, "organizations", rows)
            }
            (_, ["identities", rest @ ..]) => self.identities(call, id, rest),
            _ => Err(ApiError::not_found()),
        }
    }

    fn identities(&mut self, call: &Call, user_id: u64, rest: &[&str]) -> Result {
        let own = |w: &Self, id: &str| -> Result<Identity> {
            let found = id.parse::<u64>().ok().and_then(|id| w.account.identities.get(&id));
            found.filter(|i| i.user_id == user_id).cloned().ok_or_else(ApiError::not_found)
        };
        match (call.method.as_str(), rest) {
            ("GET", []) => {
                let mine = self.account.identities.values().filter(|i| i.user_id == user_id);
                let all = mine.map(|i| self.urls.identity(i)).collect();
                self.page(call, "identities", all)
            }
            ("POST", []) => {
                let given = call.object("identity")?;
                let id = self.add_identity(user_id, &given)?;
                let body = self.urls.identity(&own(self, &id.to_string())?);
                let location = self.urls.api(format_args!("users/{user_id}/identities/{id}.json"));
                Ok(Answer::json(201, json!({"identity": body})).with("location", location))
            }
            ("GET", [id]) => Ok(Answer::json(200, json!({"identity": self.urls.identity(&own(self, id)?)}))),
            ("DELETE", [id]) => {
                let one = own(self, id)?;
                self.account.identities.remove(&one.id);
                Ok(Answer::nothing())
            }
            ("PUT", [id, "make_primary"]) => {
                let one = own(self, id)?;
                for other in self.account.identities.values_mut() {
                    if other.user_id == user_id && other.kind == one.kind {
                        other.primary = other.id == one.id;
                    }
                }
                if let Some(mut user) = self.account.user(user_id).cloned().filter(|_| one.kind == "email") {
                    user.email = Some(one.value);
                    self.account.put_user(user);
                }
                self.identities(&Call { method: "GET".into(), ..call.clone() }, user_id, &[])
            }
            ("PUT", [id, "verify"]) => {
                let mut one = own(self, id)?;
                one.verified = true;
                let body = self.urls.identity(&one);
                self.account.identities.insert(one.id, one);
                Ok(Answer::json(200, json!({"identity": body})))
            }
            _ => Err(ApiError::not_found()),
        }
    }

    /// Folds one end user into another: tickets and identities move, the loser is gone.
    pub(super) fn merge_users(&mut self, winner: u64, loser: u64) -> Result<()> {
        let mergeable = |id| self.account.user(id).is_some_and(|u| u.active && u.role == Role::EndUser);
        if winner == loser || !mergeable(winner) || !mergeable(loser) {
            return Err(ApiError::new(422, "RecordInvalid", "Only two different end users can be merged"));
        }
        for identity in self.account.identities.values_mut().filter(|i| i.user_id == loser) {
            identity.user_id = winner;
            identity.primary = false;
        }
        let theirs: Vec<_> =
            self.account.tickets.values().filter(|t| t.requester_id == loser).cloned().collect();
        for mut ticket in theirs {
            ticket.requester_id = winner;
            ticket.updated_at = now();
            self.account.put_ticket(ticket);
        }
        for comment in self.account.comments.values_mut().flatten().filter(|c| c.author_id == loser) {
            comment.author_id = winner;
        }
        if let Some(mut gone) = self.account.user(loser).cloned() {
            (gone.active, gone.merged_into, gone.updated_at) = (false, Some(winner), now());
            self.account.put_user(gone);
        }
        Ok(())
    }

    fn organizations(&mut self, call: &Call, path: &[&str]) -> Result {
        let all = || self.account.organizations.values();
        match (call.method.as_str(), path) {
            ("GET", ["organizations"]) => {
                let rows = all().map(|o| self.urls.organization(o)).collect();
                self.page(call, "organizations", rows)
            }
            ("GET", ["organizations", "search" | "autocomplete"]) => {
                let name = call.of("name").unwrap_or_default().to_lowercase();
                let rows = all().filter(|o| o.name.to_lowercase().starts_with(&name));
                let rows = rows.map(|o| self.urls.organization(o)).collect();
                self.page(call, "organizations", rows)
            }
            ("GET", ["organizations", "show_many"]) => {
                let ids = call.ids("ids");
                let rows = ids.iter().filter_map(|id| self.account.organizations.get(id));
                let rows = rows.map(|o| self.urls.organization(o)).collect();
                self.page(call, "organizations", rows)
            }
            ("GET", ["organizations", id]) => {
                let found = id.parse().ok().and_then(|id: u64| self.account.organizations.get(&id));
                let found = found.ok_or_else(ApiError::not_found)?;
                Ok(Answer::json(200, json!({"organization": self.urls.organization(found)})))
            }
            _ => Err(ApiError::not_found()),
        }
    }
}
