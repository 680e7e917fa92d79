//! Messages that cannot be carried out here: poison, astray, not yet at home, handed out too often.

use crate::broker::Broker;
use crate::rig::{Client, Rig, SEAL, acme, call, connections, header, next, rabbit};
use async_trait::async_trait;
use futures::StreamExt;
use lapin::BasicProperties;
use lapin::options::{BasicNackOptions, BasicQosOptions, QueuePurgeOptions};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tieline::bus::{self, Engines, Intake, Seal};
use tieline::drive::{self, Done, Request};
use tieline_model::{Code, Refusal, Seq, TenantId};
use tokio::sync::watch;

/// The id of a message at which the engine panics.
const POISON: &str = "poison";

/// Engines that panic at one message, and from which the tenant can be taken away without a word.
struct Moody {
    engines: drive::Handle,
    away: AtomicBool,
}

#[async_trait]
impl Engines for Moody {
    async fn submit_all(&self, requests: Vec<Request>) -> Vec<Result<Done, Refusal>> {
        let elsewhere = || Refusal::new(Code::NotFound, "there is no contact centre of this name here");
        let panicked = || {
            Refusal::new(
                Code::Unavailable,
                "this command could not be carried out; the operator has been told",
            )
        };
        assert!(drive::Handle::means_elsewhere(&elsewhere()) && drive::Handle::means_poison(&panicked()));
        if self.away.load(Ordering::Relaxed) {
            return requests.iter().map(|_| Err(elsewhere())).collect();
        }
        let is_poison: Vec<bool> = requests.iter().map(|r| r.command.id.as_str() == POISON).collect();
        let good = requests.into_iter().filter(|request| request.command.id.as_str() != POISON).collect();
        let mut done = self.engines.submit_all(good).await.into_iter();
        is_poison
            .into_iter()
            .map(|poison| if poison { Err(panicked()) } else { done.next().expect("an outcome each") })
            .collect()
    }
    fn head(&self, tenant: &TenantId) -> Option<watch::Receiver<Seq>> {
        self.engines.head(tenant)
    }
    fn owned(&self) -> watch::Receiver<Arc<BTreeSet<TenantId>>> {
        self.engines.owned()
    }
    fn alone(&self) -> bool {
        true
    }
}

/// Hands out the first message of a queue until the broker has put it aside.
async fn wear_out(client: &Client, queue: &str) {
    client.channel.basic_qos(1, BasicQosOptions::default()).await.unwrap();
    let mut consumer = client.consume(queue).await;
    let mut times = 0;
    loop {
        let delivery = tokio::time::timeout(std::time::Duration::from_secs(3), consumer.next());
        let Ok(Some(delivery)) = delivery.await else { break };
        let again = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
        delivery.unwrap().nack(again).await.unwrap();
        times += 1;
    }
    assert!((100..=101).contains(&times), "handed out {times} times");
}

// proves F5
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_carried_out_here_is_parked_sent_on_or_kept_and_never_holds_up_the_rest() {
    let broker = Broker::start().unwrap();
    let mut rig = Rig::start(rabbit(&broker)).await;
    rig.moves().await;
    let moody = Arc::new(Moody { engines: rig.engines.clone(), away: AtomicBool::new(false) });
    let start = || {
        bus::start(bus::Wiring {
            settings: rabbit(&broker),
            store: rig.store.clone(),
            engines: moody.clone(),
            intake: Intake::new([(acme(), None)].into()),
            connections: connections([acme()]),
            seal: Seal::new(&SEAL),
        })
    };
    let ours = start();
    std::mem::replace(&mut rig.bus, ours).shutdown().await;
    rig.moves().await;
    let client = Client::new(&broker).await;

    // At one message the engine panics, each time. It is put aside; those before and after it are carried out.
    client.tell(&call("ringing", "e-1", "c-1")).await;
    client.tell(&call("ringing", POISON, "c-2")).await;
    client.tell(&call("ended", "e-2", "c-1")).await;
    rig.until("poison is parked", async || rig.bus.counts().parked == 1).await;
    rig.until("the others are taken", async || rig.bus.counts().taken == 2).await;
    let mut parked = client.consume("tieline.parked").await;
    let message = next(&mut parked).await;
    assert_eq!(header(&message, "tieline-code").as_deref(), Some("unavailable"));

    // Only the key is wrong.
    let body = call("ringing", "e-3", "c-3").to_string();
    client.publish("tieline.intake", "nobody.call", body.as_bytes(), BasicProperties::default()).await;
    rig.until("it is sent on and taken", async || rig.bus.counts().taken == 3).await;
    assert_eq!((rig.bus.counts().rerouted, rig.bus.counts().parked), (1, 1));

    // The tenant is not here. Its messages wait, however often the queue is handed over, and keep their order.
    moody.away.store(true, Ordering::Relaxed);
    let before = rig.head();
    for (n, kind) in ["ringing", "answered", "ended"].into_iter().enumerate() {
        client.tell(&call(kind, &format!("w-{n}"), "c-4")).await;
    }
    rig.until("the queue is handed over twice", async || rig.bus.counts().handed_over >= 2).await;
    assert!(rig.bus.counts().handed_over < 10, "not in a hot loop");
    assert_eq!((rig.head(), rig.bus.counts().taken, rig.bus.counts().parked), (before, 3, 1));
    moody.away.store(false, Ordering::Relaxed);
    rig.until("they are taken", async || rig.bus.counts().taken == 6).await;
    let rows = tieline::journal::Store::read(rig.store.as_ref(), &acme(), before, 100).await.unwrap();
    let calls: Vec<_> =
        rows.iter().map(|row| row.event.kind()).filter(|kind| kind.starts_with("call.")).collect();
    assert_eq!(calls, ["call.rang.v1", "call.answered.v1", "call.ended.v1"]);
    assert_eq!(rig.bus.counts().parked, 1);

    // A message that its reader never settles is put aside by the broker, at least once, and parked by whoever is left.
    let embedded =
        Rig::<tieline::journal::MemoryStore>::bus(Default::default(), rig.store.clone(), rig.engines.clone());
    std::mem::replace(&mut rig.bus, embedded).shutdown().await;
    client.channel.queue_purge("tieline.parked".into(), QueuePurgeOptions::default()).await.unwrap();
    client.tell(&call("ringing", "e-5", "c-5")).await;
    wear_out(&Client::new(&broker).await, "tieline.intake.15").await;
    rig.bus = start();
    let message = next(&mut parked).await;
    assert_eq!(header(&message, "tieline-queue").as_deref(), Some("tieline.intake.unrouted"));
    assert_eq!(header(&message, "tieline-limit").as_deref(), Some("100"));
    assert!(Seal::new(&SEAL).open(&message.data).is_ok(), "sealed as all that is parked");
    rig.end().await;
}
