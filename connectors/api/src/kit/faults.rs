//! Logs with faults: at every step that the ledger marks, then the same log again until it is through.

use super::Verdict;
use super::bench::{Ctx, Cue, Desk, by_email, field, holds, kind};
use crate::connector::Saved;
use crate::ledger::Progress;
use crate::outcome::{Failure, Known, Outcome};
use crate::sandbox::Fault;
use std::time::{Duration, Instant};
use tieline_model::crm::{Channel, Log};

/// How long a connector waits that meets a stall, and how much longer the stall is.
const SHORT_PATIENCE: Duration = Duration::from_millis(400);
const STALL_FACTOR: u64 = 4;
/// More steps than a connector can need for one log.
const STEPS_MAX: usize = 30;

pub(super) async fn an_expired_token_is_renewed_at_once(ctx: &Ctx<'_>) -> Verdict {
    let connector = ctx.connect();
    connector.find(&by_email(&ctx.email())).await.map_err(|e| e.to_string())?;
    for step in 0..STEPS_MAX {
        let log = ctx.log();
        let mut desk =
            Desk::with_cue(Progress::default(), step, Cue::Fault(ctx.sandbox, Fault::TokenExpired));
        if step == 0 {
            ctx.sandbox.inject(Fault::TokenExpired, 1).await;
        }
        let answer = connector.upsert_log(&log, &mut desk).await;
        ctx.sandbox.clear_faults().await;
        answer.map_err(|e| format!("step {step}: the token was not renewed: {e}"))?;
        ctx.whole(&log).await?;
        if step > 0 && !desk.happened {
            return Ok(());
        }
    }
    Err(format!("a log took more than {STEPS_MAX} steps"))
}

pub(super) async fn a_refused_token_asks_for_an_administrator(ctx: &Ctx<'_>) -> Verdict {
    ctx.sandbox.inject(Fault::TokenExpired, 1_000).await;
    let before = ctx.sandbox.requests().await;
    let answer = ctx.connect().find(&by_email(&ctx.email())).await;
    holds(
        kind(&answer) == "reauthorise",
        format!("a token refused again and again gives {}", kind(&answer)),
    )?;
    let sent = ctx.sandbox.requests().await - before;
    holds(sent <= 8, format!("{sent} requests were made with tokens that are refused"))
}

pub(super) async fn trouble_at_any_step_is_repeated(ctx: &Ctx<'_>) -> Verdict {
    at_every_step(ctx, &Fault::ServerError, "retry", Ctx::log).await
}

pub(super) async fn trouble_at_any_step_of_a_call_is_repeated(ctx: &Ctx<'_>) -> Verdict {
    at_every_step(ctx, &Fault::ServerError, "retry", Ctx::call).await
}

pub(super) async fn a_limit_at_any_step_is_said(ctx: &Ctx<'_>) -> Verdict {
    at_every_step(ctx, &Fault::Limited { retry_after_s: None }, "throttled", Ctx::log).await?;
    ctx.sandbox.inject(Fault::Limited { retry_after_s: None }, 1).await;
    let answer = ctx.connect().find(&by_email(&ctx.email())).await;
    holds(kind(&answer) == "throttled", format!("a limited look-up gives {}", kind(&answer)))
}

pub(super) async fn a_lock_at_any_step_is_repeated(ctx: &Ctx<'_>) -> Verdict {
    at_every_step(ctx, &Fault::Locked, "retry", Ctx::log).await
}

pub(super) async fn a_lost_answer_at_any_step_makes_nothing_twice(ctx: &Ctx<'_>) -> Verdict {
    at_every_step(ctx, &Fault::SavedThenDropped, "retry", Ctx::log).await
}

pub(super) async fn a_lost_answer_at_any_step_makes_no_second_call(ctx: &Ctx<'_>) -> Verdict {
    at_every_step(ctx, &Fault::SavedThenDropped, "retry", Ctx::call).await
}

pub(super) async fn a_stall_at_any_step_ends_in_time(ctx: &Ctx<'_>) -> Verdict {
    let ms = u64::try_from(SHORT_PATIENCE.as_millis()).unwrap_or(u64::MAX).saturating_mul(STALL_FACTOR);
    at_every_step(ctx, &Fault::Stall { ms }, "retry", Ctx::log).await
}

