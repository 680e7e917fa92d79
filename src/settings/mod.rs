//! What ops write down: one file per section. The only room that reads files and environment.
//!
//! A TOML file, over it the environment (`TIELINE__BUS__URL`); [`load`] reads both, fetches what stands in other
//! files (secrets), and says everything that is wrong at once. Nothing here decides; the engine gets
//! [`Tenant::policy`] as a journaled command.

mod auth;
mod bus;
mod changes;
mod cluster;
mod daemon;
mod desk;
mod dispatch;
mod hours;
mod http;
mod journal;
mod live;
mod load;
mod presence;
mod presets;
mod problem;
mod queue;
mod scan;
mod span;
mod telemetry;
mod tenant;

pub use auth::{Algorithm, Auth, Issuer, Producer};
pub use bus::{Bus, BusKind};
pub use changes::Changes;
pub use cluster::{Cluster, Identity};
pub use daemon::{Daemon, Role, Roles};
pub use desk::{Faq, Field, FieldKind, Piece, Placeholder, Script, ScriptBranch, Step, Template};
pub use dispatch::Dispatch;
pub use hours::{Day, Schedule, Stretch};
pub use http::Http;
pub use journal::{Journal, JournalKind};
pub use live::{Live, Tenants};
pub use load::{Error, from_env, load, load_as, load_text, read_or_make_key, schema};
pub use presence::{LabelsSettings, LeaseSettings};
pub use presets::Preset;
pub use problem::{Problem, Problems};
pub use queue::{
    AttachmentsSettings, Branch, ClassificationSettings, CodeSettings, Full, InactivitySettings, LogSettings,
    OverflowSettings, Queue, TargetsSettings, Waited, Way, WordingSettings, WrapUpSettings,
};
pub use scan::{Scan, Scanner};
pub use span::Span;
pub use telemetry::Telemetry;
pub use tenant::{Agent, Calls, Connection, Tenant};
pub use tieline_connector_api::Secret;

use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use tieline_model::TenantId;

/// The whole of the settings. Every section may be left out; the defaults run one machine with nothing beside it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The process as a whole.
    pub daemon: Daemon,
    /// Where the journal is kept.
    pub journal: Journal,
    /// Several replicas over one journal.
    pub cluster: Cluster,
    /// How events leave and enter the process.
    pub bus: Bus,
    /// The listeners and what they put up with.
    pub http: Http,
    /// Who looks for viruses in files.
    pub scan: Scan,
    /// Who may come in.
    pub auth: Auth,
    /// How patient the daemon is with CRMs.
    pub dispatch: Dispatch,
    /// Traces.
    pub telemetry: Telemetry,
    /// Contact centres, by id.
    pub tenants: BTreeMap<TenantId, Tenant>,
}

impl Settings {
    /// What this process does.
    #[must_use]
    pub fn roles(&self) -> Roles {
        Roles::of(&self.daemon.roles)
    }

    /// Checks all sections, without network.
    ///
    /// # Errors
    /// Every problem found, each naming its key, what it holds, the limit, and the way out.
    pub fn validate(&self) -> Result<(), Problems> {
        let mut problems = Problems::default();
        self.daemon.validate(&mut problems);
        self.journal.validate(&mut problems);
        let public_url = self.http.public_url.as_ref();
        self.cluster.validate(self.journal.kind, self.roles(), public_url, &mut problems);
        self.bus.validate(&mut problems);
        self.http.validate(&mut problems);
        self.scan.validate(&mut problems);
        self.auth.validate(&self.tenants, &mut problems);
        self.dispatch.validate(&mut problems);
        self.telemetry.validate(&mut problems);
        for (id, tenant) in &self.tenants {
            tenant.validate(id, &mut problems);
            // Those without a budget of their own have the common one, which was looked at above.
            for (connection, own) in tenant.connections.iter().filter(|(_, own)| own.has_budget()) {
                let at = format!("tenants.{id}.connections.{connection}");
                self.dispatch.with(own).validate_budget(&at, &mut problems);
            }
        }
        problems.into_result()
    }
}

#[cfg(test)]
mod tests;
