//! The CRMs of a contact centre under a test, any number of them, and what a test does in all of them.

use crate::daemon::{Centre, Daemon, app_key};
use crate::panel::Panel;
use crate::visitor::{Visitor, person};
use std::any::Any;
use tieline_model::InteractionId;
use tieline_model::crm::LogState;
use tieline_model::live::{AgentDeed, HostPage};
use tieline_sandbox::admin::Admin;
use tieline_sandbox::{dynamics, salesforce, zendesk};

/// The number of the customer whom every CRM knows.
pub(crate) const CALLER: &str = "+442079460321";

/// A CRM of the centre.
pub(crate) struct Crm {
    pub(crate) connection: &'static str,
    pub(crate) vendor: &'static str,
    pub(crate) stand_in: Box<dyn Admin>,
    /// What the daemon must know of it; nothing for the one the centre has anyway.
    pub(crate) settings: String,
    _running: Option<Box<dyn Any + Send>>,
}

impl Crm {
    pub(crate) async fn salesforce(connection: &'static str) -> Self {
        let options = salesforce::Options { contacts: 20, ..salesforce::Options::demo(app_key()) };
        let org = salesforce::Sandbox::start(options).await.expect("the sandbox starts");
        let settings = format!(
            r#"
[tenants.demo.connections.{connection}]
type = "salesforce"
[tenants.demo.connections.{connection}.salesforce]
login_url = "{}"
consumer_key = "{}"
username = "{}"
private_key_file = "FOLDER/app.pem"
"#,
            org.login_url,
            salesforce::CONSUMER_KEY,
            salesforce::INTEGRATION_USER,
        );
        let stand_in = Box::new(org.sandbox.clone());
        Self { connection, vendor: "salesforce", stand_in, settings, _running: Some(Box::new(org)) }
    }

    pub(crate) async fn dynamics() -> Self {
        let options = dynamics::Options { contacts: 20, ..dynamics::Options::demo(app_key()) };
        let org = dynamics::Sandbox::start(options).await.expect("the sandbox starts");
        let settings = format!(
            r#"
[tenants.demo.connections.dynamics]
type = "dynamics"
name = "Dynamics"
[tenants.demo.connections.dynamics.dynamics]
org_url = "{}"
authority_url = "{}"
tenant = "{}"
client_id = "{}"
client_secret = "{}"
"#,
            org.org_url,
            org.authority_url,
            dynamics::TENANT,
            dynamics::CLIENT_ID,
            dynamics::CLIENT_SECRET,
        );
        let stand_in = Box::new(org.sandbox.clone());
        let (connection, vendor) = ("dynamics", "dynamics");
        Self { connection, vendor, stand_in, settings, _running: Some(Box::new(org)) }
    }

    pub(crate) async fn zendesk() -> Self {
        let options = zendesk::Options { contacts: 20, ..zendesk::Options::demo() };
        let account = zendesk::Sandbox::start(options).await.expect("the sandbox starts");
        let settings = format!(
            r#"
[tenants.demo.connections.zendesk]
type = "zendesk"
name = "Zendesk"
[tenants.demo.connections.zendesk.zendesk]
base_url = "{}"
client_id = "{}"
client_secret = "{}"
display = "talk_partner"
"#,
            account.base_url,
            zendesk::CLIENT_ID,
            zendesk::CLIENT_SECRET,
        );
        let stand_in = Box::new(account.sandbox.clone());
        let (connection, vendor) = ("zendesk", "zendesk");
        Self { connection, vendor, stand_in, settings, _running: Some(Box::new(account)) }
    }

    pub(crate) fn host(&self) -> HostPage {
        let connection = self.connection.parse().expect("a connection id");
        HostPage { vendor: self.vendor.to_owned(), connection: Some(connection) }
    }
}

/// The centre's own Salesforce first, as the order of ids has it, then these.
pub(crate) async fn centre_with(mut others: Vec<Crm>) -> (Centre, Vec<Crm>) {
    let settings: String = others.iter().map(|crm| crm.settings.as_str()).collect();
    let centre = Centre::with(&settings).await;
    let (connection, vendor, settings) = ("crm", "salesforce", String::new());
    let stand_in = Box::new(centre.crm.clone());
    others.insert(0, Crm { connection, vendor, stand_in, settings, _running: None });
    (centre, others)
}

/// The same customer in every CRM; her record's id in each.
pub(crate) async fn known_everywhere(crms: &[Crm]) -> Vec<String> {
    let mut ids = Vec::new();
    for crm in crms {
        let phone = Some("+44 20 7946 0321");
        ids.push(crm.stand_in.add_contact("Amara Obi", Some("amara@obi.example"), phone).await);
    }
    ids
}

/// How many of the connections have an interaction's log.
pub(crate) fn saved(panel: &Panel, id: InteractionId) -> usize {
    let log = panel.view.logs.iter().find(|log| log.interaction == id);
    let states = log.into_iter().flat_map(|log| &log.deliveries);
    states.filter(|delivery| matches!(delivery.state, LogState::Saved { .. })).count()
}

/// One chat from the offer to the end of wrap-up, with everything an agent does in it.
pub(crate) async fn chat(daemon: &Daemon, anna: &mut Panel) -> InteractionId {
    let mut visitor = Visitor::starts(daemon, "support", person("Amara Obi", "amara@obi.example")).await;
    let chat = visitor.interaction;
    let offer = anna.until("an offer", |p| p.view.offer.as_ref().map(|o| o.offer)).await;
    anna.does(AgentDeed::AcceptOffer { offer }).await;
    visitor.writes("Where is my parcel?").await;
    anna.does(AgentDeed::Send { interaction: chat, text: "It left this morning.".into() }).await;
    let codes = vec!["delivery".to_owned()];
    anna.does(AgentDeed::EndChat { interaction: chat }).await;
    let remarks = tieline_model::content::Remarks::default();
    anna.does(AgentDeed::Classify { interaction: chat, codes, remarks }).await;
    anna.does(AgentDeed::CompleteWrapUp { interaction: chat }).await;
    chat
}
