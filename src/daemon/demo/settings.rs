//! The settings that the demo runs with, as a file that other verbs can be pointed at.

use super::crms::Crm;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

/// Somebody who answers.
pub(super) struct Person {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) extension: &'static str,
    pub(super) supervisor: bool,
    /// As the settings want them.
    pub(super) skills: &'static str,
}

/// Everything that differs from one demo to the next.
pub(super) struct Demo<'a> {
    pub(super) tenant: &'a str,
    pub(super) home: &'a Path,
    pub(super) listen: SocketAddr,
    pub(super) admin: SocketAddr,
    /// Where RabbitMQ is; the embedded bus without it.
    pub(super) bus_url: Option<&'a str>,
    pub(super) people: &'a [Person],
    pub(super) password_hash: &'a str,
    pub(super) crms: &'a [Crm],
}

impl Demo<'_> {
    /// As a settings file.
    pub(super) fn toml(&self) -> String {
        let mut text = String::from("# Written by `tieline demo`; gone when it ends.\n\n");
        self.daemon(&mut text);
        self.tenant(&mut text);
        self.people(&mut text);
        for crm in self.crms {
            let _ = write!(
                text,
                "[tenants.{tenant}.connections.{vendor}]\ntype = \"{vendor}\"\nname = {name}\n\n\
                 [tenants.{tenant}.connections.{vendor}.{vendor}]\n{own}\n",
                tenant = self.tenant,
                vendor = crm.vendor,
                name = quoted(crm.name),
                own = crm.settings,
            );
        }
        text
    }

    fn daemon(&self, text: &mut String) {
        let file = |name: &str| quoted(&self.home.join(name).display().to_string());
        let _ = write!(
            text,
            "[journal]\npath = {}\nkey_file = {}\n\n[auth]\nkey_file = {}\n\n\
             [http]\nlisten = \"{}\"\nadmin_listen = \"{}\"\ndemo_pages = true\n\n",
            file("journal.db"),
            file("journal.key"),
            file("auth.key"),
            self.listen,
            self.admin
        );
        if let Some(url) = self.bus_url {
            let _ = write!(text, "[bus]\nkind = \"rabbitmq\"\nurl = {}\n\n", quoted(url));
        }
    }

    fn tenant(&self, text: &mut String) {
        let hosts: Vec<String> = self.crms.iter().map(|crm| quoted(&crm.page_origin)).collect();
        let order: Vec<String> = self.crms.iter().map(|crm| quoted(crm.vendor)).collect();
        let _ = write!(
            text,
            "[tenants.{tenant}]\nname = \"Acme\"\ndefault_country = \"DE\"\nown_numbers = [\"+49 30 901820\"]\n\
             time_zone = \"Europe/Berlin\"\nsite_origins = [{site}]\npanel_hosts = [{hosts}]\nconnections_order = [{order}]\n\n\
             [tenants.{tenant}.queues.support]\nname = \"Support\"\nhours = \"always\"\n\n\
             [tenants.{tenant}.queues.support.classification]\n\
             codes = [\"Order\", \"Delivery\", \"Return\", \"Complaint\", \"Other\"]\n\n",
            tenant = self.tenant,
            site = quoted(&format!("http://{}", self.listen)),
            hosts = hosts.join(", "),
            order = order.join(", "),
        );
        // A demo is open whenever somebody looks at it.
        let _ = writeln!(text, "[tenants.{}.schedules.always]", self.tenant);
        for day in ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] {
            let _ = writeln!(text, "{day} = [\"00:00-24:00\"]");
        }
        text.push('\n');
    }

    fn people(&self, text: &mut String) {
        for person in self.people {
            let _ = write!(
                text,
                "[tenants.{}.agents.{}]\nname = {}\npassword_hash = {}\nqueues = [\"support\"]\n\
                 extension = {}\nsupervisor = {}\nskills = {{ {} }}\n\n",
                self.tenant,
                person.id,
                quoted(person.name),
                quoted(self.password_hash),
                quoted(person.extension),
                person.supervisor,
                person.skills
            );
        }
    }
}

/// A TOML string; JSON's escapes are a subset of TOML's.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
