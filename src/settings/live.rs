//! The settings of a running daemon: sections that stand until it ends, and contact centres that a reload exchanges.

use super::{Auth, Cluster, Http, Roles, Scan, Settings, Tenant};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use tieline_model::TenantId;

/// Contact centres by id.
pub type Tenants = BTreeMap<TenantId, Arc<Tenant>>;

/// What rooms read while the daemon runs. Whoever keeps a [`Tenant`] keeps it as it was.
#[derive(Debug)]
pub struct Live {
    /// The listeners; stands until the daemon ends.
    pub http: Http,
    /// What replicas need of each other; stands until the daemon ends.
    pub cluster: Cluster,
    /// What this process does; stands until the daemon ends.
    pub roles: Roles,
    /// Who may come in; stands until the daemon ends.
    pub auth: Auth,
    /// Who looks for viruses in files; stands until the daemon ends.
    pub scan: Scan,
    tenants: RwLock<Arc<Tenants>>,
}

impl Live {
    /// As a daemon starts with them.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let tenants =
            settings.tenants.iter().map(|(id, tenant)| (id.clone(), Arc::new(tenant.clone()))).collect();
        let roles = settings.roles();
        let Settings { http, cluster, auth, scan, .. } = settings;
        Self { http, cluster, roles, auth, scan, tenants: RwLock::new(Arc::new(tenants)) }
    }

    /// A contact centre as it is set now.
    #[must_use]
    pub fn tenant(&self, id: &TenantId) -> Option<Arc<Tenant>> {
        self.tenants().get(id).cloned()
    }

    /// All contact centres as they are set now.
    #[must_use]
    pub fn tenants(&self) -> Arc<Tenants> {
        self.tenants.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on these are in force.
    pub fn exchange(&self, tenants: Tenants) {
        *self.tenants.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tenants);
    }
}