/// Puts the fault before the first step, then behind each save, and brings the log through afterwards.
async fn at_every_step<'a>(ctx: &Ctx<'a>, fault: &Fault, want: &str, make: fn(&Ctx<'a>) -> Log) -> Verdict {
    for step in 0..STEPS_MAX {
        let log = make(ctx);
        let mut desk = Desk::with_cue(Progress::default(), step, Cue::Fault(ctx.sandbox, fault.clone()));
        if step == 0 {
            ctx.sandbox.inject(fault.clone(), 1).await;
        }
        let stalls = matches!(fault, Fault::Stall { .. });
        let connector = if stalls { (ctx.bench.connect)(SHORT_PATIENCE) } else { ctx.connect() };
        let began = Instant::now();
        let answer = connector.upsert_log(&log, &mut desk).await;
        let took = began.elapsed();
        ctx.sandbox.clear_faults().await;
        let said = kind(&answer);
        // Behind the last call a fault meets nothing, so the log may be done.
        let right = said == want || (said == "done" && step > 0);
        holds(right, format!("step {step}: {fault:?} gives {said}, not {want}"))?;
        tells_nothing(&log, &answer)?;
        lost_is_unknown(fault, &answer)?;
        // A login and a few calls, each given up in time.
        holds(
            !stalls || took < SHORT_PATIENCE * 8,
            format!("step {step}: {fault:?} held the log up for {took:?}"),
        )?;
        ctx.settle(&log, &mut desk.progress).await.map_err(|why| format!("step {step}: {why}"))?;
        whole(ctx, &log).await.map_err(|why| format!("step {step}, {fault:?}: {why}"))?;
        if step > 0 && !desk.happened {
            return Ok(());
        }
    }
    Err(format!("a log took more than {STEPS_MAX} steps"))
}

/// The one record of a log, with a chat's transcript exactly once; a call has none.
async fn whole(ctx: &Ctx<'_>, log: &Log) -> Verdict {
    match log.channel {
        Channel::Chat => ctx.whole(log).await.map(drop),
        Channel::Call => ctx.record(log).await.map(drop),
    }
}

fn tells_nothing(log: &Log, answer: &Outcome<Saved>) -> Verdict {
    let Err(failure) = answer else { return Ok(()) };
    let says = format!("{failure} {failure:?}");
    let content = log.transcript.iter().map(|line| line.text.as_str()).chain(log.person.name.as_deref());
    holds(!content.into_iter().any(|text| says.contains(text)), "a reason repeats what people wrote")
}

fn lost_is_unknown(fault: &Fault, answer: &Outcome<Saved>) -> Verdict {
    // A stall may meet a read, which does nothing; this fault meets writes only.
    let lost = *fault == Fault::SavedThenDropped;
    let sure = matches!(answer, Err(Failure::Retry { known: Known::NotDone, .. }));
    holds(!(lost && sure), "a write whose answer was lost counts as not done, and nobody can know")
}

pub(super) async fn a_crash_between_any_steps_makes_nothing_twice(ctx: &Ctx<'_>) -> Verdict {
    crash_between_steps(ctx, Ctx::log).await
}

pub(super) async fn a_crash_between_any_steps_makes_no_second_call(ctx: &Ctx<'_>) -> Verdict {
    crash_between_steps(ctx, Ctx::call).await
}

async fn crash_between_steps<'a>(ctx: &Ctx<'a>, make: fn(&Ctx<'a>) -> Log) -> Verdict {
    for step in 1..STEPS_MAX {
        let mut happened = false;
        for cue in [Cue::CrashBefore, Cue::CrashAfter] {
            let log = make(ctx);
            let mut desk = Desk::with_cue(Progress::default(), step, cue);
            let answer = ctx.connect().upsert_log(&log, &mut desk).await;
            let went_on = desk.happened && answer.is_ok();
            holds(!went_on, format!("step {step}: the log went on though its ledger could not be saved"))?;
            happened |= desk.happened;
            ctx.settle(&log, &mut desk.progress).await.map_err(|why| format!("step {step}: {why}"))?;
            whole(ctx, &log).await.map_err(|why| format!("step {step}: {why}"))?;
        }
        if !happened {
            return Ok(());
        }
    }
    Err(format!("a log took more than {STEPS_MAX} steps"))
}

/// The daemon dies while a request is under way: the future is dropped after a while, at ever later moments.
pub(super) async fn a_crash_at_any_moment_makes_nothing_twice(ctx: &Ctx<'_>) -> Verdict {
    let latency = 30;
    for moment in 0..STEPS_MAX as u64 * 2 {
        let log = ctx.log();
        let mut desk = Desk::new(Progress::default());
        ctx.sandbox.inject(Fault::Latency { ms: latency }, 1).await;
        let after = Duration::from_millis(5 + moment * latency / 2);
        let answer = tokio::time::timeout(after, ctx.reader.upsert_log(&log, &mut desk)).await;
        ctx.sandbox.clear_faults().await;
        ctx.settle(&log, &mut desk.progress).await.map_err(|why| format!("moment {moment}: {why}"))?;
        ctx.whole(&log).await.map_err(|why| format!("moment {moment}: {why}"))?;
        if answer.is_ok() {
            return Ok(());
        }
    }
    Err("a log took longer than any should".into())
}

