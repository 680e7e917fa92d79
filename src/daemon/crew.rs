//! The lanes of this process: which connections it runs now, tenant by tenant, as shards come and go.

use super::afar::Afar;
use super::{Core, connectors, exit, measured};
use crate::bus::Feeds;
use crate::dispatch::{self, Lane};
use crate::drive;
use crate::journal::{Lease, Shard, Store};
use crate::settings::Settings;
use anyhow::Context;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tieline_model::{Clock, TenantId};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long logs that are under way may take when their shard goes to another process.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// Lanes of one shard at work.
struct Work {
    lanes: Vec<Arc<Lane>>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

/// Runs lanes. Cheap to clone.
#[derive(Clone)]
pub(super) struct Crew(Arc<Inner>);

struct Inner {
    settings: Arc<Settings>,
    store: Arc<dyn Store>,
    engines: drive::Handle,
    /// What lanes talk to.
    afar: Arc<Afar>,
    clock: Arc<dyn Clock>,
    operations: measured::Operations,
    feeds: Feeds,
    at_work: Mutex<BTreeMap<Shard, Work>>,
}

impl Crew {
    pub(super) fn new(core: &Core, afar: Afar, feeds: Feeds) -> Self {
        Self(Arc::new(Inner {
            settings: core.settings.clone(),
            store: core.store.clone(),
            engines: core.handle.clone(),
            clock: core.clock.clone(),
            afar: Arc::new(afar),
            operations: measured::Operations::default(),
            feeds,
            at_work: Mutex::default(),
        }))
    }

    /// All lanes that are at work now.
    pub(super) fn lanes(&self) -> Vec<Arc<Lane>> {
        self.at_work().values().flat_map(|work| work.lanes.iter().cloned()).collect()
    }

    /// What is counted of every connector, whichever lanes are at work.
    pub(super) fn operations(&self) -> measured::Operations {
        self.0.operations.clone()
    }

    /// Starts the lanes of all tenants that this process serves; it has the journal to itself.
    pub(super) fn start_all(&self) -> anyhow::Result<()> {
        for tenant in self.0.engines.tenants() {
            self.start_tenant(&tenant, self.0.store.clone())?;
        }
        Ok(())
    }

    fn start_tenant(&self, tenant: &TenantId, store: Arc<dyn Store>) -> anyhow::Result<()> {
        let lanes = self.build(tenant, &store)?;
        let mut at_work = self.at_work();
        let work = at_work.entry(Shard::of(tenant)).or_insert_with(|| Work {
            lanes: Vec::new(),
            stop: CancellationToken::new(),
            tasks: JoinSet::new(),
        });
        for lane in lanes {
            let feed = self.0.feeds.log_wanted(tenant, &lane.info().id);
            let feed = feed.context("a tenant without an engine")?;
            work.lanes.push(lane.clone());
            work.tasks.spawn(lane.run(feed, work.stop.clone()));
        }
        Ok(())
    }

    fn build(&self, id: &TenantId, store: &Arc<dyn Store>) -> anyhow::Result<Vec<Arc<Lane>>> {
        let Inner { settings, afar, clock, operations, .. } = &*self.0;
        let Some(tenant) = settings.tenants.get(id) else { return Ok(Vec::new()) };
        let mut lanes = Vec::new();
        for info in tenant.policy().connections {
            let Some(connection) = tenant.connections.get(&info.id) else { continue };
            let connector =
                connectors::build(&info.id, connection, tenant, clock).context(exit::WrongSettings)?;
            lanes.push(Lane::new(dispatch::Parts {
                tenant: id.clone(),
                connector: operations.watch(id, &info.id, connector),
                info,
                own_numbers: tenant.own_numbers.clone(),
                store: store.clone(),
                engines: afar.clone(),
                pops: afar.clone(),
                clock: clock.clone(),
                settings: settings.dispatch.with(connection),
                chance: Arc::new(rand::random::<f64>),
            }));
        }
        Ok(lanes)
    }

    /// Takes up nothing new anywhere.
    pub(super) fn wind_down(&self) {
        self.at_work().values().for_each(|work| work.stop.cancel());
    }

    /// Waits until everything that is under way is finished.
    pub(super) async fn finished(&self) {
        let all = std::mem::take(&mut *self.at_work());
        for (_, mut work) in all {
            work.stop.cancel();
            while work.tasks.join_next().await.is_some() {}
        }
    }

    fn at_work(&self) -> MutexGuard<'_, BTreeMap<Shard, Work>> {
        self.0.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl drive::Crew for Crew {
    async fn start(&self, lease: Lease) {
        let store = self.0.store.under(lease).unwrap_or_else(|| self.0.store.clone());
        for tenant in self.0.settings.tenants.keys().filter(|t| Shard::of(t) == lease.shard) {
            if let Err(error) = self.start_tenant(tenant, store.clone()) {
                tracing::error!(%tenant, "its connections do not run: {error:#}");
            }
        }
    }

    async fn stop(&self, shard: Shard) {
        let Some(mut work) = self.at_work().remove(&shard) else { return };
        work.stop.cancel();
        let finished = async { while work.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(FINISH_WITHIN, finished).await.is_err() {
            tracing::warn!(%shard, "logs under way were cut off; they are sent again under the same keys");
        }
    }
}
