//! Two owners, cut connections, killed servers.

use super::*;
use crate::journal::suite::{at, connection, conversation, interaction, one, row, rows, said, tenant};
use crate::journal::{Batch, DeliveryState};
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use std::net::Ipv4Addr;
use std::sync::atomic::AtomicU8;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Every commit in a schema stops before its first row until [`Gate::open`].
struct Gate(PgConnection);

const GATE: i64 = 4_711;

impl Gate {
    async fn shut(server: &Server, schema: &str) -> Self {
        let trigger = format!(
            "SET search_path = {schema};
             CREATE OR REPLACE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM pg_advisory_xact_lock_shared({GATE}); RETURN NEW; END $$;
             CREATE OR REPLACE TRIGGER gate BEFORE INSERT ON journal FOR EACH ROW EXECUTE FUNCTION gate();"
        );
        server.sql("postgres", &trigger).unwrap();
        let mut conn = PgConnection::connect(&server.url()).await.unwrap();
        sqlx::query("SELECT pg_advisory_lock($1)").bind(GATE).execute(&mut conn).await.unwrap();
        Self(conn)
    }

    async fn open(mut self) {
        sqlx::query("SELECT pg_advisory_unlock($1)").bind(GATE).execute(&mut self.0).await.unwrap();
    }

    /// Waits until so many statements wait for a lock of this kind.
    async fn waiting(&mut self, kind: &str) {
        until(&format!("nobody waits for a lock of kind {kind}"), async || {
            let query = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = $1";
            let waiting: i64 = sqlx::query_scalar(query).bind(kind).fetch_one(&mut self.0).await.unwrap();
            waiting > 0
        })
        .await;
    }
}

// Promise 6: the seal waits for what the old owner has under way, and lets nothing of its through afterwards
#[tokio::test]
async fn taking_over_waits_for_a_commit_under_way_and_fences_the_next() {
    let server = Server::start().unwrap();
    let a = tenant("a");
    for owner_lives in [true, false] {
        let old = fresh(&server).await;
        let new = another(&server, &old).await;
        let epoch = old.open(&a).await.unwrap().epoch;
        old.commit(&one(&a, epoch, rows(1..=2))).await.unwrap();
        let mut gate = Gate::shut(&server, &old.shared.schema).await;
        let commit = tokio::spawn({
            let (old, commit) = (old.clone(), one(&a, epoch, rows(3..=4)));
            async move { old.commit(&commit).await }
        });
        gate.waiting("advisory").await;
        let opening = tokio::spawn({
            let (new, a) = (new.clone(), a.clone());
            async move { new.open(&a).await }
        });
        gate.waiting("transactionid").await;
        assert!(!opening.is_finished(), "it cannot know the head yet");
        if owner_lives {
            gate.open().await;
            commit.await.unwrap().unwrap();
        } else {
            // Its connection ends; what it asked for does not.
            commit.abort();
            assert!(commit.await.unwrap_err().is_cancelled());
            gate.open().await;
        }
        let opened = opening.await.unwrap().unwrap();
        assert_eq!(opened.head.0, 4, "what was under way is seen");
        for late in [rows(5..=5), rows(3..=3)] {
            let fenced = old.commit(&one(&a, epoch, late)).await;
            assert!(matches!(&fenced, Err(Error::Fenced(t)) if *t == a), "{fenced:?}");
        }
        assert!(matches!(old.heartbeat(&a, epoch, at(9)).await, Err(Error::Fenced(_))));
        new.commit(&one(&a, opened.epoch, rows(5..=5))).await.unwrap();
        assert_eq!(new.read(&a, Seq(0), 10).await.unwrap(), rows(1..=5).rows);
    }
}

