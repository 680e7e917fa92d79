//! What a kill proves nothing about: that an answer waits for the disk, and that a disk which fails ends the process.

use crate::daemon::Centre;
use crate::load::{self, Load};
use crate::panel::PATIENCE;
use crate::shim::{Shim, Step};
use std::time::{Duration, Instant};

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

// proves F1
#[tokio::test(flavor = "multi_thread")]
async fn no_answer_leaves_before_what_it_answers_for_is_synced() {
    let centre = Centre::with(&load::settings()).await;
    let shim = Shim::build();
    let daemon = centre.daemon_as(|run| shim.under(run)).await;
    let mut load = Load::new(&daemon, 1).await;
    let at_work = load.work(&daemon);
    until("a load", || load.acknowledged() > 300).await;
    daemon.kill().await;
    at_work.join_all().await;
    let trace = shim.trace();
    let ids = load.acknowledged_ids();
    let seen = trace.sent_after_their_sync(&ids).unwrap_or_else(|early| panic!("{early}"));
    // Each was answered under its id, so each must be among what went out.
    assert_eq!(seen, ids.len(), "answers that were not seen to leave");
    println!("{seen} answers, {} syncs of the log, none too early", trace.count(Step::SyncDone));
}

// proves F1
#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_fails_ends_the_process_and_nothing_is_acknowledged_after_it() {
    let centre = Centre::with(&load::settings()).await;
    let shim = Shim::build();
    let daemon = centre.daemon_as(|run| shim.under(run)).await;
    let mut load = Load::new(&daemon, 2).await;
    let at_work = load.work(&daemon);
    until("a load", || load.acknowledged() > 50).await;
    shim.fail_next_sync();
    assert_eq!(daemon.ended().await, Some(1), "it says that it failed");
    at_work.join_all().await;

    let trace = shim.trace();
    let (failed, failed_ns) = trace.first(Step::SyncFailed).expect("a sync failed");
    let (_, ended_ns) = trace.first(Step::Ended).expect("the process ended by itself");
    let took = Duration::from_nanos(ended_ns - failed_ns);
    assert!(took < Duration::from_secs(1), "it went on for {took:?}");
    assert_eq!(trace.after(failed, Step::SyncBegun), 0, "a sync that failed is not tried again");
    let ids = load.acknowledged_ids();
    trace.sent_after_their_sync(&ids).unwrap_or_else(|early| panic!("{early}"));

    let daemon = centre.daemon().await;
    load.check(&daemon).await;
    load.finish(&daemon, &centre).await;
    daemon.stop().await;
    println!("gone {took:.0?} after the sync failed");
}
