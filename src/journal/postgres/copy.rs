//! What a backup needs of the database: one moment that `pg_dump` can be given, where each tenant stands at it, and
//! epochs that rise after a restore.

use super::fault::{Access, meaning};
use super::sessions::get;
use super::{Postgres, PostgresOptions, setup};
use crate::journal::{Error, Seq};
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnection, PgRow};
use std::collections::BTreeMap;
use tieline_model::TenantId;

const HEADS: &str =
    "SELECT tenant, (SELECT coalesce(max(seq), 0) FROM journal j WHERE j.tenant = t.tenant) FROM tenants t";

/// One moment of a database, which stands still for whoever names it as long as this lives.
pub struct Moment {
    /// What `pg_dump --snapshot` wants.
    pub name: String,
    /// Where each tenant's journal ends at it.
    pub heads: BTreeMap<TenantId, Seq>,
    _conn: PgConnection,
}

impl Postgres {
    /// Takes hold of this moment.
    ///
    /// # Errors
    /// As [`Postgres::look`]; [`Error::Refused`] where there is no journal of this version.
    pub async fn moment(options: &PostgresOptions) -> Result<Moment, Error> {
        if Self::look(options).await?.tables_due {
            let text = format!("there is no journal of this version in schema `{}`", options.schema);
            return Err(Error::Refused(text));
        }
        let (mut conn, _) = setup(options)?.connect().await?;
        // The session rests in its transaction while `pg_dump` works.
        let begin =
            "SET idle_in_transaction_session_timeout = 0; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        sqlx::raw_sql(begin).execute(&mut conn).await.map_err(on_read)?;
        let name = sqlx::query_scalar("SELECT pg_export_snapshot()").fetch_one(&mut conn).await;
        let name = name.map_err(on_read)?;
        let heads = named(&sqlx::query(HEADS).fetch_all(&mut conn).await.map_err(on_read)?)?;
        Ok(Moment { name, heads, _conn: conn })
    }

    /// Whether nothing is in the schema yet, nor the schema.
    ///
    /// # Errors
    /// [`Error::Unreachable`] and the like.
    pub async fn is_vacant(options: &PostgresOptions) -> Result<bool, Error> {
        let (mut conn, _) = setup(options)?.connect().await?;
        let found = sqlx::query_scalar("SELECT NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)");
        found.bind(&options.schema).fetch_one(&mut conn).await.map_err(on_read)
    }

    /// Where each tenant's journal ends, also of tenants that no settings name any more.
    ///
    /// # Errors
    /// As for any read.
    pub async fn heads(&self) -> Result<BTreeMap<TenantId, Seq>, Error> {
        named(&self.shared.readers.all(sqlx::query(HEADS), Access::Again).await?)
    }

    /// Raises every epoch, of tenants and of leases, by `by` and at least to `floor`: after a restore nobody who wrote
    /// before it may seem to be newer.
    ///
    /// # Errors
    /// As for any write; it may be repeated.
    pub async fn raise_epochs(&self, by: i64, floor: i64) -> Result<(), Error> {
        for table in ["tenants", "leases", "seals"] {
            // A table's name and nothing else.
            let sql = AssertSqlSafe(format!("UPDATE {table} SET epoch = greatest(epoch + $1, $2)"));
            let query = sqlx::query(sql).bind(by).bind(floor);
            self.shared.writers.all(query, Access::Again).await?;
        }
        Ok(())
    }
}

fn on_read(e: sqlx::Error) -> Error {
    meaning(e, Access::Again)
}

fn named(rows: &[PgRow]) -> Result<BTreeMap<TenantId, Seq>, Error> {
    let one = |row: &PgRow| {
        let tenant: String = get(row, 0)?;
        let seq: i64 = get(row, 1)?;
        let tenant = TenantId::new(&tenant).map_err(|e| Error::Unreadable(e.to_string()))?;
        Ok((tenant, Seq(u64::try_from(seq).unwrap_or_default())))
    };
    rows.iter().map(one).collect()
}
