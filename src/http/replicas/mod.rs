//! Several replicas: any of them takes any connection, and forwards it to the one that serves its contact centre.
//!
//! One hop, over mutual TLS: what comes in at the inner listener is served here or refused, never passed on.

mod admit;
mod ask;
mod forward;
mod line;
mod measured;
mod pool;
mod splice;
mod tls;
mod whose;

pub(super) use admit::admit;
pub use ask::Inner;
pub(super) use ask::inner;
pub(super) use forward::or_serve;
pub(super) use measured::Counts;
pub(super) use tls::Tls;
pub(super) use whose::{INNER, said_in_address};

use super::answer::Answer;
use super::{App, Shared};
use crate::drive::Whereabouts;
use crate::settings::{Cluster, Identity};
use http::HeaderName;
use line::Lines;
use pool::Pool;
use std::collections::BTreeMap;
use tieline_model::{Code, Millis, Refusal, TenantId};

/// The address of whoever came to the replica that forwards; believed at the inner listener only.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-tieline-forwarded-for");
/// Under which epoch the replica that forwards believes the other one to serve the contact centre.
const EPOCH: HeaderName = HeaderName::from_static("x-tieline-epoch");
/// On an answer of the inner listener: this replica does not serve the contact centre under that epoch.
const MOVED: HeaderName = HeaderName::from_static("x-tieline-moved");
/// Seconds after which somebody comes again for whom no replica was there.
const COME_BACK: &str = "1";

/// The other replicas over the same journal, and the way to them. Cheap to clone.
#[derive(Clone)]
pub struct Others {
    /// Without it they are seen and cannot be asked.
    way: Option<(Tls, Pool)>,
}

impl Others {
    /// With who this replica is to the others; without, they are seen and cannot be asked.
    ///
    /// # Errors
    /// What is wrong with which file, in words.
    pub fn new(identity: Option<&Identity>, cluster: &Cluster) -> Result<Self, String> {
        let tls = identity.map(|own| Tls::new(own, cluster.name.as_deref())).transpose()?;
        Ok(Self { way: tls.map(|tls| (tls.clone(), Pool::new(tls, cluster))) })
    }

    /// What the inner listener asks of whoever comes.
    pub(super) fn tls(&self) -> Option<Tls> {
        self.way.as_ref().map(|(tls, _)| tls.clone())
    }

    fn pool(&self) -> Option<&Pool> {
        self.way.as_ref().map(|(_, pool)| pool)
    }
}

/// What this replica forwards to the others.
pub(super) struct Replicas {
    others: Others,
    lines: Lines,
}

impl Replicas {
    pub(super) fn new(others: Others) -> Self {
        Self { others, lines: Lines::default() }
    }
}

/// Ends what was forwarded to replicas that do not serve it any more, for as long as the edge runs.
pub(super) async fn watch(app: &App) -> std::convert::Infallible {
    let Some(replicas) = &app.replicas else { return std::future::pending().await };
    let mut picture = app.parts.drive.picture();
    loop {
        replicas.lines.keep(&picture.borrow_and_update());
        if picture.changed().await.is_err() {
            // The engines have stopped, and the process is about to end.
            return std::future::pending().await;
        }
    }
}

/// Contact centres that no replica serves at present, as `/readyz` says it.
pub(super) fn unserved(app: &Shared) -> BTreeMap<String, String> {
    if app.replicas.is_none() {
        return BTreeMap::new();
    }
    let tenants = app.parts.settings.tenants();
    let nowhere = tenants.keys().filter(|id| app.parts.drive.whereabouts(id) == Whereabouts::Nowhere);
    nowhere.map(|id| (format!("tenant {id}"), "no replica serves it at present".to_owned())).collect()
}

/// Whether a contact centre of the settings is not served here: it was never, or has just gone to another replica.
pub(super) fn is_elsewhere(app: &App, tenant: &TenantId) -> bool {
    app.replicas.is_some()
        && app.parts.settings.tenant(tenant).is_some()
        && app.parts.drive.whereabouts(tenant) != Whereabouts::Here
}

/// When a page should try again by itself whose socket was refused; `None` if that would not help.
pub(super) fn again_in(app: &App, tenant: &TenantId, refusal: &Refusal) -> Option<Millis> {
    if refusal.code == Code::NotFound && is_elsewhere(app, tenant) {
        return Some(Millis::secs(1));
    }
    super::panel_socket::again_in(refusal.code)
}

/// No replica serves the contact centre, or none that can be asked.
fn away() -> Answer {
    let message = "this contact centre is moving to another machine; try again in a few seconds";
    Refusal::new(Code::Unavailable, message).into()
}
