//! The engine against a naive reading of the rule book, under random scripts.
//!
//! After every step both must have told the same events or the same refusal, and must show the same statuses,
//! inboxes, offers, lines and deadlines. A seed is a script; a failing one is made short by dropping acts and printed.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    unreachable_pub,
    reason = "a test may fail loudly"
)]
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "small numbers")]

mod naive;
mod pair;
mod planted;
mod reached;
mod script;
mod settings;

use pair::{Coverage, Pair};
use planted::Planted;
use script::{Act, Dice};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::Instant;
use tieline_model::Wish;

const SCRIPTS: u64 = 10_000;
/// Scripts in which a planted bug must show.
const PLANTED_SCRIPTS: u64 = 2_000;
const ACTS: u64 = 120;

/// A script: settings and acts.
fn draw(seed: u64) -> (tieline_model::policy::TenantPolicy, Vec<Act>) {
    let mut dice = Dice(seed);
    let policy = settings::draw(&mut dice);
    // People come to work first; what they do then is drawn.
    let mut acts: Vec<Act> = (0..3).flat_map(|a| [Act::Connect(a), Act::Presence(a, 0, false)]).collect();
    acts.extend((0..ACTS).map(|_| script::act(&mut dice)));
    (policy, acts)
}

fn play(
    policy: &tieline_model::policy::TenantPolicy,
    acts: &[Act],
    planted: Planted,
    coverage: &mut Coverage,
) -> Result<(), String> {
    let run = || {
        let mut pair = Pair::new(planted);
        let command = tieline_model::Command {
            id: "c0".parse().unwrap(),
            by: tieline_model::Actor::Daemon,
            wish: Wish::Configure { policy: Box::new(policy.clone()) },
        };
        pair.step(Some(&command), coverage)?;
        for (n, act) in acts.iter().enumerate() {
            pair.act(act, n as u32 + 1, coverage).map_err(|e| format!("act {n}, {act:?}: {e}"))?;
        }
        // A script made shorter stays one of these, or not: what it began with decides.
        if policy.calls.log == tieline_model::policy::CallLogs::All {
            pair.serve_everybody(coverage).map_err(|e| format!("at the end: {e}"))?;
            pair.journal_as_text()?;
        }
        pair.reload()
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(format!(
            "panic: {}",
            text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default()
        ))
    })
}

/// Drops acts as long as the script still fails.
fn shorten(policy: &tieline_model::policy::TenantPolicy, mut acts: Vec<Act>, planted: Planted) -> Vec<Act> {
    let mut size = acts.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < acts.len() {
            let mut fewer = acts.clone();
            fewer.drain(at..(at + size).min(acts.len()));
            if play(policy, &fewer, planted, &mut Coverage::new()).is_err() {
                acts = fewer;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    acts
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs without printing this thread's panics; `play` catches and reports them.
fn quietly<R>(run: impl FnOnce() -> R) -> R {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                loud(info);
            }
        }));
    });
    QUIET.set(true);
    let result = run();
    QUIET.set(false);
    result
}

/// One seed, or as many as asked for.
fn seeds(count: u64) -> Vec<u64> {
    let number = |name| std::env::var(name).ok().map(|n| n.parse().expect("a number"));
    match (number("TIELINE_MODEL_SEED"), number("TIELINE_MODEL_SEEDS")) {
        (Some(seed), _) => vec![seed],
        (None, more) => (1..=more.unwrap_or(count)).collect(),
    }
}

// proves A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A15, A17, B1, B2, B3, B4, B5, B7, B8, B9, B10, B12, B13
// proves B15, B16, B17, B18, B20, C1, C3, C4, C5, C6, C7, C8, E1, E4, E5, F2, F3, G1
#[test]
fn the_engine_does_what_the_rules_say() {
    let began = Instant::now();
    let seeds = seeds(SCRIPTS);
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get().min(8));
    let (coverage, failures) = std::thread::scope(|scope| {
        let parts = seeds.chunks(seeds.len().div_ceil(workers));
        let running: Vec<_> = parts.map(|part| scope.spawn(|| check(part))).collect();
        let (mut all, mut failures) = (Coverage::new(), Vec::new());
        for part in running {
            let (coverage, failed) = part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            coverage.into_iter().for_each(|(what, n)| *all.entry(what).or_default() += n);
            failures.extend(failed);
        }
        (all, failures)
    });
    println!("{} scripts of {ACTS} acts, seeds 1 to {}, {:?}", seeds.len(), seeds.len(), began.elapsed());
    for (what, count) in &coverage {
        println!("{count:>9}  {what}");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    if seeds.len() as u64 == SCRIPTS {
        everything_happened(&coverage);
    }
}

/// Failures told of per thread; one cause most often has many.
const FAILURES_MAX: usize = 6;

fn check(seeds: &[u64]) -> (Coverage, Vec<String>) {
    let (mut coverage, mut failures) = (Coverage::new(), Vec::new());
    for seed in seeds {
        let (policy, acts) = draw(*seed);
        if let Err(error) = quietly(|| play(&policy, &acts, Planted::None, &mut coverage)) {
            let short = quietly(|| shorten(&policy, acts, Planted::None));
            let why = quietly(|| play(&policy, &short, Planted::None, &mut Coverage::new()));
            let lines: Vec<String> = short.iter().map(|act| format!("  {act:?}")).collect();
            let under = if seeds.len() == 1 { format!("under {policy:#?}\n") } else { String::new() };
            let first = error.lines().next().unwrap_or_default();
            failures.push(format!(
                "seed {seed}: {first}\nshortened to\n{}\n{}\n{under}\
                 again: TIELINE_MODEL_SEED={seed} cargo test -p tieline-engine --test model\n",
                lines.join("\n"),
                why.err().unwrap_or_default()
            ));
        }
        if failures.len() >= FAILURES_MAX {
            break;
        }
    }
    (coverage, failures)
}

fn everything_happened(coverage: &Coverage) {
    let missing: Vec<&str> = reached::EVENTS
        .iter()
        .chain(reached::REFUSALS)
        .filter(|what| !coverage.contains_key(**what))
        .copied()
        .collect();
    assert!(missing.is_empty(), "no script led to {missing:?}");
    let new: Vec<&String> = coverage
        .keys()
        .filter(|what| {
            !reached::EVENTS.contains(&what.as_str()) && !reached::REFUSALS.contains(&what.as_str())
        })
        .collect();
    assert!(new.is_empty(), "reached, but not in the list of what must be: {new:?}");
}

/// That the check can fail: each planted bug is caught by some script.
#[test]
fn every_planted_bug_is_caught() {
    let mut missed = Vec::new();
    for planted in planted::ALL.iter().copied() {
        let caught = quietly(|| {
            (1..=PLANTED_SCRIPTS).find_map(|seed| {
                let (policy, acts) = draw(seed);
                let error = play(&policy, &acts, planted, &mut Coverage::new()).err()?;
                Some((seed, error))
            })
        });
        match caught {
            Some((seed, error)) => {
                let first: String = error.chars().take(90).collect();
                println!("{planted:?}: seed {seed}, {}", first.replace('\n', " "));
            }
            None => missed.push(planted),
        }
    }
    assert!(missed.is_empty(), "no script caught {missed:?}");
}
