//! Sessions with the server: bounded in number, each checked and set up before its first use, and none used on after
//! its future was dropped or its connection broke.

use super::fault::{Access, meaning, session_survives, silence};
use crate::journal::Error;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{ConnectOptions, Connection, Decode, Row, Type};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// `idle_session_timeout` came with it.
const VERSION_MIN: u32 = 14;
/// Longest wait for a session while all are at work.
const FREE_WITHIN: Duration = Duration::from_secs(5);
/// A session that rested longer is asked whether it lives before it is trusted with anything.
const FRESH_FOR: Duration = Duration::from_secs(1);
/// What the server is given on top of the time a statement may take before its silence counts as its end.
const SILENCE: Duration = Duration::from_secs(3);
/// A client that stands still in mid-transaction holds locks no longer than this.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(5);

/// How sessions are set up.
#[derive(Clone)]
pub(super) struct Setup {
    pub(super) options: PgConnectOptions,
    pub(super) schema: String,
    pub(super) connect_within: Duration,
    pub(super) statement_within: Duration,
    /// The server ends it after so much silence of ours; zero is never.
    pub(super) silent_for: Duration,
    pub(super) read_only: bool,
}

/// What of a server is not ours to choose.
pub(super) struct Facts {
    pub(super) version: String,
    pub(super) fsync: String,
    pub(super) full_page_writes: String,
    pub(super) encoding: String,
    pub(super) synchronous_commit: String,
}

impl Setup {
    /// A connection to the primary, ready for use.
    pub(super) async fn connect(&self) -> Result<(PgConnection, Facts), Error> {
        let connecting = async {
            let mut conn = self.options.connect().await?;
            let row = match self.refuses(&conn) {
                Some(_) => None,
                None => Some(self.set_up(&mut conn).await?),
            };
            Ok((conn, row))
        };
        let connected = within(self.connect_within, connecting).await;
        // Even a wrong password may be right in a moment; whether to go on trying is not decided here.
        let (conn, row) = connected.map_err(|e: sqlx::Error| Error::Unreachable(self.at(&e)))?;
        let Some(row) = row else {
            let why = self.refuses(&conn).unwrap_or_default();
            return Err(Error::Refused(self.at(&why)));
        };
        if get(&row, 0)? {
            return Err(Error::Unreachable(self.at(&"it takes no writes: a standby, or read-only")));
        }
        let facts = Facts {
            version: get(&row, 1)?,
            fsync: get(&row, 2)?,
            full_page_writes: get(&row, 3)?,
            encoding: get(&row, 4)?,
            synchronous_commit: get(&row, 5)?,
        };
        self.check(&facts)?;
        Ok((conn, facts))
    }

    fn at(&self, why: &dyn std::fmt::Display) -> String {
        format!("{}:{}: {why}", self.options.get_host(), self.options.get_port())
    }

    fn refuses(&self, conn: &PgConnection) -> Option<String> {
        let version = conn.server_version_num()? / 10_000;
        (version < VERSION_MIN)
            .then(|| format!("it is PostgreSQL {version}; {VERSION_MIN} or newer is needed"))
    }

    async fn set_up(&self, conn: &mut PgConnection) -> Result<PgRow, sqlx::Error> {
        // What the role or the server has set otherwise must not change what a commit means; and a later change of the
        // server's configuration does not reach what a session has set for itself. Reading committed rows is what the
        // fences are made for: each statement sees all that was committed before it began. A primary that takes no
        // writes for the moment can still be read; a standby may lag.
        sqlx::query(
            "SELECT pg_is_in_recovery() OR NOT $5::bool AND current_setting('transaction_read_only') = 'on',
                 current_setting('server_version'), current_setting('fsync'),
                 current_setting('full_page_writes'), current_setting('server_encoding'),
                 set_config('synchronous_commit',
                     CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END,
                     false),
                 set_config('default_transaction_isolation', 'read committed', false),
                 set_config('search_path', $1, false),
                 set_config('statement_timeout', $2, false),
                 set_config('lock_timeout', $2, false),
                 set_config('idle_in_transaction_session_timeout', $3, false),
                 set_config('idle_session_timeout', $4, false),
                 CASE WHEN $5 THEN set_config('default_transaction_read_only', 'on', false) END,
                 set_config('tcp_keepalives_idle', '5', false),
                 set_config('tcp_keepalives_interval', '2', false),
                 set_config('tcp_keepalives_count', '3', false),
                 set_config('tcp_user_timeout', '11000', false)",
        )
        .bind(format!("\"{}\", pg_temp", self.schema))
        .bind(ms(self.statement_within))
        .bind(ms(IDLE_IN_TRANSACTION))
        .bind(ms(self.silent_for))
        .bind(self.read_only)
        .fetch_one(conn)
        .await
    }

