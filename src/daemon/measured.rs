//! A connector that is watched: how long each operation took and how it ended, as metrics and as spans of a trace.

use crate::drive::trace::{self, TARGET};
use async_trait::async_trait;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;
use std::time::Instant;
use tieline_connector_api::connector::{HistoryEntry, NewContact, Saved};
use tieline_connector_api::{Connector, Description, Failure, Finding, Ledger, Outcome};
use tieline_model::content::Person;
use tieline_model::crm::{Log, Match, Matches, PopTarget, Query, Record};
use tieline_model::{ConnectionId, TenantId};
use tracing::{Instrument as _, Span};

/// One operation of one connection, by how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    tenant: String,
    connection: String,
    operation: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, Copy)]
struct Buckets;

impl MetricConstructor<Histogram> for Buckets {
    /// 1 ms to 66 s: from an answer on the same machine to a CRM's own limit.
    fn new_metric(&self) -> Histogram {
        Histogram::new(exponential_buckets(0.001, 2.0, 17))
    }
}

/// Operations of all connections. Cheap to clone; all clones count together.
#[derive(Debug, Clone)]
pub(super) struct Operations(Family<Labels, Histogram, Buckets>);

impl Default for Operations {
    fn default() -> Self {
        Self(Family::new_with_constructor(Buckets))
    }
}

impl Operations {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "connector_operation_duration",
            "One operation of a connector, by how it ended: done, retry, throttled, reject, reauthorise",
            Unit::Seconds,
            self.0.clone(),
        );
    }

    /// Watches a connector.
    pub(super) fn watch(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        inner: Arc<dyn Connector>,
    ) -> Arc<dyn Connector> {
        Arc::new(Measured {
            inner,
            operations: self.clone(),
            tenant: tenant.to_string(),
            connection: connection.to_string(),
        })
    }
}

struct Measured {
    inner: Arc<dyn Connector>,
    operations: Operations,
    tenant: String,
    connection: String,
}

impl Measured {
    fn span(&self, operation: &'static str) -> Span {
        tracing::info_span!(
            target: TARGET,
            "crm operation",
            operation,
            connection = self.connection,
            outcome = tracing::field::Empty
        )
    }

    async fn timed<T>(
        &self,
        operation: &'static str,
        span: Span,
        work: impl Future<Output = Outcome<T>>,
    ) -> Outcome<T> {
        let began = Instant::now();
        let result = work.instrument(span.clone()).await;
        let outcome = match &result {
            Ok(_) => "done",
            Err(Failure::Retry { .. }) => "retry",
            Err(Failure::Throttled { .. }) => "throttled",
            Err(Failure::Reject { .. }) => "reject",
            Err(Failure::Reauthorise { .. }) => "reauthorise",
        };
        span.record("outcome", outcome);
        let (tenant, connection) = (self.tenant.clone(), self.connection.clone());
        let labels = Labels { tenant, connection, operation, outcome };
        self.operations.0.get_or_create(&labels).observe(began.elapsed().as_secs_f64());
        result
    }
}

#[async_trait]
impl Connector for Measured {
    fn describe(&self) -> Description {
        self.inner.describe()
    }
    async fn check(&self) -> Outcome<Vec<Finding>> {
        self.timed("check", self.span("check"), self.inner.check()).await
    }
    async fn find(&self, query: &Query) -> Outcome<Matches> {
        self.timed("find", self.span("find"), self.inner.find(query)).await
    }
    async fn create_contact(&self, contact: &NewContact) -> Outcome<Match> {
        self.timed("create_contact", self.span("create_contact"), self.inner.create_contact(contact)).await
    }
    async fn upsert_log(&self, log: &Log, ledger: &mut dyn Ledger) -> Outcome<Saved> {
        let span = trace::belongs_to(log.interaction, self.span("upsert_log"));
        self.timed("upsert_log", span, self.inner.upsert_log(log, ledger)).await
    }
    async fn history(&self, contact: &Record, limit: u32) -> Outcome<Vec<HistoryEntry>> {
        self.timed("history", self.span("history"), self.inner.history(contact, limit)).await
    }
    fn pop(&self, record: &Record) -> PopTarget {
        self.inner.pop(record)
    }
    fn pop_new(&self, person: &Person) -> PopTarget {
        self.inner.pop_new(person)
    }
    async fn push_pop(&self, crm_user: &str, target: &PopTarget) -> Outcome<()> {
        self.timed("push_pop", self.span("push_pop"), self.inner.push_pop(crm_user, target)).await
    }
    async fn erase(&self, key: &str) -> Outcome<()> {
        self.timed("erase", self.span("erase"), self.inner.erase(key)).await
    }
}