// Promise 6, from the other side: who waits for a new owner to be done is fenced by it
#[tokio::test]
async fn a_commit_that_comes_in_the_middle_of_a_take_over_is_fenced() {
    let server = Server::start().unwrap();
    let a = tenant("a");
    let old = fresh(&server).await;
    let epoch = old.open(&a).await.unwrap().epoch;
    let mut taker = PgConnection::connect(&server.url()).await.unwrap();
    let raise = format!("BEGIN; UPDATE {}.tenants SET epoch = epoch + 1", old.shared.schema);
    sqlx::raw_sql(sqlx::AssertSqlSafe(raise)).execute(&mut taker).await.unwrap();
    let commit = tokio::spawn({
        let (old, commit) = (old.clone(), one(&a, epoch, rows([1])));
        async move { old.commit(&commit).await }
    });
    until("the commit does not wait", async || {
        let query = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'";
        sqlx::query_scalar::<_, i64>(query).fetch_one(&mut taker).await.unwrap() > 0
    })
    .await;
    sqlx::raw_sql("COMMIT").execute(&mut taker).await.unwrap();
    assert!(matches!(commit.await.unwrap(), Err(Error::Fenced(_))));
    assert_eq!(old.read(&a, Seq(0), 10).await.unwrap(), []);
}

/// What a [`Proxy`] does to the next connection that brings rows.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Cut {
    Nothing,
    /// Before the server sees them.
    Request,
    /// After it has answered, before the answer arrives.
    Answer,
}

/// Stands between a store and its server.
struct Proxy {
    port: u16,
    next: Arc<AtomicU8>,
}

/// Stands in every row of the tests, and in nothing else that is sent.
const IN_ROWS: &[u8] = b"\"anna\"";

impl Proxy {
    async fn before(server: &Server) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let proxy = Self { port: listener.local_addr().unwrap().port(), next: Arc::default() };
        let (next, to) = (proxy.next.clone(), server.port());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await else { continue };
                tokio::spawn(between(client, server, next.clone()));
            }
        });
        proxy
    }

    fn cut(&self, what: Cut) {
        self.next.store(what as u8, Ordering::SeqCst);
    }
}

