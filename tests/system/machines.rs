//! Several replicas over one PostgreSQL: any of them takes any connection, one of them serves the contact centre, and
//! whatever becomes of that one, nothing that was acknowledged is lost.

use crate::daemon::{Centre, Daemon};
use crate::panel::PATIENCE;
use crate::papers::{Authority, Papers};
use crate::postgres::Server;
use crate::talk::{accept, available, saved};
use crate::visitor::{Visitor, command, person};
use std::time::{Duration, Instant};
use tieline_connector_api::sandbox::Sandbox;
use tieline_model::live::{AgentDeed, ChatState, WidgetSays};
use tieline_model::{CommandId, InteractionId};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const ORIGIN: &str = "http://chat.tieline.example";
/// A frozen owner is waited for ten seconds.
const FROZEN_WITHIN: Duration = Duration::from_secs(12);
const CRASHED_WITHIN: Duration = Duration::from_secs(3);
/// Between two messages of the visitor.
const BREATH: Duration = Duration::from_millis(10);

/// A contact centre on several machines.
struct Site {
    centre: Centre,
    database: Server,
    papers: Papers,
}

impl Site {
    async fn new() -> Self {
        let database = tokio::task::spawn_blocking(|| Server::start().expect("a database")).await;
        let mut centre = Centre::start().await;
        centre.origin = Some(ORIGIN.to_owned());
        let papers = Authority::new().papers(&["127.0.0.1"]);
        Self { centre, database: database.expect("started"), papers }
    }

    async fn replica(&self) -> Daemon {
        let url = self.database.url();
        let file = |name: &str| self.papers.file(name);
        self.centre
            .daemon_as(|command| {
                command
                    .env("TIELINE__JOURNAL__KIND", "postgres")
                    .env("TIELINE__JOURNAL__URL", url)
                    .env("TIELINE__HTTP__PUBLIC_URL", ORIGIN)
                    .env("TIELINE__CLUSTER__LISTEN", "127.0.0.1:0")
                    .env("TIELINE__CLUSTER__CA_FILE", file("ca"))
                    .env("TIELINE__CLUSTER__CERT_FILE", file("cert"))
                    .env("TIELINE__CLUSTER__KEY_FILE", file("key"));
            })
            .await
    }

    /// Rows that an older owner wrote after a newer one: there must never be any.
    fn written_by_a_former_owner(&self) -> String {
        let text =
            "SELECT count(*) FROM (SELECT epoch, max(epoch) OVER (PARTITION BY tenant ORDER BY seq) AS newest
                    FROM tieline.journal) AS rows WHERE epoch < newest";
        self.database.sql("postgres", text).expect("the journal can be read").trim().to_owned()
    }
}

/// Whether it serves a contact centre itself, by its own figures.
async fn serves(replica: &Daemon, tenant: &str) -> bool {
    replica.metrics().await.contains(&format!("tieline_journal_head{{tenant=\"{tenant}\"}}"))
}

