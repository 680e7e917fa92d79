//! `cargo xtask test`: every test there is, part by part, each timed against its budget. A part that fails does not
//! stop the others; the closing table shows all of them, and the exit status says whether one failed.

use crate::workspace::{cargo, command, on_path, root, run as run_command};
use crate::{pages, prerequisites, results};
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Options of `cargo xtask test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run only this part; may be given several times. An unknown name lists the parts.
    #[arg(long, value_name = "PART")]
    only: Vec<String>,
    /// Run the long tier too: tests see TIELINE_LONG=1 and take more seeds and longer scripts.
    #[arg(long)]
    long: bool,
}

/// One part: its name, what it may take on two cores and a clean checkout, and what it does.
struct Part {
    name: &'static str,
    budget: Duration,
    run: fn(&Args) -> Result<()>,
}

/// In this order: the daemon's build takes in `web/dist`, and `generated` reads what the parts before it ran.
const PARTS: [Part; 7] = [
    Part { name: "format", budget: Duration::from_secs(30), run: format },
    Part { name: "web", budget: Duration::from_secs(120), run: web },
    Part { name: "lints", budget: Duration::from_secs(300), run: lints },
    Part { name: "rust", budget: Duration::from_secs(900), run: rust },
    Part { name: "strangers", budget: Duration::from_secs(150), run: strangers },
    Part { name: "browser", budget: Duration::from_secs(180), run: browser },
    Part { name: "generated", budget: Duration::from_secs(30), run: generated },
];

/// Runs the parts and prints the table.
///
/// # Errors
/// A part is not known, or at least one failed.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut results = Vec::new();
    for part in choose(&args.only)? {
        println!("\n== {} (budget {})", part.name, clock(part.budget));
        let start = Instant::now();
        let outcome = (part.run)(args);
        if let Err(error) = &outcome {
            println!("   {} failed: {error:#}", part.name);
        }
        results.push((part, start.elapsed(), outcome));
    }
    close(&results)
}

fn choose(only: &[String]) -> Result<Vec<&'static Part>> {
    if let Some(unknown) = only.iter().find(|name| PARTS.iter().all(|part| part.name != **name)) {
        let names: Vec<_> = PARTS.iter().map(|part| part.name).collect();
        bail!("there is no part {unknown}; the parts are {}", names.join(", "));
    }
    Ok(PARTS.iter().filter(|part| only.is_empty() || only.iter().any(|name| name == part.name)).collect())
}

/// The closing table, and whether all is well.
fn close(results: &[(&Part, Duration, Result<()>)]) -> Result<()> {
    println!("\n{:<12}{:>9}{:>9}  result", "part", "took", "budget");
    let mut total = Duration::ZERO;
    let mut allowed = Duration::ZERO;
    for (part, took, outcome) in results {
        total += *took;
        allowed += part.budget;
        let said = match outcome {
            Ok(()) if *took > part.budget => "passed, over its budget".to_owned(),
            Ok(()) => "passed".to_owned(),
            Err(error) => format!("FAILED: {error}"),
        };
        println!("{:<12}{:>9}{:>9}  {said}", part.name, clock(*took), clock(part.budget));
    }
    println!("{:<12}{:>9}{:>9}", "all", clock(total), clock(allowed));
    let failed: Vec<_> =
        results.iter().filter(|(_, _, o)| o.is_err()).map(|(part, _, _)| part.name).collect();
    if failed.is_empty() {
        println!("{} passed, 0 failed", results.len());
        return Ok(());
    }
    println!("{} passed, {} failed", results.len() - failed.len(), failed.len());
    bail!("failed: {}", failed.join(", "))
}

/// Minutes and seconds.
fn clock(time: Duration) -> String {
    let tenths = time.as_millis() / 100;
    format!("{}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
}

fn format(_: &Args) -> Result<()> {
    run_command(cargo().args(["fmt", "--all", "--check"]))
}

fn lints(_: &Args) -> Result<()> {
    pages::build_if_stale()?;
    run_command(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

/// Builds what the daemon serves, then checks types and style and runs the unit tests of panel, widget and hosts.
fn web(_: &Args) -> Result<()> {
    pages::build()?;
    run_command(command("npm").args(["run", "--silent", "check"]).current_dir(root().join("web")))?;
    let mut tests = command("npx");
    tests.args(["vitest", "run", "--reporter=default", "--reporter=junit"]);
    tests.arg(format!("--outputFile.junit={}", results::fresh("web.xml")?.display()));
    run_command(tests.current_dir(root().join("web")))
}

/// Every Rust test, by nextest where it is installed. Examples in the documentation are tests too.
fn rust(args: &Args) -> Result<()> {
    pages::build_if_stale()?;
    prerequisites::broker()?;
    prerequisites::database()?;
    prerequisites::scanner()?;
    prerequisites::operations()?;
    if cargo_has_nextest() {
        nextest(args, "not binary(strangers)", "rust.xml")?;
    } else {
        println!(
            "  cargo-nextest is not installed; cargo test runs them, a little slower, and the strangers too"
        );
        for ready in [prerequisites::browser, prerequisites::node, prerequisites::python] {
            ready()?;
        }
        let mut tests = cargo();
        tests.args(["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests"]);
        run_and_keep(long(args, &mut tests), &results::fresh("rust.txt")?)?;
    }
    run_command(cargo().args(["test", "--workspace", "--doc"]))
}

/// Clients that other people wrote, as they come from their registries, against the stand-ins of the CRMs.
fn strangers(args: &Args) -> Result<()> {
    for ready in [prerequisites::browser, prerequisites::node, prerequisites::python] {
        ready()?;
    }
    if cargo_has_nextest() {
        return nextest(args, "binary(strangers)", "strangers.xml");
    }
    println!("  they ran among the Rust tests, which cargo test cannot tell apart");
    Ok(())
}

/// Runs the tests of a filter and keeps what nextest wrote about them, whether they passed or not.
fn nextest(args: &Args, filter: &str, kept: &str) -> Result<()> {
    let kept = results::fresh(kept)?;
    let ran = run_command(long(args, cargo().args(["nextest", "run", "--workspace", "-E", filter])));
    // Nextest keeps its own folder below the root, whatever the target directory is.
    let junit = root().join("target/nextest/default/junit.xml");
    fs::copy(&junit, &kept).with_context(|| format!("nextest left no {}", junit.display()))?;
    ran
}

/// The whole way in a real browser, over both buses; the demo that it starts is the one people start.
fn browser(_: &Args) -> Result<()> {
    prerequisites::browser()?;
    prerequisites::broker()?;
    prerequisites::npm_packages("tests/e2e")?;
    let python = prerequisites::python_for("tests/e2e")?;
    let mut tests = command("node");
    tests.arg("tests/e2e/run.mjs").arg("--junit").arg(results::fresh("browser.xml")?);
    run_command(tests.env("TIELINE_PYTHON", python))
}

/// What is committed and generated is what would be generated now.
fn generated(_: &Args) -> Result<()> {
    // Through cargo, because the parts before may have built this very program anew.
    run_command(cargo().args(["xtask", "schema", "--check"]))?;
    run_command(cargo().args(["xtask", "rules", "--check"]))
}

fn cargo_has_nextest() -> bool {
    on_path("cargo-nextest")
}

fn long<'a>(args: &Args, command: &'a mut Command) -> &'a mut Command {
    if args.long { command.env("TIELINE_LONG", "1") } else { command }
}

/// Runs a command with both its streams on our standard output, and keeps a copy of them.
fn run_and_keep(command: &mut Command, kept: &Path) -> Result<()> {
    let (reader, writer) = std::io::pipe().context("no pipe to be had")?;
    let mut child = command
        .stdin(Stdio::null())
        .stderr(writer.try_clone().context("no pipe to be had")?)
        .stdout(writer)
        .spawn()
        .context("cannot start cargo test")?;
    // The command keeps its ends of the pipe open until it is spawned anew; these must go, or reading never ends.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut copy = fs::File::create(kept).with_context(|| format!("cannot write {}", kept.display()))?;
    for line in BufReader::new(reader).split(b'\n') {
        let mut line = line.context("cannot read what cargo test prints")?;
        line.push(b'\n');
        copy.write_all(&line)?;
        std::io::stdout().write_all(&line)?;
    }
    let status = child.wait().context("cargo test is gone")?;
    if !status.success() {
        bail!("cargo test failed ({status})");
    }
    Ok(())
}