async fn between(mut client: TcpStream, mut server: TcpStream, next: Arc<AtomicU8>) {
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut cut_answer = false;
    loop {
        tokio::select! {
            n = client.read(&mut asked) => {
                let Ok(n @ 1..) = n else { return };
                if asked[..n].windows(IN_ROWS.len()).any(|w| w == IN_ROWS) {
                    match next.swap(Cut::Nothing as u8, Ordering::SeqCst) {
                        cut if cut == Cut::Request as u8 => return,
                        cut => cut_answer = cut == Cut::Answer as u8,
                    }
                }
                if server.write_all(&asked[..n]).await.is_err() {
                    return;
                }
            }
            n = server.read(&mut answered) => {
                let Ok(n @ 1..) = n else { return };
                if cut_answer || client.write_all(&answered[..n]).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_cut_connection_leaves_a_commit_unknown_and_opening_tells() {
    let server = Server::start().unwrap();
    let proxy = Proxy::before(&server).await;
    let direct = options(&server, "cut");
    let url = direct.url.replace(&server.port().to_string(), &proxy.port.to_string());
    let store = Postgres::open(&PostgresOptions { url, ..direct }, key()).await.unwrap();
    let a = tenant("a");
    let mut epoch = store.open(&a).await.unwrap().epoch;
    let mut head = 0;
    for (cut, kept) in
        [(Cut::Request, false), (Cut::Answer, true), (Cut::Answer, true), (Cut::Request, false)]
    {
        store.commit(&one(&a, epoch, rows([head + 1]))).await.unwrap();
        head += 1;
        proxy.cut(cut);
        let unknown = store.commit(&one(&a, epoch, rows([head + 1]))).await;
        assert!(matches!(unknown, Err(Error::Unknown(_))), "{unknown:?}");
        // Whoever simply says it again is not told that it was kept.
        let again = store.commit(&one(&a, epoch, rows([head + 1]))).await;
        assert_eq!(again.is_ok(), !kept, "{again:?}");
        head += 1;
        let opened = store.open(&a).await.unwrap();
        assert_eq!(opened.head.0, head);
        epoch = opened.epoch;
    }
    assert_eq!(store.read(&a, Seq(0), 100).await.unwrap(), rows(1..=head).rows);
}

#[tokio::test]
async fn a_row_that_is_there_against_the_epoch_is_unknown_and_never_taken_for_ours() {
    let server = Server::start().unwrap();
    let store = fresh(&server).await;
    let a = tenant("a");
    let epoch = store.open(&a).await.unwrap().epoch;
    let mut gate = Gate::shut(&server, &store.shared.schema).await;
    // Two commits of one owner for one place: the second has looked at the head before the first is kept.
    let twins: Vec<_> = (0..2)
        .map(|_| {
            let (store, commit) = (store.clone(), one(&a, epoch, rows([1])));
            tokio::spawn(async move { store.commit(&commit).await })
        })
        .collect();
    until("both wait at the gate", async || {
        let query = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'";
        sqlx::query_scalar::<_, i64>(query).fetch_one(&mut gate.0).await.unwrap() == 2
    })
    .await;
    gate.open().await;
    let mut outcomes = Vec::new();
    for twin in twins {
        outcomes.push(twin.await.unwrap());
    }
    assert_eq!(outcomes.iter().filter(|o| o.is_ok()).count(), 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|o| matches!(o, Err(Error::Unknown(_)))).count(), 1, "{outcomes:?}");
}

#[tokio::test]
async fn a_commit_that_is_given_up_leaves_no_half_used_session() {
    let server = Server::start().unwrap();
    let only_one = PostgresOptions { writers: 1, ..options(&server, "given_up") };
    let store = Postgres::open(&only_one, key()).await.unwrap();
    let a = tenant("a");
    let mut epoch = store.open(&a).await.unwrap().epoch;
    let mut head = 0;
    let mut given_up = 0;
    for polls in 1..=60 {
        let commit = one(&a, epoch, rows(head + 1..=head + 80));
        let mut attempt = Box::pin(store.commit(&commit));
        let mut polled = 0;
        let done = std::future::poll_fn(|cx| {
            polled += 1;
            match attempt.as_mut().poll(cx) {
                std::task::Poll::Ready(done) => std::task::Poll::Ready(Some(done)),
                std::task::Poll::Pending if polled >= polls % 6 => std::task::Poll::Ready(None),
                std::task::Poll::Pending => std::task::Poll::Pending,
            }
        })
        .await;
        drop(attempt);
        match done {
            Some(done) => done.unwrap(),
            None => given_up += 1,
        }
        // Given up, it was kept as a whole or not at all; opening waits until that is certain.
        let opened = store.open(&a).await.unwrap();
        assert!(opened.head.0 == head || opened.head.0 == head + 80, "{}", opened.head.0);
        (head, epoch) = (opened.head.0, opened.epoch);
    }
    assert!(given_up > 10, "{given_up}");
    assert_eq!(store.read(&a, Seq(0), u32::MAX).await.unwrap(), rows(1..=head).rows);
}

/// Commits without pause until told to stop; the last head that was answered.
async fn write(store: Arc<Postgres>, tenant: TenantId, stop: tokio_util::sync::CancellationToken) -> u64 {
    let mut answered = 0;
    'owner: loop {
        let opened = match store.open(&tenant).await {
            Ok(opened) => opened,
            Err(Error::Unreachable(_)) if !stop.is_cancelled() => {
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
            Err(e) => panic!("{e}"),
        };
        let mut head = opened.head.0;
        assert!(head >= answered, "{answered} was answered, {head} is there");
        while !stop.is_cancelled() {
            let size = 1 + head % 30;
            match store.commit(&one(&tenant, opened.epoch, rows(head + 1..=head + size))).await {
                Ok(()) => {
                    head += size;
                    answered = head;
                }
                Err(Error::Unknown(_) | Error::Unreachable(_)) => continue 'owner,
                Err(e) => panic!("{e}"),
            }
        }
        return answered;
    }
}

// Promise 1: a database that dies under load keeps all that was answered, and is found again by itself
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_the_server_loses_nothing_that_was_answered() {
    let mut server = Server::start().unwrap();
    let store = fresh(&server).await;
    let stop = tokio_util::sync::CancellationToken::new();
    let tenants = ["a", "b", "c"].map(tenant);
    let mut writers = JoinSet::new();
    for tenant in tenants.clone() {
        let writing = write(store.clone(), tenant.clone(), stop.clone());
        writers.spawn(async move { (tenant, writing.await) });
    }
    for round in 0..4_u64 {
        for tenant in &tenants {
            // Each of them has come further since the last time.
            let before = store.read(tenant, Seq(0), u32::MAX).await.map_or(0, |rows| rows.len());
            until("a writer stands still", async || {
                let now = store.read(tenant, Seq(0), u32::MAX).await.map_or(0, |rows| rows.len());
                now > before + 20
            })
            .await;
        }
        tokio::time::sleep(Duration::from_micros(round * 1_301 % 5_000)).await;
        server.kill();
        let away = store.read(&tenants[0], Seq(0), 1).await;
        assert!(matches!(away, Err(Error::Unreachable(_))), "{away:?}");
        let away = store.open(&tenant("d")).await;
        assert!(matches!(away, Err(Error::Unreachable(_))), "{away:?}");
        server.start_again().unwrap();
    }
    until("it is back", async || store.read(&tenants[0], Seq(0), 1).await.is_ok()).await;
    stop.cancel();
    while let Some(done) = writers.join_next().await {
        let (tenant, answered) = done.unwrap();
        let found = store.read(&tenant, Seq(0), u32::MAX).await.unwrap();
        let head = found.len() as u64;
        assert!(head >= answered && answered > 0, "{tenant}: {answered} was answered, {head} is there");
        assert_eq!(found, (1..=head).map(row).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_database_that_takes_no_writes_is_unreachable_until_it_does_again() {
    let server = Server::start().unwrap();
    let store = fresh(&server).await;
    let a = tenant("a");
    let epoch = store.open(&a).await.unwrap().epoch;
    let set = |to: &str| {
        server.sql("postgres", &format!("ALTER SYSTEM SET default_transaction_read_only = {to}")).unwrap();
        server.sql("postgres", "SELECT pg_reload_conf()").unwrap();
    };
    set("on");
    let mut head = 0;
    until("writes go on", async || match store.commit(&one(&a, epoch, rows([head + 1]))).await {
        Ok(()) => {
            head += 1;
            false
        }
        Err(Error::Unreachable(_)) => true,
        Err(e) => panic!("{e}"),
    })
    .await;
    assert!(matches!(store.open(&a).await, Err(Error::Unreachable(_))));
    assert_eq!(store.read(&a, Seq(0), 1_000).await.unwrap().len() as u64, head);
    set("off");
    until("it takes no writes", async || store.commit(&one(&a, epoch, rows([head + 1]))).await.is_ok()).await;
}

#[tokio::test]
async fn whoever_asks_first_is_served_first() {
    let server = Server::start().unwrap();
    let only_one = PostgresOptions { writers: 1, ..options(&server, "in_turn") };
    let store = Postgres::open(&only_one, key()).await.unwrap();
    let a = tenant("a");
    let epoch = store.open(&a).await.unwrap().epoch;
    let served = AtomicU32::new(0);
    let beats = |n: u64| {
        let (store, a, served) = (store.clone(), a.clone(), &served);
        async move {
            store.heartbeat(&a, epoch, at(n)).await.unwrap();
            served.fetch_add(1, Ordering::SeqCst)
        }
    };
    let commit = async {
        store.commit(&one(&a, epoch, rows([1]))).await.unwrap();
        served.fetch_add(1, Ordering::SeqCst)
    };
    let (first, last) =
        (futures::future::join_all((0..50).map(beats)), futures::future::join_all((50..100).map(beats)));
    let (before, place, after) = futures::future::join3(first, commit, last).await;
    assert_eq!(place, 50, "after those before it, and before those after it");
    assert!(before.iter().all(|p| *p < 50) && after.iter().all(|p| *p > 50));
}

/// Content of one conversation, and a delivery that remembers something of it.
async fn with_text(store: &Postgres, a: &TenantId, epoch: Epoch, seq: u64, text: &str) -> ContentId {
    let (row, content) = said(seq, 1, text);
    let id = content.id;
    let batch = Batch { rows: vec![row], content: vec![content], ..Batch::default() };
    store.commit(&one(a, epoch, batch)).await.unwrap();
    id
}

// Promise 9, where another machine remembers the key
#[tokio::test]
async fn a_key_that_another_machine_erased_is_not_used_again() {
    let server = Server::start().unwrap();
    let ours = fresh(&server).await;
    let theirs = another(&server, &ours).await;
    let (a, sf) = (tenant("a"), connection("sf"));
    let epoch = ours.open(&a).await.unwrap().epoch;
    let first = with_text(&ours, &a, epoch, 1, "before").await;
    let want = Want {
        connection: sf.clone(),
        interaction: interaction(1),
        conversation: conversation(1),
        version: 1,
        next_at: at(0),
    };
    ours.want(&a, &[want], &Reader::Logs(sf.clone()), Seq(1)).await.unwrap();
    let row = ours.delivery(&a, &sf, interaction(1)).await.unwrap().unwrap();
    let tried = Delivery { progress: "{\"a\":1}".into(), state: DeliveryState::Dead, ..row };
    ours.settle(&a, &tried).await.unwrap();

    theirs.erase(&a, conversation(1)).await.unwrap();
    ours.settle(&a, &tried).await.unwrap();
    let row = ours.delivery(&a, &sf, interaction(1)).await.unwrap().unwrap();
    assert_eq!(row.progress, crate::journal::NO_PROGRESS, "it is not brought back");
    let second = with_text(&ours, &a, epoch, 2, "after").await;
    let found = theirs.content(&a, &[first, second]).await.unwrap();
    assert_eq!(found, [(second, Content::Message { text: "after".into() })]);
    let schema = &ours.shared.schema;
    let keys = format!("SELECT erased, length(wrapped) > 0 FROM {schema}.keys ORDER BY erased");
    assert_eq!(server.sql("postgres", &keys).unwrap(), "f|t\nt|f\n", "nothing is left of the old key");
    theirs.erase(&a, conversation(1)).await.unwrap();
    assert_eq!(ours.content(&a, &[second]).await.unwrap(), []);
}

// Promise 9 (at rest)
#[tokio::test]
async fn content_is_never_on_the_servers_disk_in_plain() {
    const MARKER: &str = "Zaunkönig-4711-Marker";
    let mut server = Server::start().unwrap();
    let store = fresh(&server).await;
    let a = tenant("a");
    let epoch = store.open(&a).await.unwrap().epoch;
    with_text(&store, &a, epoch, 1, MARKER).await;
    let snapshot = Snapshot { seq: Seq(1), body: MARKER.as_bytes().to_vec() };
    store.save_snapshot(&a, &snapshot).await.unwrap();
    let handles = vec![(conversation(1), Handle::Email(format!("{MARKER}@example.org")))];
    store.commit(&one(&a, epoch, Batch { handles, ..Batch::default() })).await.unwrap();
    server.stop();
    assert!(server.holds(b"chat.message_sent.v1"), "the scan sees what is there");
    assert!(!server.holds(MARKER.as_bytes()));
}
