//! The stand-ins of the CRMs, each with invented data of its own, and what the daemon's settings say about them.

use super::settings::quoted;
use anyhow::Context as _;
use std::fmt::Write as _;
use std::path::Path;
use tieline_connector_api::sandbox::Sandbox as _;
use tieline_sandbox::keys::AppKey;
use tieline_sandbox::{dynamics, salesforce, zendesk};

/// One stand-in that runs until it is dropped.
pub(super) struct Crm {
    /// Its connection and the connector's type.
    pub(super) vendor: &'static str,
    /// As people call it.
    pub(super) name: &'static str,
    /// The page that agents look at, with the panel inside.
    pub(super) console_url: String,
    /// Scheme, host and port of that page.
    pub(super) page_origin: String,
    /// Its API, and the surface that drives the stand-in.
    pub(super) api_url: String,
    /// The connector's own settings, as TOML.
    pub(super) settings: String,
    _running: Running,
}

#[expect(dead_code, reason = "held, not read")]
enum Running {
    Salesforce(salesforce::Running),
    Dynamics(dynamics::Running),
    Zendesk(zendesk::Running),
}

/// Starts them, each with the panel at this address.
pub(super) async fn start(home: &Path, panel_url: &str) -> anyhow::Result<Vec<Crm>> {
    Ok(vec![salesforce(home, panel_url).await?, dynamics(panel_url).await?, zendesk(panel_url).await?])
}

fn origin(url: &str) -> String {
    url.split('/').take(3).collect::<Vec<_>>().join("/")
}

/// Lines of a TOML table.
fn table(entries: &[(&str, &str)]) -> String {
    entries.iter().fold(String::new(), |mut text, (key, value)| {
        let _ = writeln!(text, "{key} = {}", quoted(value));
        text
    })
}

async fn salesforce(home: &Path, panel_url: &str) -> anyhow::Result<Crm> {
    let key = AppKey::generate().context("no key for the stand-in of Salesforce")?;
    let file = home.join("salesforce.pem");
    super::write_private(&file, &key.private_pem)?;
    let mut options = salesforce::Options::demo(&key);
    options.instance_port = super::free_port(8090)?;
    options.panel_url = Some(panel_url.to_owned());
    let running = salesforce::Sandbox::start(options).await.context("the stand-in of Salesforce")?;
    let page_origin = origin(&running.console_url);
    Ok(Crm {
        vendor: "salesforce",
        name: "Salesforce",
        console_url: running.console_url.clone(),
        settings: table(&[
            ("login_url", &running.login_url),
            ("ui_url", &page_origin),
            ("consumer_key", salesforce::CONSUMER_KEY),
            ("username", salesforce::INTEGRATION_USER),
            ("private_key_file", &file.display().to_string()),
        ]),
        page_origin,
        api_url: running.instance_url.clone(),
        _running: Running::Salesforce(running),
    })
}

async fn dynamics(panel_url: &str) -> anyhow::Result<Crm> {
    let key = AppKey::generate().context("no key for the stand-in of Dynamics 365")?;
    let mut options = dynamics::Options::demo(&key);
    options.org_port = super::free_port(8091)?;
    options.panel_url = Some(panel_url.to_owned());
    let running = dynamics::Sandbox::start(options).await.context("the stand-in of Dynamics 365")?;
    let page_origin = origin(&running.console_url);
    // No case is without a customer there, so those of unknown people stand under this one.
    let nobody = running.sandbox.add_contact("Web visitor", None, None).await;
    Ok(Crm {
        vendor: "dynamics",
        name: "Dynamics 365",
        console_url: running.console_url.clone(),
        settings: table(&[
            ("org_url", &running.org_url),
            ("ui_url", &page_origin),
            ("authority_url", &running.authority_url),
            ("tenant", dynamics::TENANT),
            ("client_id", dynamics::CLIENT_ID),
            ("client_secret", dynamics::CLIENT_SECRET),
            ("case.fallback_customer.contact", &nobody),
        ]),
        page_origin,
        api_url: running.org_url.clone(),
        _running: Running::Dynamics(running),
    })
}

async fn zendesk(panel_url: &str) -> anyhow::Result<Crm> {
    let mut options = zendesk::Options::demo();
    options.port = super::free_port(8092)?;
    options.panel_url = Some(panel_url.to_owned());
    let running = zendesk::Sandbox::start(options).await.context("the stand-in of Zendesk")?;
    let page_origin = origin(&running.console_url);
    Ok(Crm {
        vendor: "zendesk",
        name: "Zendesk",
        console_url: running.console_url.clone(),
        settings: table(&[
            ("base_url", &running.base_url),
            ("ui_url", &page_origin),
            ("client_id", zendesk::CLIENT_ID),
            ("client_secret", zendesk::CLIENT_SECRET),
        ]),
        page_origin,
        api_url: running.base_url.clone(),
        _running: Running::Zendesk(running),
    })
}
