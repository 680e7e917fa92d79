//! The one writing connection: transactions that survive a dropped future, and the meaning of SQLite's errors.
//!
//! Transactions are plain statements here. The library's own count of open transactions goes wrong when SQLite rolls
//! back by itself (disk full), and every later `BEGIN` would then fail.

use super::ballast::Ballast;
use crate::journal::Error;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions, Connection as _, Decode, Row, SqlSafeStr, Sqlite, Type};
use std::time::{Duration, Instant};
use tokio::sync::{MutexGuard, watch};

/// How often the log is moved into the file while the disk is full.
const FULL_AGAIN: Duration = Duration::from_secs(1);
/// How often it is seen to that the ballast is there.
const BALLAST_AGAIN: Duration = Duration::from_secs(60);
/// Waiting for readers to let go of the log: this often, each time for the connection's busy timeout.
const TRUNCATE_TRIES: u32 = 6;

/// The connection that writes.
pub(super) struct Writer {
    conn: SqliteConnection,
    /// A transaction was begun and its end was not seen, perhaps because the future that ran it was dropped.
    open: bool,
    /// Why the disk failed under this connection. Nothing is answered after that: what it says now is not to be
    /// believed.
    failed: watch::Sender<Option<String>>,
    ballast: Ballast,
    /// The disk was full at the last commit.
    full: bool,
    /// When the ballast was last seen to.
    tended: Option<Instant>,
}

impl Writer {
    pub(super) async fn connect(options: &SqliteConnectOptions, ballast: Ballast) -> Result<Self, Error> {
        let conn = options.connect().await.map_err(|e| meaning(e, Access::Write))?;
        let failed = watch::Sender::new(None);
        Ok(Self { conn, open: false, failed, ballast, full: false, tended: None })
    }

    /// Where the disk was full: moves the log into the file, for which the ballast makes room. Then the room is taken
    /// back, so that commits do not live on it.
    async fn make_room(&mut self) {
        if !self.full || !self.is_time(FULL_AGAIN) {
            return;
        }
        self.ballast.give_up();
        let moved: Result<i64, Error> = self.scalar("PRAGMA wal_checkpoint(TRUNCATE)").await;
        if let Err(error) = moved {
            tracing::warn!(%error, "the disk is full, and the journal's log cannot be moved into it");
        }
        self.ballast.take_back();
    }

    /// After a commit: the disk is not full any more, or the ballast was given up at the start.
    fn went_well(&mut self) {
        if std::mem::take(&mut self.full) {
            self.tended = None;
        }
        if self.is_time(BALLAST_AGAIN) {
            self.ballast.take();
        }
    }

    fn is_time(&mut self, again: Duration) -> bool {
        let due = self.tended.is_none_or(|at| at.elapsed() >= again);
        if due {
            self.tended = Some(Instant::now());
        }
        due
    }

    /// The last one to close moves the log into the file.
    pub(super) async fn close(self) {
        // What was committed is on the disk either way.
        let _ = self.conn.close().await;
    }

    /// Becomes something when the disk has failed.
    pub(super) fn failed(&self) -> watch::Receiver<Option<String>> {
        self.failed.subscribe()
    }

    /// Remembers a failure of the disk.
    fn seen(&self, error: Error) -> Error {
        if let Error::Fatal(text) = &error {
            self.failed.send_replace(Some(text.clone()));
        }
        error
    }

    pub(super) async fn scalar<T>(&mut self, sql: &'static str) -> Result<T, Error>
    where
        T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + Send + Unpin,
    {
        self.clear().await?;
        let row = sqlx::query(sql).fetch_one(&mut self.conn).await;
        let row: SqliteRow = row.map_err(|e| self.seen(meaning(e, Access::Write)))?;
        row.try_get(0).map_err(|e| meaning(e, Access::Write))
    }

    /// Runs statements that must not stand in a transaction, or bring their own.
    pub(super) async fn outside(&mut self, sql: impl SqlSafeStr) -> Result<(), Error> {
        self.clear().await?;
        let done = sqlx::raw_sql(sql).execute(&mut self.conn).await;
        if done.is_err() {
            self.open = true;
        }
        done.map(drop).map_err(|e| self.seen(meaning(e, Access::Write)))
    }

    pub(super) async fn set_meta(&mut self, name: &str, value: &[u8]) -> Result<(), Error> {
        self.clear().await?;
        sqlx::query("INSERT INTO meta (name, value) VALUES (?, ?)")
            .bind(name)
            .bind(value)
            .execute(&mut self.conn)
            .await
            .map(drop)
            .map_err(|e| meaning(e, Access::Write))
    }

    async fn clear(&mut self) -> Result<(), Error> {
        if !self.open {
            return Ok(());
        }
        match self.run("ROLLBACK").await {
            // SQLite had ended the transaction itself; there is nothing to roll back.
            Ok(()) | Err(sqlx::Error::Database(_)) => {}
            Err(e) => return Err(self.seen(meaning(e, Access::Write))),
        }
        self.open = false;
        Ok(())
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        sqlx::query(sql).execute(&mut self.conn).await.map(drop)
    }

    /// Moves the log into the file and cuts it to nothing.
    ///
    /// # Errors
    /// [`Error::Unknown`] when readers kept it all the time; what was committed before stands.
    pub(super) async fn truncate_wal(&mut self) -> Result<(), Error> {
        for _ in 0..TRUNCATE_TRIES {
            let busy: i64 = self.scalar("PRAGMA wal_checkpoint(TRUNCATE)").await?;
            if busy == 0 {
                return Ok(());
            }
        }
        Err(Error::Unknown(
            "it is erased, but a reader kept the journal's log from being cut; erase again to cut it".into(),
        ))
    }
}

/// An open transaction on the writing connection. Dropped without an end, it is rolled back by whoever writes next.
pub(super) struct Guard<'a>(MutexGuard<'a, Writer>);

