//! Who holds what, told by the server alone.

use super::*;
use crate::journal::suite::{at, connection, conversation, interaction, one, rows, tenant};
use crate::journal::{Leases, Replica, Shard};
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

fn replica() -> Replica {
    let address = Some("tieline-0.example:8443".to_owned());
    Replica { id: Uuid::new_v4(), address, holds: vec![Part::Engines, Part::Dispatch] }
}

fn shard(number: u8) -> Shard {
    Shard::new(number).unwrap()
}

async fn lasting(server: &Server, schema: &str, lease: Duration) -> Arc<Postgres> {
    Postgres::open(&PostgresOptions { lease, ..options(server, schema) }, key()).await.unwrap()
}

const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(1_500);

#[tokio::test]
async fn a_part_is_one_processes_until_it_gives_it_back() {
    let server = Server::start().unwrap();
    let here = lasting(&server, "shared", LONG).await;
    let there = another(&server, &here).await;
    let (me, you) = (replica(), replica());
    assert_eq!(there.appear(&you).await.unwrap().replicas.len(), 1);
    let first = here.take(&me, shard(7), Part::Engines).await.unwrap().unwrap();
    assert_eq!(there.take(&you, shard(7), Part::Engines).await.unwrap(), None);
    let other = there.take(&you, shard(7), Part::Dispatch).await.unwrap().unwrap();
    assert!(there.take(&you, shard(8), Part::Engines).await.unwrap().is_some());

    let picture = there.appear(&you).await.unwrap();
    assert_eq!(picture.replicas, BTreeMap::from([(me.id, me.clone()), (you.id, you.clone())]));
    assert_eq!(picture.holders.len(), 3);
    let holder = &picture.holders[&(shard(7), Part::Engines)];
    assert_eq!((holder.replica, &holder.address, holder.epoch), (me.id, &me.address, first.epoch));

    // Ours already, it rises all the same, and the older one is worth nothing.
    let second = here.take(&me, shard(7), Part::Engines).await.unwrap().unwrap();
    assert!(second.epoch > first.epoch);
    assert_eq!(here.renew(&me, &[first, second, other]).await.unwrap(), [second]);
    here.release(&me, &first).await.unwrap();
    assert_eq!(there.take(&you, shard(7), Part::Engines).await.unwrap(), None);
    here.release(&me, &second).await.unwrap();
    let third = there.take(&you, shard(7), Part::Engines).await.unwrap().unwrap();
    assert!(third.epoch > second.epoch);
    assert_eq!(here.renew(&me, &[second]).await.unwrap(), []);

    there.disappear(&you).await.unwrap();
    let picture = here.appear(&me).await.unwrap();
    assert_eq!((picture.replicas.len(), picture.holders.len()), (1, 0));
    assert!(here.take(&me, shard(8), Part::Engines).await.unwrap().is_some());
}

#[tokio::test]
async fn of_all_who_take_at_once_one_has_it() {
    let server = Server::start().unwrap();
    let store = lasting(&server, "rivals", LONG).await;
    let rivals = futures::future::join_all((0..6).map(|_| async {
        let rival = another(&server, &store).await;
        let me = replica();
        let mut taken = 0;
        for number in 0..8 {
            taken += usize::from(rival.take(&me, shard(number), Part::Engines).await.unwrap().is_some());
        }
        // Kept alive until all have tried.
        (taken, rival)
    }));
    assert_eq!(rivals.await.iter().map(|(taken, _)| taken).sum::<usize>(), 8);
}

