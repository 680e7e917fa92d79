//! Killed (-9) again and again while people and telephones are at work: nothing that was acknowledged is lost, nothing
//! happens twice, and the state is what a replay of the journal comes to.

use crate::daemon::Centre;
use crate::load::{self, Load};
use crate::postgres::Server;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use std::time::{Duration, Instant};

/// What a loop of kills came to.
struct Seen {
    kills: u32,
    acknowledged: u64,
    under_load: Duration,
    /// From the start of a process to its readiness, shortest first.
    recoveries: Vec<Duration>,
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let middle = self.recoveries[self.recoveries.len() / 2];
        let worst = self.recoveries[self.recoveries.len() - 1];
        let a_second = self.acknowledged as f64 / self.under_load.as_secs_f64();
        write!(
            f,
            "{} kills, {} acknowledged ({a_second:.0}/s under load), 0 lost, 0 twice; start to ready: median \
             {middle:.0?}, worst {worst:.0?}",
            self.kills, self.acknowledged
        )
    }
}

/// Every contact centre's state is what a replay of its journal from the first event comes to.
async fn replayed(daemon: &crate::daemon::Daemon) {
    let found = daemon.admin("verify", &json!({})).await;
    let all = found.as_array().expect("a list");
    assert_eq!(all.len(), 2, "both contact centres: {found}");
    assert!(all.iter().all(|one| one["agrees"] == true), "a replay comes to another state: {found}");
}

/// Kills the daemon of a centre this often, at instants drawn from `seed`; some of them while it starts.
async fn kill_loop(centre: &Centre, kills: u32, seed: u64) -> Seen {
    println!("seed {seed}; TIELINE_SEED={seed} draws the same instants again");
    let mut chance = StdRng::seed_from_u64(seed);
    let mut seen = Seen { kills, acknowledged: 0, under_load: Duration::ZERO, recoveries: Vec::new() };
    let mut daemon = centre.daemon().await;
    let mut load = Load::new(&daemon, seed).await;
    for kill in 0..kills {
        if chance.random_ratio(1, 6) {
            daemon.kill().await;
            centre.daemon_that_dies(Duration::from_millis(chance.random_range(0..120))).await;
        } else {
            let at_work = load.work(&daemon);
            let began = Instant::now();
            tokio::time::sleep(Duration::from_millis(chance.random_range(20..350))).await;
            daemon.kill().await;
            seen.under_load += began.elapsed();
            at_work.join_all().await;
        }
        let began = Instant::now();
        daemon = centre.daemon().await;
        seen.recoveries.push(began.elapsed());
        load.check(&daemon).await;
        // A replay takes its time once the journal is long.
        if kill < 100 || kill % 10 == 0 {
            replayed(&daemon).await;
        }
    }
    load.finish(&daemon, centre).await;
    replayed(&daemon).await;
    daemon.stop().await;
    seen.acknowledged = load.acknowledged();
    seen.recoveries.sort();
    seen
}

/// How often, and from which seed.
fn wished() -> (u32, u64) {
    let kills = if std::env::var_os("TIELINE_LONG").is_some() { 1_000 } else { 50 };
    let seed = std::env::var("TIELINE_SEED").ok().map(|seed| seed.parse().expect("a number"));
    (kills, seed.unwrap_or_else(rand::random))
}

// proves F1
#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_instant_nothing_acknowledged_is_lost_and_nothing_happens_twice() {
    let centre = Centre::with(&load::settings()).await;
    let (kills, seed) = wished();
    let seen = kill_loop(&centre, kills, seed).await;
    assert!(seen.acknowledged > 3 * u64::from(kills), "hardly a load: {seen}");
    println!("{seen}");
}

// proves F1
#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_instant_over_postgresql_nothing_is_lost_either() {
    let database = tokio::task::spawn_blocking(|| Server::start().expect("a database"));
    let database = database.await.expect("started");
    let mut centre = Centre::with(&load::settings()).await;
    centre.shared =
        vec![("TIELINE__JOURNAL__KIND", "postgres".into()), ("TIELINE__JOURNAL__URL", database.url())];
    let (kills, seed) = wished();
    let seen = kill_loop(&centre, kills, seed).await;
    assert!(seen.acknowledged > 3 * u64::from(kills), "hardly a load: {seen}");
    println!("over PostgreSQL: {seen}");
}

// At rest as at work: the verb says it in words, and finds a journal that was tampered with.
#[tokio::test]
async fn verify_compares_the_state_with_a_replay_with_and_without_a_daemon() {
    let centre = Centre::start().await;
    let daemon = centre.daemon().await;
    let asked = daemon.admin.strip_prefix("http://").expect("an address").to_owned();
    let at_work = centre.verb_under("verify", &[("TIELINE__HTTP__ADMIN_LISTEN", &asked)]).await;
    let says = String::from_utf8_lossy(&at_work.stdout).into_owned();
    assert!(at_work.status.success(), "{}", String::from_utf8_lossy(&at_work.stderr));
    assert_eq!(says.matches("a replay comes to the same").count(), 2, "{says}");
    daemon.stop().await;
    let nobody = ("TIELINE__HTTP__ADMIN_LISTEN", "127.0.0.1:1");
    let at_rest = centre.verb_under("verify", &[nobody]).await;
    let again = String::from_utf8_lossy(&at_rest.stdout).into_owned();
    assert!(at_rest.status.success(), "{}", String::from_utf8_lossy(&at_rest.stderr));
    assert_eq!(again.matches("a replay comes to the same").count(), 2, "{again}");
}
