//! What only a file can show.

use super::*;
use crate::journal::suite::{Fixture, suite};
use std::sync::Arc;
use tempfile::TempDir;

fn key() -> MasterKey {
    MasterKey::new([42; 32])
}

async fn fresh() -> (TempDir, Sqlite) {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::open(dir.path().join("journal.db"), key()).await.unwrap();
    (dir, store)
}

async fn fixture() -> Fixture {
    let (dir, store) = fresh().await;
    Fixture { store: Arc::new(store), _keep: Box::new(dir) }
}

suite!(fixture);