impl<'a> Guard<'a> {
    pub(super) async fn begin(mut writer: MutexGuard<'a, Writer>) -> Result<Self, Error> {
        if writer.failed.borrow().is_some() {
            return Err(Error::Fatal("it failed before, and nothing is written until a restart".into()));
        }
        writer.clear().await?;
        writer.make_room().await;
        writer.open = true;
        let begun = writer.run("BEGIN IMMEDIATE").await;
        begun.map_err(|e| writer.seen(meaning(e, Access::Write)))?;
        Ok(Self(writer))
    }

    pub(super) fn conn(&mut self) -> &mut SqliteConnection {
        &mut self.0.conn
    }

    /// Commits what went well and rolls back what did not.
    pub(super) async fn finish<T>(self, result: Result<T, Error>) -> Result<T, Error> {
        let (value, _) = self.end(result).await?;
        Ok(value)
    }

    /// As [`Guard::finish`], and goes on holding the connection.
    pub(super) async fn finish_and_keep(
        self,
        result: Result<(), Error>,
    ) -> Result<MutexGuard<'a, Writer>, Error> {
        let ((), writer) = self.end(result).await?;
        Ok(writer)
    }

    async fn end<T>(mut self, result: Result<T, Error>) -> Result<(T, MutexGuard<'a, Writer>), Error> {
        let writer = &mut *self.0;
        let ended = match result {
            Ok(value) => match writer.run("COMMIT").await {
                Ok(()) => Ok(value),
                Err(e) => Err(meaning(e, Access::Commit)),
            },
            Err(e) => Err(e),
        };
        match ended {
            Ok(value) => {
                writer.open = false;
                writer.went_well();
                Ok((value, self.0))
            }
            Err(e) => {
                let e = writer.seen(e);
                writer.full |= matches!(e, Error::Full);
                // A failing rollback says nothing that `e` does not; the next writer tries it again.
                let _ = writer.clear().await;
                Err(e)
            }
        }
    }
}

/// In what the error happened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// A reading connection.
    Read,
    /// The writing one, before COMMIT.
    Write,
    /// COMMIT itself.
    Commit,
}

// Primary result codes, sqlite3.h.
const NOMEM: i32 = 7;
const BUSY: i32 = 5;
const IOERR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CONSTRAINT: i32 = 19;
const NOTADB: i32 = 26;
/// SQLITE_IOERR_NOMEM: no memory, not a bad disk.
const IOERR_NOMEM: i32 = 10 | (12 << 8);

/// What an error of the library means to whoever uses a store.
pub(super) fn meaning(e: sqlx::Error, access: Access) -> Error {
    if matches!(e, sqlx::Error::PoolTimedOut) {
        return Error::Refused(
            "no reading connection came free in time; the machine or its disk is overloaded".into(),
        );
    }
    let sqlx::Error::Database(e) = e else {
        let text = e.to_string();
        return match access {
            Access::Read => Error::Unreadable(text),
            // The connection's thread is gone; only a new process has a new one.
            Access::Write => Error::Fatal(text),
            Access::Commit => Error::Unknown(text),
        };
    };
    let code = e.code().and_then(|c| c.parse().ok()).unwrap_or(1);
    by_code(code, e.message(), access)
}

fn by_code(code: i32, message: &str, access: Access) -> Error {
    let text = format!("{message} (SQLite {code})");
    match (code & 0xff, access) {
        (FULL, _) => Error::Full,
        (IOERR | CORRUPT | NOTADB, Access::Read) => Error::Unreadable(text),
        (_, Access::Read) => Error::Refused(text),
        (NOMEM | BUSY | CONSTRAINT, _) => Error::Refused(text),
        (IOERR, Access::Write) if code == IOERR_NOMEM => Error::Refused(text),
        // After a failed write or fsync nobody knows what the disk holds; SQLite's author says to treat it as damage.
        (IOERR | CORRUPT | NOTADB, _) => Error::Fatal(text),
        (_, Access::Write) => Error::Refused(text),
        (_, Access::Commit) => Error::Unknown(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_mean_what_drive_must_do() {
        let of = |code, access| by_code(code, "x", access);
        let fsync = IOERR | (4 << 8);
        assert!(matches!(of(FULL, Access::Write), Error::Full));
        assert!(matches!(of(FULL, Access::Commit), Error::Full));
        assert!(matches!(of(fsync, Access::Write), Error::Fatal(_)));
        assert!(matches!(of(fsync, Access::Commit), Error::Fatal(_)));
        assert!(matches!(of(IOERR_NOMEM, Access::Write), Error::Refused(_)));
        assert!(matches!(of(CORRUPT, Access::Commit), Error::Fatal(_)));
        assert!(matches!(of(CORRUPT, Access::Read), Error::Unreadable(_)));
        assert!(matches!(of(CONSTRAINT | (6 << 8), Access::Write), Error::Refused(_)));
        assert!(matches!(of(1, Access::Commit), Error::Unknown(_)));
        assert!(matches!(meaning(sqlx::Error::WorkerCrashed, Access::Commit), Error::Unknown(_)));
        assert!(matches!(meaning(sqlx::Error::WorkerCrashed, Access::Write), Error::Fatal(_)));
        assert!(matches!(meaning(sqlx::Error::PoolTimedOut, Access::Read), Error::Refused(_)));
    }
}