#[tokio::test]
async fn a_holder_that_stands_still_is_succeeded_when_its_time_is_over() {
    let server = Server::start().unwrap();
    let frozen = lasting(&server, "frozen", SHORT).await;
    let there = another(&server, &frozen).await;
    let (me, you) = (replica(), replica());
    // Renewed, it lasts beyond its time.
    let began = Instant::now();
    let lease = frozen.take(&me, shard(1), Part::Engines).await.unwrap().unwrap();
    let mut last = Instant::now();
    while began.elapsed() < SHORT * 2 {
        assert_eq!(there.take(&you, shard(1), Part::Engines).await.unwrap(), None);
        last = Instant::now();
        frozen.appear(&me).await.unwrap();
        assert_eq!(frozen.renew(&me, &[lease]).await.unwrap(), [lease]);
    }
    let mut next = None;
    until("it is never succeeded", async || {
        next = there.take(&you, shard(1), Part::Engines).await.unwrap();
        next.is_some()
    })
    .await;
    assert!(last.elapsed() >= SHORT, "{:?}", last.elapsed());
    assert!(next.unwrap().epoch > lease.epoch);
    // Awake again, it learns so. Its session was ended meanwhile, and is made anew.
    assert_eq!(frozen.renew(&me, &[lease]).await.unwrap_or_default(), []);
    until("it never comes back", async || frozen.appear(&me).await.is_ok()).await;
    assert_eq!(frozen.renew(&me, &[lease]).await.unwrap(), []);
}

#[tokio::test]
async fn a_holder_that_died_is_succeeded_at_once() {
    let server = Server::start().unwrap();
    let dying = lasting(&server, "dying", LONG).await;
    let there = another(&server, &dying).await;
    let (me, you) = (replica(), replica());
    dying.take(&me, shard(1), Part::Engines).await.unwrap().unwrap();
    assert_eq!(there.take(&you, shard(1), Part::Engines).await.unwrap(), None);
    assert_eq!(there.appear(&you).await.unwrap().holders.len(), 1);
    // What the system does for a process that was killed: its connections end.
    drop(dying);
    let died = Instant::now();
    until("its session is never missed", async || there.appear(&you).await.unwrap().holders.is_empty()).await;
    assert_eq!(there.appear(&you).await.unwrap().replicas.len(), 1);
    assert!(there.take(&you, shard(1), Part::Engines).await.unwrap().is_some());
    assert!(died.elapsed() < Duration::from_secs(5), "{:?}", died.elapsed());
}

#[tokio::test]
async fn a_session_that_breaks_is_made_anew_and_a_restart_of_the_server_is_no_crash() {
    let mut server = Server::start().unwrap();
    let here = lasting(&server, "broken", LONG).await;
    let there = another(&server, &here).await;
    let (me, you) = (replica(), replica());
    let lease = here.take(&me, shard(1), Part::Engines).await.unwrap().unwrap();
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND granted";
    assert_eq!(server.sql("postgres", end).unwrap().trim(), "1");
    until("it is never mended", async || here.appear(&me).await.is_ok()).await;
    assert_eq!(there.take(&you, shard(1), Part::Engines).await.unwrap(), None);
    assert_eq!(here.renew(&me, &[lease]).await.unwrap(), [lease]);

    server.kill();
    let away = here.appear(&me).await;
    assert!(matches!(away, Err(Error::Unreachable(_))), "{away:?}");
    server.start_again().unwrap();
    // The rival is back first, and takes nothing of whoever is not back yet.
    until("it is never mended", async || there.appear(&you).await.is_ok()).await;
    assert_eq!(there.appear(&you).await.unwrap().holders.len(), 1);
    assert_eq!(there.take(&you, shard(1), Part::Engines).await.unwrap(), None);
    until("it is never mended", async || here.appear(&me).await.is_ok()).await;
    assert_eq!(there.take(&you, shard(1), Part::Engines).await.unwrap(), None);
    assert_eq!(here.renew(&me, &[lease]).await.unwrap(), [lease]);
}

