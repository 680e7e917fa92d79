//! The delivery row as a connector sees it.

use crate::journal::{Delivery, Store};
use async_trait::async_trait;
use std::sync::Arc;
use tieline_connector_api::{Ledger, LedgerError, Progress};
use tieline_model::TenantId;

/// A row of the delivery table under work.
pub(super) struct Row {
    store: Arc<dyn Store>,
    tenant: TenantId,
    pub(super) delivery: Delivery,
    progress: Progress,
}

impl Row {
    pub(super) fn new(
        store: Arc<dyn Store>,
        tenant: TenantId,
        delivery: Delivery,
    ) -> Result<Self, serde_json::Error> {
        let progress = match delivery.progress.as_str() {
            "" => Progress::default(),
            text => serde_json::from_str(text)?,
        };
        Ok(Self { store, tenant, delivery, progress })
    }
}

#[async_trait]
impl Ledger for Row {
    fn progress(&self) -> &Progress {
        &self.progress
    }

    async fn save(&mut self, progress: Progress) -> Result<(), LedgerError> {
        let text = serde_json::to_string(&progress).map_err(|e| LedgerError(e.to_string()))?;
        let mut delivery = self.delivery.clone();
        delivery.progress = text;
        self.store.settle(&self.tenant, &delivery).await.map_err(|e| LedgerError(e.to_string()))?;
        self.delivery = delivery;
        self.progress = progress;
        Ok(())
    }
}
