//! What can happen to a broker, one after another, while commands are carried out at a steady pace: nothing is lost,
//! nobody waits, and what gathered is published soon after.

use crate::broker::Broker;
use crate::rig::{Client, Rig, acme, assert_complete_and_in_order, call, rabbit, salesforce, seen_up_to};
use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tieline::bus::{Intake, State};
use tieline::journal::{MasterKey, Sqlite, Store};
use tieline::settings::{Bus, Span};
use tieline_model::Seq;
use tokio::task::{JoinHandle, block_in_place};
use tokio::time::{Instant, sleep};

/// Pause between two commands.
const PACE: Duration = Duration::from_millis(5);
/// How long it is calm before a fault, and how long a fault lasts at least.
const CALM: Duration = Duration::from_millis(1_500);
/// No command takes longer, whatever the broker does.
const LONGEST: Duration = Duration::from_secs(1);
/// When everything that gathered is published, after the fault is over.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(60);
/// What two medians may differ by on a machine that does other things too.
const NOISE: Duration = Duration::from_millis(1);
/// How often a median is measured at most.
const WINDOWS: usize = 5;

/// Commands at a steady pace, from the beginning to the end.
struct Pace {
    took: Arc<Mutex<Vec<(Instant, Duration)>>>,
    stop: Arc<AtomicBool>,
    runs: JoinHandle<()>,
}

impl Pace {
    fn start(engines: tieline::drive::Handle) -> Self {
        let (took, stop) = (Arc::<Mutex<Vec<_>>>::default(), Arc::new(AtomicBool::new(false)));
        let (noted, over) = (took.clone(), stop.clone());
        let intake = Intake::new([(acme(), None)].into());
        let runs = tokio::spawn(async move {
            let mut n = 0;
            while !over.load(Ordering::Relaxed) {
                let (kind, of) = (if n % 2 == 0 { "ringing" } else { "ended" }, n / 2);
                let body = call(kind, &format!("pace-{n}"), &format!("pace-{of}")).to_string();
                let request = intake.translate(body.as_bytes(), None, &mut uuid::Uuid::now_v7).unwrap();
                let began = Instant::now();
                engines.submit(request).await.unwrap();
                noted.lock().unwrap().push((began, began.elapsed()));
                n += 1;
                sleep(PACE).await;
            }
        });
        Self { took, stop, runs }
    }

    /// How long commands took that began since then.
    fn since(&self, then: Instant) -> Vec<Duration> {
        let took = self.took.lock().unwrap();
        let mut took: Vec<_> = took.iter().filter(|(at, _)| *at >= then).map(|(_, took)| *took).collect();
        took.sort();
        took
    }

    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.runs.await.unwrap();
    }
}

fn median(sorted: &[Duration]) -> Duration {
    sorted[sorted.len() / 2]
}

/// What is done to the broker.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    Killed,
    Restarted,
    OutOfMemory,
    OutOfDisk,
    ConnectionsClosed,
    QueuesDeleted,
    Unbound,
    ExchangeDeleted,
}

/// Kills come after the first restart: RabbitMQ 3.10 forgets a queue declared less than half a second before a kill.
const FAULTS: [Fault; 8] = [
    Fault::Restarted,
    Fault::Killed,
    Fault::OutOfMemory,
    Fault::OutOfDisk,
    Fault::ConnectionsClosed,
    Fault::QueuesDeleted,
    Fault::Unbound,
    Fault::ExchangeDeleted,
];

struct Trial {
    broker: Broker,
    rig: Rig<Sqlite>,
    pace: Pace,
}

impl Trial {
    async fn inflict(&mut self, fault: Fault) {
        let rig = &self.rig;
        match fault {
            Fault::Killed => block_in_place(|| self.broker.kill()),
            Fault::Restarted => block_in_place(|| self.broker.stop()),
            Fault::OutOfMemory => self.control(&["set_vm_memory_high_watermark", "0.000001"]).await,
            Fault::OutOfDisk => self.control(&["set_disk_free_limit", "1000GB"]).await,
            Fault::ConnectionsClosed => self.control(&["close_all_connections", "a test"]).await,
            Fault::QueuesDeleted => {
                let client = Client::new(&self.broker).await;
                for queue in ["tieline.connector.sf", "tieline.intake.15", "tieline.parked"] {
                    let deleted = client.channel.queue_delete(queue.into(), QueueDeleteOptions::default());
                    deleted.await.unwrap();
                }
            }
            Fault::Unbound => {
                let client = Client::new(&self.broker).await;
                let (queue, from) = ("tieline.connector.sf".into(), "tieline.events".into());
                let unbound =
                    client.channel.queue_unbind(queue, from, "acme.call.#".into(), Default::default());
                unbound.await.unwrap();
                let unbound = client.channel.queue_unbind(
                    "spy".into(),
                    "tieline.events".into(),
                    "#".into(),
                    Default::default(),
                );
                unbound.await.unwrap();
            }
            Fault::ExchangeDeleted => {
                let client = Client::new(&self.broker).await;
                let options = ExchangeDeleteOptions::default();
                client.channel.exchange_delete("tieline.events".into(), options).await.unwrap();
            }
        }
        match fault {
            Fault::Killed | Fault::Restarted => {
                rig.until("it is noticed", async || rig.bus.health().state == State::Down).await;
                assert!(!rig.bus.health().moves() && rig.bus.health().problem.is_some());
            }
            Fault::OutOfMemory | Fault::OutOfDisk => {
                rig.until("the alarm is noticed", async || rig.bus.health().state == State::Blocked).await;
                let problem = rig.bus.health().problem.unwrap();
                let what = if fault == Fault::OutOfDisk { "disk" } else { "memory" };
                assert!(!rig.bus.health().moves() && problem.contains(what), "{problem}");
            }
            Fault::ConnectionsClosed | Fault::QueuesDeleted | Fault::Unbound | Fault::ExchangeDeleted => {}
        }
    }

