//! The settings file that the demo's daemon runs with.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

/// Somebody who answers.
pub(super) struct Person {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) extension: &'static str,
    pub(super) supervisor: bool,
}

/// The account at the stand-in of Salesforce.
pub(super) struct Crm {
    pub(super) login_url: String,
    pub(super) page_origin: String,
    pub(super) consumer_key: String,
    pub(super) username: String,
    pub(super) private_key_file: String,
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
    pub(super) crm: &'a Crm,
}

impl Demo<'_> {
    /// As a settings file.
    pub(super) fn toml(&self) -> String {
        let mut text = String::from("# Written by `cargo xtask demo`; gone when it ends.\n\n");
        let tenant = self.tenant;
        self.daemon(&mut text);
        let _ = write!(
            text,
            "[tenants.{tenant}]\nname = \"Acme\"\ndefault_country = \"DE\"\nown_numbers = [\"+49 30 901820\"]\n\
             site_origins = [{site}]\npanel_hosts = [{host}]\n\n\
             [tenants.{tenant}.queues.support]\nname = \"Support\"\n\n",
            site = quoted(&format!("http://{}", self.listen)),
            host = quoted(&self.crm.page_origin),
        );
        let _ = write!(
            text,
            "[tenants.{tenant}.queues.support.classification]\n\
             codes = [\"Order\", \"Delivery\", \"Return\", \"Complaint\", \"Other\"]\n\n"
        );
        for person in self.people {
            let _ = write!(
                text,
                "[tenants.{tenant}.agents.{}]\nname = {}\npassword_hash = {}\nqueues = [\"support\"]\n\
                 extension = {}\nsupervisor = {}\n\n",
                person.id,
                quoted(person.name),
                quoted(self.password_hash),
                quoted(person.extension),
                person.supervisor
            );
        }
        self.connection(&mut text);
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

    fn connection(&self, text: &mut String) {
        let Crm { login_url, page_origin, consumer_key, username, private_key_file } = self.crm;
        let _ = write!(
            text,
            "[tenants.{tenant}.connections.salesforce]\ntype = \"salesforce\"\nname = \"Salesforce\"\n\n\
             [tenants.{tenant}.connections.salesforce.salesforce]\nlogin_url = {}\nui_url = {}\n\
             consumer_key = {}\nusername = {}\nprivate_key_file = {}\ndefault_country = \"DE\"\n",
            quoted(login_url),
            quoted(page_origin),
            quoted(consumer_key),
            quoted(username),
            quoted(private_key_file),
            tenant = self.tenant,
        );
    }
}

/// A TOML string; JSON's escapes are a subset of TOML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
