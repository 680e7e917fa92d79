//! Who may own what (`journal::lease`), by this server's clock alone.
//!
//! Beside its time a lease has a crash signal: each process holds one advisory lock in one session for as long as it
//! lives, and a holder whose lock is free is gone. The session is the one that all of this goes through, so a break is
//! noticed at the next look, a second later, and mended by it.

use super::Postgres;
use super::fault::{Access, meaning};
use super::sessions::{Setup, get, within};
use crate::journal::{Epoch, Error, Holder, Lease, Leases, Part, Picture, Replica, Shard};
use async_trait::async_trait;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

/// A busy server is given at least this long, however short leases are.
const PATIENCE_MIN: Duration = Duration::from_secs(2);

/// A process that did not show itself for so long is not kept in mind.
const FORGET_AFTER: &str = "1 hour";

/// The session, and how long leases last.
pub(super) struct Desk {
    setup: Setup,
    lasts: Duration,
    /// `None` while it is broken, and while a call that was given up has it.
    session: Mutex<Option<Session>>,
}

struct Session {
    conn: PgConnection,
    /// Whose signal is given.
    signals: Option<Uuid>,
}

impl Desk {
    pub(super) fn new(setup: Setup, lasts: Duration) -> Self {
        // A database that does not answer must be noticed while there is still time to let go in order. A process that
        // stands still is cut off when its leases are over, so that its signal says no more than they do.
        let patience = PATIENCE_MIN.max(lasts / 3);
        let setup = Setup {
            connect_within: setup.connect_within.min(patience),
            statement_within: setup.statement_within.min(patience),
            silent_for: lasts,
            ..setup
        };
        Self { setup, lasts, session: Mutex::default() }
    }

    /// The session, with our signal given in it, before anybody can look for it.
    async fn sit(&self, me: &Replica) -> Result<Seat<'_>, Error> {
        let mut place = self.session.lock().await;
        let session = match place.take() {
            Some(session) => session,
            None => Session { conn: self.setup.connect().await?.0, signals: None },
        };
        let mut seat = Seat { desk: self, session, place };
        if seat.session.signals != Some(me.id) {
            let query = sqlx::query("SELECT pg_try_advisory_lock($1)").bind(signal(me.id));
            // Not given: a session of ours that broke is still alive over there, and signals for us until it ends.
            if get(&seat.one(query).await?, 0)? {
                seat.session.signals = Some(me.id);
            }
        }
        Ok(seat)
    }

    pub(super) fn lasts(&self) -> Duration {
        self.lasts
    }

    fn limit(&self) -> Duration {
        self.setup.statement_within + Duration::from_millis(500)
    }
}

/// The session in use. Dropped before [`Seat::leave`], its connection is closed, and the next call makes a new one.
struct Seat<'a> {
    desk: &'a Desk,
    session: Session,
    place: MutexGuard<'a, Option<Session>>,
}

type Statement<'q> = Query<'q, sqlx::Postgres, PgArguments>;

impl Seat<'_> {
    async fn all(&mut self, query: Statement<'_>) -> Result<Vec<PgRow>, Error> {
        let done = within(self.desk.limit(), query.fetch_all(&mut self.session.conn)).await;
        done.map_err(|e| meaning(e, Access::Again))
    }

    async fn one(&mut self, query: Statement<'_>) -> Result<PgRow, Error> {
        let mut rows = self.all(query).await?;
        rows.pop().ok_or_else(|| meaning(sqlx::Error::RowNotFound, Access::Again))
    }

    /// Gives the session back for the next call.
    fn leave(mut self) {
        *self.place = Some(self.session);
    }
}

/// The key of a process's advisory lock: chance enough to meet no other.
fn signal(replica: Uuid) -> i64 {
    let (_, low) = replica.as_u64_pair();
    i64::from_be_bytes(low.to_be_bytes())
}

