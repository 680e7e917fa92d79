//! Who works in a session: a publisher per tenant that this process serves, a reader per intake queue and per
//! connection that it needs. Tenants come and go while the session stays.

use super::session::Session;
use super::{Fault, intake, logs, publish, unrouted};
use crate::journal::Shard;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tieline_model::{ConnectionId, TenantId};
use tokio::task::{JoinError, JoinSet};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How often the roster is looked at although nothing was announced: a listener that goes says nothing.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Pause before somebody who went is replaced: a tenant's head closes a moment before it is gone from the list.
const REPLACE_AFTER: Duration = Duration::from_millis(50);

/// A piece of work.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Post {
    /// Publishes a tenant's journal.
    Events(TenantId),
    /// Reads the intake of a shard.
    Intake(Shard),
    /// Reads what no binding of the intake wanted.
    Unrouted,
    /// Reads a connection's queue.
    Logs(ConnectionId),
}

type Ended = (Post, Result<(), Fault>);

/// Keeps every post manned until the process stops and all have finished, or one meets a fault.
pub(super) async fn run(session: Arc<Session>) -> Result<(), Fault> {
    let wiring = &session.shared.wiring;
    let (mut owned, mut listeners) = (wiring.engines.owned(), session.shared.wanted.listeners());
    let mut at_work: BTreeMap<Post, CancellationToken> = BTreeMap::new();
    let mut tasks: JoinSet<Ended> = JoinSet::new();
    while !session.stop.is_cancelled() {
        listeners.mark_unchanged();
        let needed = needed(&session, &owned.borrow_and_update().clone());
        for (post, leave) in &at_work {
            if !needed.contains(post) {
                leave.cancel();
            }
        }
        for post in needed {
            at_work.entry(post.clone()).or_insert_with(|| {
                let leave = CancellationToken::new();
                tasks.spawn(man(session.clone(), post, leave.clone()));
                leave
            });
        }
        tokio::select! {
            () = session.stop.cancelled() => {}
            Some(ended) = tasks.join_next() => {
                let (post, ended) = settle(ended)?;
                ended?;
                at_work.remove(&post);
                sleep(REPLACE_AFTER).await;
            }
            // Neither ends before the bus does.
            _ = owned.changed() => {}
            _ = listeners.changed() => {}
            () = sleep(LOOK_EVERY) => {}
        }
    }
    while let Some(ended) = tasks.join_next().await {
        settle(ended)?.1?;
    }
    Ok(())
}

fn needed(session: &Session, owned: &BTreeSet<TenantId>) -> BTreeSet<Post> {
    let wiring = &session.shared.wiring;
    let mut needed: BTreeSet<Post> = owned.iter().cloned().map(Post::Events).collect();
    let served = owned.iter().filter(|tenant| wiring.intake.knows(tenant));
    needed.extend(served.map(|tenant| Post::Intake(Shard::of(tenant))));
    if !owned.is_empty() {
        needed.insert(Post::Unrouted);
    }
    let of_owned = wiring.connections.iter().filter(|(tenant, _)| owned.contains(tenant));
    let listened = session.shared.wanted.listened();
    needed.extend(of_owned.chain(listened).map(|(_, connection)| Post::Logs(connection.clone())));
    needed
}

/// Works at a post until the process stops, or `leave` says that the post is not needed here any more.
async fn man(session: Arc<Session>, post: Post, leave: CancellationToken) -> Ended {
    let ended = match post.clone() {
        Post::Events(tenant) => publish::run(session, tenant, leave).await,
        Post::Intake(shard) => intake::run(session, shard, leave).await,
        Post::Unrouted => unrouted::run(session, leave).await,
        Post::Logs(connection) => logs::run(session, connection, leave).await,
    };
    (post, ended)
}

fn settle(ended: Result<Ended, JoinError>) -> Result<Ended, Fault> {
    ended.map_err(|_| Fault::Panicked)
}