/// Waits until the two contact centres of the settings are shared out, to two of them; where `demo` is, in the list.
async fn owner(replicas: &[Daemon]) -> usize {
    let started = Instant::now();
    loop {
        let (mut demo, mut other) = (Vec::new(), Vec::new());
        for (at, replica) in replicas.iter().enumerate() {
            demo.extend(serves(replica, "demo").await.then_some(at));
            other.extend(serves(replica, "other").await.then_some(at));
        }
        match (demo.as_slice(), other.as_slice()) {
            ([demo], [other]) if demo != other => return *demo,
            _ => {}
        }
        assert!(started.elapsed() < PATIENCE, "they are not shared out: {demo:?} {other:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until every one of them lets a chat begin, whoever serves it.
async fn all_take_chats(replicas: &[Daemon]) {
    for replica in replicas {
        let started = Instant::now();
        let body = serde_json::json!({ "id": command(), "queue": "support", "person": {} });
        while !replica.post("/api/v1/demo/chats", &body).await.status().is_success() {
            assert!(started.elapsed() < PATIENCE, "it takes no chats");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// What a visitor who never gives up was told.
#[derive(Clone, Default)]
struct Told {
    /// Messages that were taken, in order.
    taken: Vec<CommandId>,
    /// The longest time between two of them.
    longest: Duration,
}

/// A visitor who writes without a pause and joins again whenever the socket closes.
struct Tireless {
    stop: watch::Sender<bool>,
    told: watch::Receiver<Told>,
    task: JoinHandle<()>,
}

impl Tireless {
    fn begins(replica: Daemon, interaction: InteractionId, token: String) -> (Self, JoinHandle<Daemon>) {
        let (stop, stopped) = watch::channel(false);
        let (tell, told) = watch::channel(Told::default());
        let (back, daemon) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(async move {
            let (mut visitor, mut last) = (None, Instant::now());
            let mut id = command();
            while !*stopped.borrow() {
                let Some(joined) = &mut visitor else {
                    visitor = Visitor::tries_to_join(&replica, interaction, token.clone()).await;
                    if visitor.is_none() {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    continue;
                };
                let text = format!("message {}", tell.borrow().taken.len());
                let says = WidgetSays::Send { id: id.clone(), text };
                match joined.attempts(&id, &says).await {
                    Some(Ok(())) => {
                        let waited = last.elapsed();
                        tokio::time::sleep(BREATH).await;
                        last = Instant::now();
                        let taken = std::mem::replace(&mut id, command());
                        tell.send_modify(|told| {
                            told.taken.push(taken);
                            told.longest = told.longest.max(waited);
                        });
                    }
                    // It says to send it again under the same id.
                    Some(Err(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
                    None => visitor = None,
                }
            }
            drop(back.send(replica));
        });
        let daemon = tokio::spawn(async move { daemon.await.expect("it gives the replica back") });
        (Self { stop, told, task }, daemon)
    }

    async fn until_taken(&mut self, more: usize, within: Duration) -> Duration {
        let (from, began) = (self.told.borrow().taken.len(), Instant::now());
        let enough = self.told.wait_for(|told| told.taken.len() >= from + more);
        drop(
            tokio::time::timeout(within, enough)
                .await
                .expect("messages are taken in time")
                .expect("it writes"),
        );
        began.elapsed()
    }

    async fn ends(self) -> Told {
        self.stop.send_replace(true);
        self.task.await.expect("no panic");
        self.told.borrow().clone()
    }
}

/// Everything that was taken is there, once and in order.
async fn nothing_is_lost(replica: &Daemon, interaction: InteractionId, token: String, told: &Told) {
    let visitor = Visitor::joins(replica, interaction, token).await;
    let seen: Vec<&CommandId> = visitor.messages.iter().map(|m| &m.id).collect();
    let kept: Vec<&CommandId> = seen.iter().copied().filter(|id| told.taken.contains(id)).collect();
    let differs = kept.iter().zip(&told.taken).position(|(kept, taken)| *kept != taken);
    let counts = (seen.len(), kept.len(), told.taken.len());
    assert!(differs.is_none() && kept.len() == told.taken.len(), "at {differs:?} of {counts:?}");
    assert!(seen.len() <= told.taken.len() + 1, "nothing that nobody sent: {counts:?}");
}

// proves D1, D6, F1
#[tokio::test(flavor = "multi_thread")]
async fn any_replica_takes_any_connection_of_a_chat() {
    let site = Site::new().await;
    let replicas = [site.replica().await, site.replica().await, site.replica().await];
    let serving = owner(&replicas).await;
    all_take_chats(&replicas).await;
    let [here, there] = [(serving + 1) % 3, (serving + 2) % 3];
    let mut anna = replicas[here].panel("anna").await;
    available(&mut anna).await;
    // Three visitors were there before, to see that each replica takes one.
    for _ in 0..replicas.len() {
        accept(&mut anna).await;
        let chat = anna.until("the chat", |p| p.view.items.first().map(|i| i.interaction)).await;
        anna.does(AgentDeed::EndChat { interaction: chat }).await;
        anna.does(AgentDeed::CompleteWrapUp { interaction: chat }).await;
        anna.until("its end", |p| p.view.items.is_empty().then_some(())).await;
    }
    let mut visitor = Visitor::starts(&replicas[there], "support", person("Ines", "ines@example.org")).await;
    accept(&mut anna).await;
    visitor.until("the agent", |v| matches!(v.state, ChatState::Talking { .. }).then_some(())).await;
    visitor.writes("is anybody there?").await;
    let chat = visitor.interaction;
    anna.does(AgentDeed::Send { interaction: chat, text: "I am.".into() }).await;
    visitor.until("the answer", |v| v.messages.iter().find(|m| m.text == "I am.").map(|_| ())).await;
    anna.does(AgentDeed::EndChat { interaction: chat }).await;
    anna.does(AgentDeed::CompleteWrapUp { interaction: chat }).await;
    anna.until("the case", |p| saved(p, chat)).await;
    let records = site.centre.crm.log_records().await;
    assert_eq!(records.iter().filter(|r| r.key == chat.to_string()).count(), 1, "one case");
    for replica in replicas {
        replica.stop().await;
    }
    assert_eq!(site.written_by_a_former_owner(), "0");
}

/// A chat on three replicas, with a visitor who writes through one that does not serve it.
struct Scene {
    site: Site,
    owner: Option<Daemon>,
    third: Daemon,
    writer: Tireless,
    through: JoinHandle<Daemon>,
    interaction: InteractionId,
    token: String,
}

async fn scene() -> Scene {
    let site = Site::new().await;
    let mut replicas = vec![site.replica().await, site.replica().await, site.replica().await];
    let serving = owner(&replicas).await;
    all_take_chats(&replicas).await;
    let owner = Some(replicas.remove(serving));
    let (through, third) = (replicas.remove(0), replicas.remove(0));
    let visitor = Visitor::starts(&through, "support", person("Ines", "ines@example.org")).await;
    let (interaction, token) = (visitor.interaction, visitor.token.clone());
    let (mut writer, through) = Tireless::begins(through, interaction, token.clone());
    writer.until_taken(50, PATIENCE).await;
    Scene { site, owner, third, writer, through, interaction, token }
}

impl Scene {
    fn owner(&mut self) -> Daemon {
        self.owner.take().expect("it is there once")
    }

    /// Everybody stops in order; what was taken is there, and no gap was longer than this.
    async fn ends(self, also: Option<Daemon>, allowed: Duration) {
        let told = self.writer.ends().await;
        println!("{} messages taken; for {:?} at most none was", told.taken.len(), told.longest);
        assert!(told.longest <= allowed, "nothing was taken for {:?}", told.longest);
        let through = self.through.await.expect("no panic");
        nothing_is_lost(&through, self.interaction, self.token, &told).await;
        for replica in [Some(through), Some(self.third), self.owner, also].into_iter().flatten() {
            replica.stop().await;
        }
        assert_eq!(self.site.written_by_a_former_owner(), "0");
    }
}

// proves F1
#[tokio::test(flavor = "multi_thread")]
async fn when_the_owner_is_killed_another_serves_within_three_seconds() {
    let mut scene = scene().await;
    scene.owner().kill().await;
    let took = scene.writer.until_taken(1, CRASHED_WITHIN).await;
    println!("served again {took:?} after kill -9");
    scene.writer.until_taken(50, PATIENCE).await;
    scene.ends(None, CRASHED_WITHIN + Duration::from_secs(1)).await;
}

// proves F1
#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_owner_is_succeeded_and_writes_nothing_when_it_wakes() {
    let long = std::env::var_os("TIELINE_LONG").is_some();
    let pauses: &[u64] = if long { &[15, 30, 60] } else { &[15] };
    for seconds in pauses {
        let mut scene = scene().await;
        let owner = scene.owner();
        owner.freeze().await;
        let froze = Instant::now();
        let took = scene.writer.until_taken(1, FROZEN_WITHIN).await;
        println!("served again {took:?} after SIGSTOP");
        tokio::time::sleep_until((froze + Duration::from_secs(*seconds)).into()).await;
        owner.thaw().await;
        scene.writer.until_taken(50, PATIENCE).await;
        // It lets go, and from then on forwards like any other.
        let woke = Instant::now();
        loop {
            let joins = Visitor::tries_to_join(&owner, scene.interaction, scene.token.clone());
            if !serves(&owner, "demo").await && joins.await.is_some() {
                break;
            }
            assert!(woke.elapsed() < PATIENCE, "it does not see that it was succeeded");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        scene.ends(Some(owner), FROZEN_WITHIN + Duration::from_secs(1)).await;
    }
}

// proves F1, F3
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_order_hands_over_within_a_second_or_two() {
    let mut scene = scene().await;
    let owner = scene.owner();
    owner.terminate().await;
    assert_eq!(owner.ended().await, Some(0));
    scene.writer.until_taken(50, PATIENCE).await;
    scene.ends(None, CRASHED_WITHIN).await;
}

// proves F1
#[tokio::test(flavor = "multi_thread")]
async fn the_database_may_be_killed_in_mid_sentence() {
    let mut scene = scene().await;
    for _ in 0..3 {
        let mut database = scene.site.database;
        let restarted = tokio::task::spawn_blocking(move || {
            database.kill();
            database.start_again().expect("it starts again");
            database
        });
        scene.site.database = restarted.await.expect("no panic");
        scene.writer.until_taken(50, PATIENCE).await;
    }
    scene.ends(None, PATIENCE).await;
}
