//! `tieline health`: asks the running daemon whether it is ready. For container images, which hold no other program
//! that could ask.

use crate::settings::Settings;
use anyhow::{Context, bail};
use std::time::Duration;

/// A daemon that answers later than this is not well.
const WITHIN: Duration = Duration::from_secs(5);

/// Prints what the daemon says of itself.
///
/// # Errors
/// It does not answer, or is not ready.
pub(super) async fn health(settings: &Settings) -> anyhow::Result<()> {
    super::install_crypto();
    let (ready, text) = ask(settings).await?;
    println!("{text}");
    if !ready {
        bail!("the daemon is not ready; what it says above names the part and the reason");
    }
    Ok(())
}

/// Whether the daemon is ready, and what it says.
///
/// # Errors
/// Nobody answers.
pub(super) async fn ask(settings: &Settings) -> anyhow::Result<(bool, String)> {
    let address = settings.http.admin_listen;
    let client = reqwest::Client::builder().timeout(WITHIN).no_proxy().build()?;
    let answer = client.get(format!("http://{address}/readyz")).send().await;
    let answer = answer
        .with_context(|| format!("no daemon answers on `http.admin_listen` ({address}); is it running?"))?;
    let ready = answer.status().is_success();
    Ok((ready, answer.text().await.context("the daemon's answer cannot be read")?))
}