// Promise 6, for engines and for deliveries
#[tokio::test]
async fn what_a_lease_allows_ends_with_it() {
    let server = Server::start().unwrap();
    let store = lasting(&server, "fenced", LONG).await;
    let me = replica();
    let (a, sf) = (tenant("a"), connection("sf"));
    let home = Shard::of(&a);
    let engines = store.take(&me, home, Part::Engines).await.unwrap().unwrap();
    let dispatch = store.take(&me, home, Part::Dispatch).await.unwrap().unwrap();
    let (opener, sender) = (store.under(engines).unwrap(), store.under(dispatch).unwrap());
    let want = Want {
        connection: sf.clone(),
        interaction: interaction(1),
        conversation: conversation(1),
        version: 1,
        next_at: at(0),
    };
    let (logs, pops) = (Reader::Logs(sf.clone()), Reader::Pops(sf.clone()));
    let epoch = opener.open(&a).await.unwrap().epoch;
    sender.want(&a, std::slice::from_ref(&want), &logs, Seq(1)).await.unwrap();
    let row = sender.delivery(&a, &sf, interaction(1)).await.unwrap().unwrap();
    sender.settle(&a, &Delivery { attempt: 1, ..row.clone() }).await.unwrap();

    store.take(&me, home, Part::Engines).await.unwrap().unwrap();
    store.take(&me, home, Part::Dispatch).await.unwrap().unwrap();
    let fenced =
        |done: Result<(), Error>| assert!(matches!(&done, Err(Error::Fenced(t)) if *t == a), "{done:?}");
    fenced(opener.open(&a).await.map(drop));
    fenced(sender.want(&a, &[want], &logs, Seq(9)).await);
    fenced(sender.move_cursor(&a, &logs, Seq(9)).await);
    fenced(sender.move_cursor(&a, &pops, Seq(9)).await);
    fenced(sender.settle(&a, &Delivery { attempt: 9, ..row.clone() }).await);
    fenced(sender.settle(&a, &Delivery { progress: "{\"a\":1}".into(), ..row.clone() }).await);
    fenced(sender.revive(&a, &sf, interaction(1), at(9)).await.map(drop));
    assert_eq!(store.cursor(&a, &logs).await.unwrap(), Seq(1));
    assert_eq!(store.cursor(&a, &pops).await.unwrap(), Seq(0));
    assert_eq!(
        store.delivery(&a, &sf, interaction(1)).await.unwrap().unwrap(),
        Delivery { attempt: 1, ..row }
    );
    assert_eq!(server.sql("postgres", "SELECT count(*) FROM fenced.keys").unwrap().trim(), "0");
    // The publisher's place is the tenant's, and whoever opened it may commit until somebody opens it anew.
    sender.move_cursor(&a, &Reader::Bus, Seq(3)).await.unwrap();
    opener.commit(&one(&a, epoch, rows([1]))).await.unwrap();
}

#[tokio::test]
async fn taking_a_part_waits_for_what_is_done_under_the_older_lease() {
    let server = Server::start().unwrap();
    let store = lasting(&server, "sealed", LONG).await;
    let me = replica();
    let lease = store.take(&me, shard(3), Part::Dispatch).await.unwrap().unwrap();
    // As a write under that lease holds it.
    let mut writer = PgConnection::connect(&server.url()).await.unwrap();
    let hold = "BEGIN; SELECT FROM sealed.seals WHERE shard = 3 AND part = 'dispatch' FOR SHARE";
    sqlx::raw_sql(hold).execute(&mut writer).await.unwrap();
    let taking = tokio::spawn({
        let (store, me) = (store.clone(), me.clone());
        async move { store.take(&me, shard(3), Part::Dispatch).await }
    });
    until("it does not wait", async || {
        let query = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'";
        sqlx::query_scalar::<_, i64>(query).fetch_one(&mut writer).await.unwrap() > 0
    })
    .await;
    assert!(!taking.is_finished());
    sqlx::raw_sql("COMMIT").execute(&mut writer).await.unwrap();
    assert!(taking.await.unwrap().unwrap().unwrap().epoch > lease.epoch);
}