pub(super) async fn a_lost_answer_to_an_update_loses_nothing(ctx: &Ctx<'_>) -> Verdict {
    for fault in [Fault::SavedThenDropped, Fault::ServerError, Fault::Locked] {
        let mut log = ctx.log();
        let mut progress = Progress::default();
        ctx.deliver(&log, &mut progress).await?;
        for (version, code) in [(1, "second"), (2, "third")] {
            log.version += version;
            log.codes = vec![code.into()];
            log.person.name = Some(format!("Ada {code}"));
            ctx.sandbox.inject(fault.clone(), 1).await;
            let mut desk = Desk::new(progress);
            let answer = ctx.connect().upsert_log(&log, &mut desk).await;
            ctx.sandbox.clear_faults().await;
            holds(kind(&answer) == "retry", format!("{fault:?} at an update gives {}", kind(&answer)))?;
            progress = desk.progress;
            if code == "third" {
                // Newer facts come before the lost answer is cleared up.
                log.version += 1;
                log.codes = vec!["fourth".into()];
            }
            ctx.settle(&log, &mut progress).await?;
            let record = ctx.whole(&log).await?;
            let text = field(&record, &ctx.bench.facts.text_field);
            holds(text.contains(&log.codes[0]), format!("{fault:?} at an update lost later facts"))?;
            let title = field(&record, &ctx.bench.facts.title_field);
            holds(title.contains(&format!("Ada {code}")), format!("{fault:?} at an update lost a field"))?;
        }
    }
    Ok(())
}

/// The recording is known after the end: the update that carries it meets a fault, and then comes through once.
pub(super) async fn a_lost_answer_to_a_late_recording_loses_nothing(ctx: &Ctx<'_>) -> Verdict {
    for fault in [Fault::SavedThenDropped, Fault::ServerError, Fault::Locked] {
        let mut log = ctx.call();
        let mut progress = Progress::default();
        ctx.deliver(&log, &mut progress).await?;
        log.version += 1;
        let url = ctx.record_call(&mut log);
        ctx.sandbox.inject(fault.clone(), 1).await;
        let mut desk = Desk::new(progress);
        let answer = ctx.connect().upsert_log(&log, &mut desk).await;
        ctx.sandbox.clear_faults().await;
        holds(kind(&answer) == "retry", format!("{fault:?} at an update gives {}", kind(&answer)))?;
        ctx.settle(&log, &mut desk.progress).await?;
        let seen = ctx.seen(&ctx.record(&log).await?);
        holds(seen.recording.as_ref() == Some(&url), format!("{fault:?} at an update lost the recording"))?;
    }
    Ok(())
}

pub(super) async fn a_lost_answer_under_a_named_case_makes_nothing_twice(ctx: &Ctx<'_>) -> Verdict {
    let host = ctx.log();
    let case = ctx.deliver(&host, &mut Progress::default()).await?;
    for fault in [Fault::SavedThenDropped, Fault::ServerError] {
        let mut log = ctx.log();
        log.case = Some(case.record.clone());
        let mut desk = Desk::with_cue(Progress::default(), 2, Cue::Fault(ctx.sandbox, fault.clone()));
        let answer = ctx.connect().upsert_log(&log, &mut desk).await;
        ctx.sandbox.clear_faults().await;
        holds(matches!(kind(&answer), "retry" | "done"), format!("{fault:?} gives {}", kind(&answer)))?;
        ctx.settle(&log, &mut desk.progress).await?;
        ctx.said_once(&log, &ctx.record(&host).await?)?;
    }
    Ok(())
}

/// Two daemons that both believe they own a log, as after a takeover.
pub(super) async fn the_same_log_twice_at_once_is_one_record(ctx: &Ctx<'_>) -> Verdict {
    for _ in 0..8 {
        let log = ctx.log();
        let (mut one, mut two) = (Desk::new(Progress::default()), Desk::new(Progress::default()));
        let (first, second) = (ctx.reader.clone(), ctx.connect());
        let answers = tokio::join!(first.upsert_log(&log, &mut one), second.upsert_log(&log, &mut two));
        for answer in [&answers.0, &answers.1] {
            let said = kind(answer);
            holds(matches!(said, "done" | "retry"), format!("the slower of two gets {said}"))?;
        }
        let first = ctx.settle(&log, &mut one.progress).await?;
        let second = ctx.settle(&log, &mut two.progress).await?;
        holds(first.record == second.record, "two deliveries of one log went to two records")?;
        ctx.record(&log).await?;
    }
    Ok(())
}

pub(super) async fn many_at_once_share_one_login(ctx: &Ctx<'_>) -> Verdict {
    let connector = ctx.connect();
    connector.find(&by_email(&ctx.email())).await.map_err(|e| e.to_string())?;
    ctx.sandbox.inject(Fault::TokenExpired, 1).await;
    let logs: Vec<Log> = (0..16).map(|_| ctx.log()).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for log in logs.clone() {
        let connector = connector.clone();
        tasks.spawn(async move {
            let mut desk = Desk::new(Progress::default());
            connector.upsert_log(&log, &mut desk).await.map(drop)
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.map_err(|e| e.to_string())?.map_err(|e| format!("one of many failed: {e}"))?;
    }
    for log in &logs {
        ctx.whole(log).await?;
    }
    Ok(())
}