    async fn heal(&mut self, fault: Fault) {
        match fault {
            Fault::Killed | Fault::Restarted => block_in_place(|| self.broker.start_again()).unwrap(),
            Fault::OutOfMemory => self.control(&["set_vm_memory_high_watermark", "0.9"]).await,
            Fault::OutOfDisk => self.control(&["set_disk_free_limit", "10MB"]).await,
            Fault::ConnectionsClosed | Fault::QueuesDeleted | Fault::Unbound | Fault::ExchangeDeleted => {}
        }
    }

    /// Runs beside the pace: `rabbitmqctl` takes a second or two.
    async fn control(&self, arguments: &[&str]) {
        block_in_place(|| self.broker.control(arguments)).unwrap();
    }

    /// The median while the fault is in force. What else the machine does passes, and what a broker causes does not, so
    /// a bad one is measured again.
    async fn meanwhile(&self, most: Duration) -> Duration {
        let mut best = Duration::MAX;
        for _ in 0..WINDOWS {
            let since = Instant::now();
            sleep(CALM).await;
            best = best.min(median(&self.pace.since(since)));
            if best <= most {
                break;
            }
        }
        best
    }

    async fn goes_through(&mut self, fault: Fault) {
        let dropped = self.rig.bus.counts().dropped;
        let calm_since = Instant::now();
        sleep(CALM).await;
        let calm = median(&self.pace.since(calm_since));

        let (began, first) = (Instant::now(), self.rig.head());
        self.inflict(fault).await;
        let most = (calm * 3 / 2).max(calm + NOISE);
        let meanwhile = self.meanwhile(most).await;
        let gathered = self.rig.head().0 - self.rig.published_up_to().await.0;
        self.heal(fault).await;
        let healed = (Instant::now(), self.rig.head());
        let rig = &self.rig;
        rig.until("what gathered is published", async || rig.published_up_to().await >= healed.1).await;
        let caught_up = healed.0.elapsed();
        rig.moves().await;

        let longest = self.pace.since(began).last().copied().unwrap();
        println!(
            "{fault:?}: {} commands, median {calm:?} calm, {meanwhile:?} meanwhile, longest {longest:?}; {gathered} gathered, \
             published {caught_up:?} after; {} sessions given up",
            self.pace.since(began).len(),
            rig.bus.counts().dropped - dropped,
        );
        assert!(caught_up < CAUGHT_UP_WITHIN, "{fault:?}");
        assert!(longest < LONGEST, "{fault:?}: a command took {longest:?}");
        assert!(meanwhile <= most, "{fault:?}: {meanwhile:?}, calm {calm:?}");
        assert!(rig.head() > first, "commands went on");
    }
}

// proves D8, F1
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_happens_to_the_broker_loses_nothing_and_delays_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let key = MasterKey::load_or_create(&folder.path().join("journal.key")).unwrap();
    let store = Sqlite::open(&folder.path().join("journal.db"), key).await.unwrap();
    let broker = Broker::start().unwrap();
    // A broker that blocks is left within the test, and what wants a person is soon looked at.
    let rig = Rig::over(store, Bus { blocked_for: Span::secs(1), ..rabbit(&broker) }).await;
    rig.moves().await;
    let client = Client::new(&broker).await;
    client.spy().await;
    rig.until("the cursor is at the head", async || rig.published_up_to().await == rig.head()).await;
    let first = rig.head().next();
    let pace = Pace::start(rig.engines.clone());
    let mut trial = Trial { broker, rig, pace };
    let mut seen = Vec::new();
    for fault in FAULTS {
        if fault == Fault::Unbound {
            // From here on the spy is not told everything, so it is asked before.
            seen = trial.heard_by_the_spy().await;
        }
        let heard = (trial.rig.head(), trial.rig.bus.counts());
        trial.goes_through(fault).await;
        if matches!(fault, Fault::Unbound | Fault::ExchangeDeleted) {
            // The connection's queue is bound again, and gets all of it.
            let (rig, before) = (&trial.rig, heard.1.heard);
            let rows = rig.store.read(&acme(), heard.0, u32::MAX).await.unwrap();
            let for_logs = ["call.", "interaction.", "wrap_up."];
            let is_for_logs = |kind: &str| for_logs.iter().any(|prefix| kind.starts_with(prefix));
            let events = rows.iter().filter(|row| is_for_logs(row.event.kind())).count() as u64;
            rig.until("the connection's queue got all of it", async || {
                rig.bus.counts().heard - before >= events
            })
            .await;
        }
        if fault == Fault::Unbound {
            assert!(trial.rig.bus.counts().returned > heard.1.returned, "counted as returned");
        }
    }
    let until = Seq(*seen.iter().max().unwrap());
    assert_complete_and_in_order(&seen, first.0, until.0);
    let Trial { rig, pace, .. } = trial;
    pace.end().await;
    // Intake and feeds work as before.
    let client = Client::new(&trial.broker).await;
    let taken = rig.bus.counts().taken;
    client.tell(&call("ended", "after", "pace-0")).await;
    rig.until("a producer is heard", async || rig.bus.counts().taken > taken).await;
    let mut feed = rig.bus.log_wanted(&acme(), &salesforce()).unwrap();
    assert_eq!(feed.next().await, Some(rig.head()));
    rig.end().await;
}

impl Trial {
    /// Positions that the spy was told up to now.
    async fn heard_by_the_spy(&self) -> Vec<u64> {
        let last = self.rig.published_up_to().await;
        let client = Client::new(&self.broker).await;
        let mut spy = client.consume("spy").await;
        seen_up_to(&mut spy, last).await
    }
}