/// Whether a row `r` of `replicas` is of a process that lives. A missing signal counts only where it was given before: after
/// a restart of the server, or on a standby that took over, all sessions are gone and none of their owners need be.
macro_rules! lives {
    () => {
        "(r.until > clock_timestamp() AND (
            r.server <> pg_postmaster_start_time()
            OR EXISTS (
                SELECT FROM pg_locks l
                WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
                    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                    AND (l.classid::int8 << 32 | l.objid::int8) = r.signal)))"
    };
}

const APPEAR: &str = "
WITH gone AS (DELETE FROM replicas WHERE until < clock_timestamp() - $6::text::interval AND id <> $1)
INSERT INTO replicas (id, address, holds, signal, server, until)
VALUES ($1, $2, $3, $4, pg_postmaster_start_time(), clock_timestamp() + make_interval(secs => $5))
ON CONFLICT (id) DO UPDATE SET
    address = excluded.address, holds = excluded.holds, server = excluded.server, until = excluded.until";

const REPLICAS: &str = concat!("SELECT r.id, r.address, r.holds FROM replicas r WHERE ", lives!());

const HOLDERS: &str = concat!(
    "SELECT l.shard, l.part, l.epoch, r.id, r.address FROM leases l JOIN replicas r ON r.id = l.replica
     WHERE l.until > clock_timestamp() AND ",
    lives!()
);