    fn check(&self, facts: &Facts) -> Result<(), Error> {
        if facts.encoding != "UTF8" {
            return Err(Error::Refused(self.at(&format!(
                "its database has the encoding {}; make one with `CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`",
                facts.encoding
            ))));
        }
        // Something between us and the server swallowed what was set.
        if !matches!(facts.synchronous_commit.as_str(), "on" | "remote_apply") {
            return Err(Error::Refused(self.at(&format!(
                "`synchronous_commit` is `{}`, so commits could be lost; connect without what keeps it from being `on`",
                facts.synchronous_commit
            ))));
        }
        Ok(())
    }
}

fn ms(span: Duration) -> String {
    span.as_millis().to_string()
}

/// A value of a row.
pub(super) fn get<'r, T>(row: &'r PgRow, column: usize) -> Result<T, Error>
where
    T: Decode<'r, sqlx::Postgres> + Type<sqlx::Postgres>,
{
    row.try_get(column).map_err(|e| meaning(e, Access::Again))
}

/// Gives up what takes longer.
pub(super) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(silence()))
}

/// A bounded number of sessions of one kind.
pub(super) struct Sessions {
    setup: Setup,
    permits: Semaphore,
    resting: Mutex<Vec<Resting>>,
    /// How many sessions broke so far: those that rested since before the last one are suspect.
    broken: AtomicU64,
}

struct Resting {
    conn: PgConnection,
    since: Instant,
    broken: u64,
}

impl Sessions {
    pub(super) fn new(setup: Setup, max: u32) -> Self {
        let permits = Semaphore::new(usize::try_from(max).unwrap_or(1));
        Self { setup, permits, resting: Mutex::default(), broken: AtomicU64::new(0) }
    }

    /// A session, in the order of asking.
    pub(super) async fn session(&self) -> Result<Session<'_>, Error> {
        let permit = tokio::time::timeout(FREE_WITHIN, self.permits.acquire()).await;
        let Ok(Ok(permit)) = permit else {
            return Err(Error::Unreachable(
                "no session came free in time; the database is overloaded".into(),
            ));
        };
        while let Some(mut resting) = self.wake() {
            let suspect = resting.broken != self.broken.load(Ordering::Relaxed);
            if !suspect && resting.since.elapsed() < FRESH_FOR
                || within(self.setup.connect_within, resting.conn.ping()).await.is_ok()
            {
                return Ok(Session { conn: resting.conn, home: self, _permit: permit });
            }
            self.broken.fetch_add(1, Ordering::Relaxed);
        }
        let (conn, _) = self.setup.connect().await?;
        Ok(Session { conn, home: self, _permit: permit })
    }

    /// The rows one statement gives, which is a transaction of its own.
    pub(super) async fn all(
        &self,
        query: Query<'_, sqlx::Postgres, PgArguments>,
        access: Access,
    ) -> Result<Vec<PgRow>, Error> {
        let mut session = self.session().await?;
        let limit = session.limit();
        // To the end: the answer of COMMIT comes after the last row.
        let done = within(limit, query.fetch_all(&mut session.conn)).await;
        session.end(done, access)
    }

    /// The only row one statement gives.
    pub(super) async fn one(
        &self,
        query: Query<'_, sqlx::Postgres, PgArguments>,
        access: Access,
    ) -> Result<PgRow, Error> {
        let mut rows = self.all(query, access).await?;
        rows.pop().ok_or_else(|| meaning(sqlx::Error::RowNotFound, Access::Again))
    }

    fn wake(&self) -> Option<Resting> {
        // The one that rested least: the others may be closed by the server while nobody needs them.
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

/// A session that is ours alone. Dropped without [`Session::end`], its connection is closed: nobody knows what lies in it.
pub(super) struct Session<'a> {
    pub(super) conn: PgConnection,
    home: &'a Sessions,
    _permit: SemaphorePermit<'a>,
}

impl Session<'_> {
    /// What a statement may take, seen from here.
    pub(super) fn limit(&self) -> Duration {
        self.home.setup.statement_within + SILENCE
    }

    /// Gives the session back, unless it broke. Not for sessions with an open transaction.
    pub(super) fn end<T>(self, done: Result<T, sqlx::Error>, access: Access) -> Result<T, Error> {
        if done.as_ref().err().is_none_or(session_survives) {
            let broken = self.home.broken.load(Ordering::Relaxed);
            let resting = Resting { conn: self.conn, since: Instant::now(), broken };
            self.home.resting.lock().unwrap_or_else(PoisonError::into_inner).push(resting);
        } else {
            self.home.broken.fetch_add(1, Ordering::Relaxed);
        }
        done.map_err(|e| meaning(e, access))
    }
}
