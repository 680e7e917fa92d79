//! Brings the tables up to date, one numbered file after the other, each in its own transaction, so that two processes
//! may start at once. Files only grow in number; one that was released is never edited, and each does nothing where it
//! was done before.

use super::fault::{Access, meaning};
use super::sessions::within;
use crate::journal::Error;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};
use std::time::Duration;

const MIGRATIONS: &[&str] =
    &[include_str!("migrations/0001_journal.sql"), include_str!("migrations/0002_leases.sql")];

/// Longest time for one step, waiting for another process included.
const STEP: Duration = Duration::from_secs(600);

/// Advisory lock of whoever changes the tables ("TiLn"), in every schema the same.
const LOCK: i64 = 0x5469_4c6e;

/// Facts about the schema, in the table `meta` that marks it as ours.
const VERSION: &str = "version";

fn on_change(e: sqlx::Error) -> Error {
    meaning(e, Access::Again)
}

/// Makes the schema and brings it up to date.
pub(super) async fn run(conn: &mut PgConnection, schema: &str) -> Result<(), Error> {
    // Making an index on a long journal takes longer than any statement of every day.
    sqlx::raw_sql(
        "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0",
    )
    .execute(&mut *conn)
    .await
    .map_err(on_change)?;
    make_schema(conn, schema).await?;
    while step(conn).await? {}
    Ok(())
}

/// The version of the tables; `None` where there are none.
pub(super) async fn version(conn: &mut PgConnection, schema: &str) -> Result<Option<usize>, Error> {
    let tables: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1",
    )
    .bind(schema)
    .fetch_one(&mut *conn)
    .await
    .map_err(on_change)?;
    if tables == 0 {
        return Ok(None);
    }
    let marked: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = $1 AND c.relname = 'meta' AND obj_description(c.oid, 'pg_class') LIKE 'Tieline%')",
    )
    .bind(schema)
    .fetch_one(&mut *conn)
    .await
    .map_err(on_change)?;
    if !marked {
        return Err(Error::Refused(format!(
            "the schema `{schema}` holds tables that are not Tieline's; name another in `journal.schema`"
        )));
    }
    current(conn).await.map(Some)
}

/// What the migrations bring the tables to.
pub(super) fn newest() -> usize {
    MIGRATIONS.len()
}

async fn current(conn: &mut PgConnection) -> Result<usize, Error> {
    let found: Option<Vec<u8>> = sqlx::query_scalar("SELECT value FROM meta WHERE name = $1")
        .bind(VERSION)
        .fetch_optional(conn)
        .await
        .map_err(on_change)?;
    let text = found.and_then(|value| String::from_utf8(value).ok()).unwrap_or_else(|| "0".into());
    let at = text.parse().unwrap_or(usize::MAX);
    if at > MIGRATIONS.len() {
        return Err(Error::Refused(format!(
            "a newer version wrote this journal (tables {text}, this version knows {}); start that version or newer",
            MIGRATIONS.len()
        )));
    }
    Ok(at)
}

/// Whether the user may make what is missing.
pub(super) async fn check_rights(conn: &mut PgConnection, schema: &str) -> Result<(), Error> {
    let may: bool = sqlx::query_scalar(
        "SELECT coalesce(
             (SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = $1),
             has_database_privilege(current_database(), 'CREATE'))",
    )
    .bind(schema)
    .fetch_one(conn)
    .await
    .map_err(on_change)?;
    if may {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "its user may not make tables in the schema `{schema}`; `GRANT CREATE ON DATABASE` to it, or make the schema \
         with `CREATE SCHEMA {schema} AUTHORIZATION` it"
    )))
}

async fn make_schema(conn: &mut PgConnection, schema: &str) -> Result<(), Error> {
    let mut tx = conn.begin().await.map_err(on_change)?;
    lock(&mut tx).await?;
    if version(&mut tx, schema).await?.is_none() {
        let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)")
            .bind(schema)
            .fetch_one(&mut *tx)
            .await
            .map_err(on_change)?;
        // Whoever may not make schemas may have been given one.
        let schema = if there { String::new() } else { format!("CREATE SCHEMA \"{schema}\";") };
        let script = format!(
            "{schema}
             CREATE TABLE meta (name text PRIMARY KEY, value bytea NOT NULL);
             COMMENT ON TABLE meta IS 'Tieline: facts about this journal';"
        );
        // Made of literals and a name that the settings hold to small letters, digits and underscores.
        sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut *tx).await.map_err(on_change)?;
    }
    tx.commit().await.map_err(on_change)
}

/// Takes the next step; false when there is none.
async fn step(conn: &mut PgConnection) -> Result<bool, Error> {
    let mut tx = conn.begin().await.map_err(on_change)?;
    lock(&mut tx).await?;
    let at = current(&mut tx).await?;
    let Some(sql) = MIGRATIONS.get(at) else { return Ok(false) };
    // One of the files above.
    within(STEP, sqlx::raw_sql(*sql).execute(&mut *tx)).await.map_err(on_change)?;
    sqlx::query(
        "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(VERSION)
    .bind((at + 1).to_string().into_bytes())
    .execute(&mut *tx)
    .await
    .map_err(on_change)?;
    tx.commit().await.map_err(on_change)?;
    tracing::info!(tables = at + 1, "the journal's tables are up to date");
    Ok(true)
}

async fn lock(conn: &mut PgConnection) -> Result<(), Error> {
    let locked = within(STEP, sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(conn)).await;
    locked.map(drop).map_err(on_change)
}

#[cfg(test)]
pub(super) fn steps() -> &'static [&'static str] {
    MIGRATIONS
}