/// A part that somebody holds is left alone. The row is locked by an earlier statement, so that this one sees who took it
/// meanwhile.
const TAKE: &str = concat!(
    "UPDATE leases SET epoch = epoch + 1, replica = $1, until = clock_timestamp() + make_interval(secs => $2)
     WHERE shard = $3 AND part = $4 AND (
         replica IS NULL OR replica = $1 OR until <= clock_timestamp()
         OR NOT EXISTS (SELECT FROM replicas r WHERE r.id = leases.replica AND ",
    lives!(),
    ")) RETURNING epoch"
);

async fn appear(seat: &mut Seat<'_>, me: &Replica) -> Result<(), Error> {
    let holds: Vec<String> = me.holds.iter().map(|part| part.name().to_owned()).collect();
    let query = sqlx::query(APPEAR)
        .bind(me.id)
        .bind(me.address.clone())
        .bind(holds)
        .bind(signal(me.id))
        .bind(seat.desk.lasts.as_secs_f64())
        .bind(FORGET_AFTER);
    seat.all(query).await.map(drop)
}

async fn look(seat: &mut Seat<'_>) -> Result<Picture, Error> {
    let mut picture = Picture::default();
    for row in seat.all(sqlx::query(REPLICAS)).await? {
        let (id, holds): (Uuid, Vec<String>) = (get(&row, 0)?, get(&row, 2)?);
        let holds = holds.iter().filter_map(|name| part(name)).collect();
        picture.replicas.insert(id, Replica { id, address: get(&row, 1)?, holds });
    }
    for row in seat.all(sqlx::query(HOLDERS)).await? {
        // A later version may know parts that this one does not.
        let (Some(shard), Some(part)) = (shard(get(&row, 0)?), part(get(&row, 1)?)) else { continue };
        let holder = Holder { epoch: Epoch(get(&row, 2)?), replica: get(&row, 3)?, address: get(&row, 4)? };
        picture.holders.insert((shard, part), holder);
    }
    Ok(picture)
}

fn part(name: &str) -> Option<Part> {
    [Part::Engines, Part::Dispatch].into_iter().find(|part| part.name() == name)
}

fn shard(number: i16) -> Option<Shard> {
    u8::try_from(number).ok().and_then(Shard::new)
}

async fn take(seat: &mut Seat<'_>, me: &Replica, shard: Shard, part: Part) -> Result<Option<Lease>, Error> {
    let number = i16::from(shard.number());
    let rows = "INSERT INTO leases (shard, part, epoch) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING";
    seat.all(sqlx::query(rows).bind(number).bind(part.name())).await?;
    seat.all(sqlx::query("BEGIN")).await?;
    let lock = "SELECT 1 FROM leases WHERE shard = $1 AND part = $2 FOR UPDATE";
    seat.all(sqlx::query(lock).bind(number).bind(part.name())).await?;
    let query = sqlx::query(TAKE).bind(me.id).bind(seat.desk.lasts.as_secs_f64());
    let taken = seat.all(query.bind(number).bind(part.name())).await?;
    let Some(row) = taken.first() else {
        seat.all(sqlx::query("ROLLBACK")).await?;
        return Ok(None);
    };
    let epoch: i64 = get(row, 0)?;
    // Waits for whatever is being done under an older lease, and nothing more is after it.
    let seal = "INSERT INTO seals (shard, part, epoch) VALUES ($1, $2, $3)
                ON CONFLICT (shard, part) DO UPDATE SET epoch = excluded.epoch";
    seat.all(sqlx::query(seal).bind(number).bind(part.name()).bind(epoch)).await?;
    seat.all(sqlx::query("COMMIT")).await?;
    Ok(Some(Lease { shard, part, epoch: Epoch(epoch) }))
}

const RENEW: &str = "
UPDATE leases l SET until = clock_timestamp() + make_interval(secs => $5)
FROM unnest($2::int2[], $3::text[], $4::int8[]) AS h (shard, part, epoch)
WHERE l.shard = h.shard AND l.part = h.part AND l.epoch = h.epoch AND l.replica = $1
RETURNING l.shard, l.part, l.epoch";

#[async_trait]
impl Leases for Postgres {
    async fn appear(&self, me: &Replica) -> Result<Picture, Error> {
        let mut seat = self.shared.desk.sit(me).await?;
        appear(&mut seat, me).await?;
        let picture = look(&mut seat).await?;
        seat.leave();
        Ok(picture)
    }

    async fn take(&self, me: &Replica, shard: Shard, part: Part) -> Result<Option<Lease>, Error> {
        let mut seat = self.shared.desk.sit(me).await?;
        // Whoever holds something must be there for the others to see.
        appear(&mut seat, me).await?;
        let lease = take(&mut seat, me, shard, part).await?;
        seat.leave();
        Ok(lease)
    }

    async fn renew(&self, me: &Replica, held: &[Lease]) -> Result<Vec<Lease>, Error> {
        let mut seat = self.shared.desk.sit(me).await?;
        let query = sqlx::query(RENEW)
            .bind(me.id)
            .bind(held.iter().map(|l| i16::from(l.shard.number())).collect::<Vec<_>>())
            .bind(held.iter().map(|l| l.part.name()).collect::<Vec<_>>())
            .bind(held.iter().map(|l| l.epoch.0).collect::<Vec<_>>())
            .bind(self.shared.desk.lasts.as_secs_f64());
        let rows = seat.all(query).await?;
        seat.leave();
        let mut still = Vec::new();
        for row in &rows {
            let (number, name, epoch): (i16, &str, i64) = (get(row, 0)?, get(row, 1)?, get(row, 2)?);
            let is = |l: &&Lease| {
                i16::from(l.shard.number()) == number && l.part.name() == name && l.epoch.0 == epoch
            };
            still.extend(held.iter().find(is));
        }
        Ok(still)
    }

    async fn release(&self, me: &Replica, lease: &Lease) -> Result<(), Error> {
        let mut seat = self.shared.desk.sit(me).await?;
        let query = sqlx::query(
            "UPDATE leases SET replica = NULL, until = NULL
             WHERE shard = $1 AND part = $2 AND epoch = $3 AND replica = $4",
        )
        .bind(i16::from(lease.shard.number()))
        .bind(lease.part.name())
        .bind(lease.epoch.0)
        .bind(me.id);
        seat.all(query).await?;
        seat.leave();
        Ok(())
    }

    async fn disappear(&self, me: &Replica) -> Result<(), Error> {
        let mut seat = self.shared.desk.sit(me).await?;
        let query = sqlx::query(
            "WITH free AS (UPDATE leases SET replica = NULL, until = NULL WHERE replica = $1)
             DELETE FROM replicas WHERE id = $1",
        );
        seat.all(query.bind(me.id)).await?;
        // The session ends with us, and with it our signal.
        Ok(())
    }

    fn lasts(&self) -> Duration {
        self.shared.desk.lasts()
    }
}
