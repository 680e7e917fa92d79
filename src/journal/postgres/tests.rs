//! What only a server can show. Each test has a server of its own; within one, each store a schema of its own.

mod faults;
mod leases;
#[path = "../../../tests/support/postgres.rs"]
mod server;

use super::*;
use crate::journal::suite::{Fixture, suite};
use crate::journal::twins::answers_as_memory_does;
use server::Server;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::time::Instant;

fn key() -> MasterKey {
    MasterKey::new([42; 32])
}

fn options(server: &Server, schema: &str) -> PostgresOptions {
    PostgresOptions {
        url: server.url(),
        schema: schema.to_owned(),
        writers: 4,
        readers: 4,
        connect_within: Duration::from_secs(5),
        statement_within: Duration::from_secs(10),
        lease: Duration::from_secs(10),
    }
}

/// A store in a schema that nobody had before.
async fn fresh(server: &Server) -> Arc<Postgres> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let schema = format!("tieline_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    Postgres::open(&options(server, &schema), key()).await.unwrap()
}

async fn fixture(server: &Server) -> Fixture {
    Fixture { store: fresh(server).await, _keep: Box::new(()) }
}

/// A second process at the same tables.
async fn another(server: &Server, store: &Postgres) -> Arc<Postgres> {
    let lease = store.shared.desk.lasts();
    let same = PostgresOptions { lease, ..options(server, &store.shared.schema) };
    Postgres::open(&same, key()).await.unwrap()
}

/// A condition that must come true soon; nothing is measured by it.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(60);
    while !holds().await {
        assert!(Instant::now() < limit, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn every_promise_of_a_store_is_kept() {
    let server = Server::start().unwrap();
    suite!(together, fixture(&server));
}

#[tokio::test]
async fn the_database_answers_as_memory_does() {
    let server = Server::start().unwrap();
    // What takes time is waiting for the disk, and they can wait together.
    let server = &server;
    futures::future::join_all((1..=12).map(|seed| async move {
        answers_as_memory_does(&*fresh(server).await, seed).await;
    }))
    .await;
}

async fn shape_of(server: &Server, schema: &str) -> String {
    // The name of the schema is all that may differ.
    let shape = server.shape("postgres", schema).unwrap().replace(schema, "SCHEMA");
    // Newer servers guard a dump with words of chance.
    shape
        .lines()
        .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"))
        .collect()
}

#[tokio::test]
async fn all_steps_give_the_tables_as_they_are_written_down_and_twice_is_once() {
    let server = Server::start().unwrap();
    let tables = include_str!("tables.sql");
    server.sql("postgres", &format!("CREATE SCHEMA written; SET search_path = written;\n{tables}")).unwrap();
    let written = shape_of(&server, "written").await;
    assert!(written.contains("deliveries_due") && written.contains("fillfactor"), "{written}");

    // Several machines may start at once.
    let at_once = (0..4).map(|_| async {
        Postgres::open(&options(&server, "stepped"), key()).await.unwrap();
    });
    futures::future::join_all(at_once).await;
    assert_eq!(shape_of(&server, "stepped").await, written);

    for sql in migrate::steps() {
        server.sql("postgres", &format!("SET search_path = stepped;\n{sql}")).unwrap();
    }
    Postgres::open(&options(&server, "stepped"), key()).await.unwrap();
    assert_eq!(shape_of(&server, "stepped").await, written);
}

async fn refusal(server: &Server, schema: &str, key: MasterKey) -> String {
    match Postgres::open(&options(server, schema), key).await {
        Err(Error::Refused(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn databases_of_others_of_newer_versions_and_of_other_keys_are_left_alone() {
    let server = Server::start().unwrap();
    server.sql("postgres", "CREATE SCHEMA theirs; CREATE TABLE theirs.meta (name text)").unwrap();
    let said = refusal(&server, "theirs", key()).await;
    assert!(said.contains("`theirs` holds tables that are not Tieline's"), "{said}");

    Postgres::open(&options(&server, "ours"), key()).await.unwrap();
    let said = refusal(&server, "ours", MasterKey::new([1; 32])).await;
    assert!(said.contains("another master key"), "{said}");
    server.sql("postgres", "UPDATE ours.meta SET value = '99' WHERE name = 'version'").unwrap();
    let said = refusal(&server, "ours", key()).await;
    assert!(said.contains("a newer version wrote this journal (tables 99"), "{said}");

    server.sql("postgres", "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0").unwrap();
    let latin = PostgresOptions { url: server.url_of("latin"), ..options(&server, "tieline") };
    let said = Postgres::open(&latin, key()).await.unwrap_err().to_string();
    assert!(said.contains("the encoding LATIN1"), "{said}");

    // A look says what a start would do, and does nothing.
    let health = Postgres::look(&options(&server, "none_yet")).await.unwrap();
    assert!(health.tables_due && health.doubts.is_empty(), "{health:?}");
    server
        .sql("postgres", "CREATE ROLE guest LOGIN; REVOKE CREATE ON DATABASE postgres FROM PUBLIC")
        .unwrap();
    let guest = server.url().replace("tieline@", "guest@");
    let guest = PostgresOptions { url: guest, ..options(&server, "none_yet") };
    let said = Postgres::look(&guest).await.unwrap_err().to_string();
    assert!(said.contains("may not make tables in the schema `none_yet`"), "{said}");
}

#[tokio::test]
async fn a_server_that_may_lose_commits_is_made_to_keep_ours_or_named() {
    let mut server = Server::start().unwrap();
    server.stop();
    server
        .start_with(&["synchronous_commit=off", "fsync=off", "default_transaction_isolation=serializable"])
        .unwrap();
    let store = fresh(&server).await;
    let mut session = store.shared.writers.session().await.unwrap();
    for (setting, value) in [("synchronous_commit", "on"), ("transaction_isolation", "read committed")] {
        let query = sqlx::query_scalar("SELECT current_setting($1)").bind(setting);
        let found: String = query.fetch_one(&mut session.conn).await.unwrap();
        assert_eq!(found, value, "{setting}");
    }
    let health = Postgres::look(&options(&server, "tieline_0")).await.unwrap();
    assert!(health.doubts.len() == 1 && health.doubts[0].contains("fsync = off"), "{health:?}");
    drop(session);

    server.sql("postgres", "ALTER DATABASE postgres SET default_transaction_read_only = on").unwrap();
    let refused = Postgres::open(&options(&server, "tieline_0"), key()).await.unwrap_err();
    assert!(matches!(&refused, Error::Unreachable(text) if text.contains("takes no writes")), "{refused}");
}
