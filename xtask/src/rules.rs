//! `cargo xtask rules`: which rule is proved by which tests. The rules are those of `docs/behaviour.md`; a test
//! claims some by a line `proves B2, B3` in a comment right above it; the runners' results say whether it ran.

use crate::results::{self, Ran};
use crate::workspace::root;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Options of `cargo xtask rules`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail when `docs/rules.md` differs from what the tests say.
    #[arg(long)]
    check: bool,
}

const RULES: &str = "docs/behaviour.md";
const PAGE: &str = "docs/rules.md";

/// A test that says it proves rules.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    /// The file, from the root.
    file: String,
    /// The line of the comment, from 1.
    line: usize,
    /// The function, or the title where tests have titles.
    test: String,
    /// The rules.
    rules: Vec<String>,
}

/// Writes or checks the page.
///
/// # Errors
/// A claim names a rule that does not exist or a test that did not run or did not pass; or the page is stale.
pub(crate) fn run(args: &Args) -> Result<()> {
    let rules = read_rules(&fs::read_to_string(root().join(RULES)).with_context(|| format!("no {RULES}"))?)?;
    let claims = read_claims()?;
    let ran = results::read()?;
    let faults = faults(&rules, &claims, &ran);
    if !faults.is_empty() {
        bail!("{}", faults.join("\n  "));
    }
    let page = page(&rules, &claims);
    let path = root().join(PAGE);
    if fs::read_to_string(&path).ok().as_deref() == Some(page.as_str()) {
        println!("    {PAGE} is fresh: {}", summary(&rules, &claims));
        return Ok(());
    }
    if args.check {
        bail!("{PAGE} is stale: run `cargo xtask rules` and commit it");
    }
    fs::write(&path, page).with_context(|| format!("cannot write {PAGE}"))?;
    println!("wrote {PAGE}: {}", summary(&rules, &claims));
    Ok(())
}

/// Rule ids with their sentence, in the order of the page: lines of the form `- **B2** A sentence.`
fn read_rules(text: &str) -> Result<Vec<(String, String)>> {
    let mut rules: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        let Some((id, sentence)) = line.strip_prefix("- **").and_then(|rest| rest.split_once("** ")) else {
            continue;
        };
        if !is_rule_id(id) {
            bail!("{RULES}: {id} is no rule id (a letter and a number)");
        }
        if rules.iter().any(|(known, _)| known == id) {
            bail!("{RULES}: {id} stands there twice");
        }
        rules.push((id.to_owned(), sentence.trim().to_owned()));
    }
    if rules.is_empty() {
        bail!("{RULES} holds no rules");
    }
    Ok(rules)
}

fn is_rule_id(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_uppercase())
        && !chars.as_str().is_empty()
        && chars.all(|c| c.is_ascii_digit())
}

/// Every claim in the tests that stand in the repository.
fn read_claims() -> Result<Vec<Claim>> {
    let mut claims = Vec::new();
    let mut folders = ["src", "connectors", "tests", "web", "xtask"].map(|name| root().join(name)).to_vec();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if !matches!(name.as_str(), "node_modules" | "dist" | "target" | "fixtures") {
                    folders.push(path);
                }
            } else if let Some(language) = Language::of(&name) {
                let text =
                    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
                claims.extend(claims_of(&relative(&path), &text, language)?);
            }
        }
    }
    claims.sort();
    Ok(claims)
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[derive(Debug, Clone, Copy)]
enum Language {
    Rust,
    Script,
    Python,
}

impl Language {
    fn of(file: &str) -> Option<Self> {
        match file.rsplit('.').next()? {
            "rs" => Some(Self::Rust),
            "ts" | "tsx" | "mjs" => Some(Self::Script),
            "py" => Some(Self::Python),
            _ => None,
        }
    }

    fn comment(self) -> &'static str {
        match self {
            Self::Rust | Self::Script => "// proves ",
            Self::Python => "# proves ",
        }
    }

    /// The test that this line begins, if it begins one.
    fn test(self, line: &str) -> Option<String> {
        let line = line.trim_start();
        match self {
            Self::Rust => {
                let words: Vec<_> = line.split(|c: char| c.is_whitespace() || c == '(' || c == '<').collect();
                let at = words.iter().position(|word| *word == "fn")?;
                Some((*words.get(at + 1)?).to_owned())
            }
            Self::Python => {
                let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("def ")?;
                Some(name.split('(').next()?.to_owned())
            }
            Self::Script => {
                let line = line.strip_prefix("await ").unwrap_or(line);
                let after = ["test", "it"].iter().find_map(|word| line.strip_prefix(word))?;
                let title = after.trim_start_matches(".each").split_once('(')?.1;
                let quote = title.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
                Some(title[1..].split(quote).next()?.to_owned())
            }
        }
    }
}

fn claims_of(file: &str, text: &str, language: Language) -> Result<Vec<Claim>> {
    let lines: Vec<_> = text.lines().collect();
    let mut claims = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(list) = line.trim_start().strip_prefix(language.comment()) else { continue };
        let place = format!("{file}:{}", at + 1);
        let rules: Vec<_> = list.trim_end_matches('.').split(',').map(|id| id.trim().to_owned()).collect();
        if let Some(odd) = rules.iter().find(|id| !is_rule_id(id)) {
            bail!("{place}: `{odd}` is no rule id; write `{}B2, B3` and nothing else", language.comment());
        }
        // Attributes and other comments may stand between the claim and its test, code may not.
        let test = lines[at + 1..]
            .iter()
            .take_while(|next| !next.trim().is_empty())
            .take(12)
            .find_map(|next| language.test(next))
            .with_context(|| format!("{place}: no test follows this claim"))?;
        claims.push(Claim { file: file.to_owned(), line: at + 1, test, rules });
    }
    Ok(claims)
}

/// Everything that is wrong with the claims, in words.
fn faults(rules: &[(String, String)], claims: &[Claim], ran: &[Ran]) -> Vec<String> {
    let mut faults = Vec::new();
    for claim in claims {
        let place = format!("{}:{}", claim.file, claim.line);
        for id in &claim.rules {
            if rules.iter().all(|(known, _)| known != id) {
                faults.push(format!("{place}: there is no rule {id} in {RULES}"));
            }
        }
        let runs: Vec<_> = ran.iter().filter(|ran| is_run_of(claim, ran)).collect();
        if runs.is_empty() {
            faults.push(format!("{place}: {} did not run; run `cargo xtask test` first", claim.test));
        } else if let Some(failed) = runs.iter().find(|ran| !ran.passed) {
            faults.push(format!("{place}: {} failed ({})", claim.test, failed.suite));
        }
    }
    faults
}

/// Whether this is a run of the claiming test. Rust names tests by package, binary and module; the others by file.
fn is_run_of(claim: &Claim, ran: &Ran) -> bool {
    if !claim.file.ends_with(".rs") {
        let stem = Path::new(&claim.file).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        return ran.suite.contains(stem.split('.').next().unwrap_or(&stem))
            && (ran.name == claim.test || ran.name.ends_with(&format!(" > {}", claim.test)));
    }
    let last = ran.name.rsplit("::").next().unwrap_or(&ran.name);
    if last.split(" - ").next() != Some(claim.test.as_str()) {
        return false;
    }
    let path = PathBuf::from(&claim.file);
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if let Some(at) = parts.iter().position(|part| part == "tests") {
        let binary =
            parts.get(at + 1).map(|name| name.trim_end_matches(".rs").to_owned()).unwrap_or_default();
        // A file in a shared folder (`tests/support/`) becomes part of whatever binary includes it.
        return ran.suite == binary
            || ran.suite.ends_with(&format!("::{binary}"))
            || ran.name.split("::").any(|module| module == binary);
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let module = if matches!(stem.as_str(), "mod" | "lib" | "main") {
        parts.iter().rev().nth(1).cloned()
    } else {
        Some(stem)
    };
    // `intake_tests.rs` stands beside `intake.rs` and is its module of tests.
    let module = module.unwrap_or_default().trim_end_matches("_tests").to_owned();
    let in_module = ran.name.split("::").any(|part| part == module);
    let in_crate =
        ran.suite.replace('_', "-").split("::").any(|part| part.ends_with(&module.replace('_', "-")));
    in_module || in_crate || matches!(module.as_str(), "src")
}

fn page(rules: &[(String, String)], claims: &[Claim]) -> String {
    let mut by_rule: BTreeMap<&str, Vec<&Claim>> = BTreeMap::new();
    for claim in claims {
        for id in &claim.rules {
            by_rule.entry(id).or_default().push(claim);
        }
    }
    let mut page = String::from(
        "<!-- Generated by `cargo xtask rules`; edit the tests' `proves` comments and docs/behaviour.md instead. -->\n\n\
         # Rules and their proofs\n\n",
    );
    let _ = writeln!(page, "{}.", summary(rules, claims));
    page.push_str("Each test named here ran and passed when this page was checked.\n");
    let mut letter = None;
    for (id, sentence) in rules {
        if letter != id.chars().next() {
            letter = id.chars().next();
            page.push_str("\n| rule | what it asks | proved by |\n|---|---|---|\n");
        }
        let proofs = by_rule.get(id.as_str()).map_or_else(
            || "not yet".to_owned(),
            |claims| {
                let named: Vec<_> = claims.iter().map(|c| format!("`{}` ({})", c.test, c.file)).collect();
                named.join("<br>")
            },
        );
        let _ = writeln!(page, "| {id} | {} | {} |", cell(sentence), cell(&proofs));
    }
    page
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn summary(rules: &[(String, String)], claims: &[Claim]) -> String {
    let proved = rules.iter().filter(|(id, _)| claims.iter().any(|claim| claim.rules.contains(id))).count();
    format!("{proved} of {} rules are proved, at least in part, by {} tests", rules.len(), claims.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(file: &str, test: &str, rules: &[&str]) -> Claim {
        let rules = rules.iter().map(|id| (*id).to_owned()).collect();
        Claim { file: file.to_owned(), line: 1, test: test.to_owned(), rules }
    }

    fn ran(suite: &str, name: &str, passed: bool) -> Ran {
        Ran { suite: suite.to_owned(), name: name.to_owned(), passed }
    }

    fn known() -> Vec<(String, String)> {
        vec![("A1".to_owned(), "Presence.".to_owned()), ("A2".to_owned(), "Channels.".to_owned())]
    }

    #[test]
    fn claims_are_read_in_three_languages() {
        let slashes = concat!("// ", "proves A1, B20");
        let rust = format!("    {slashes}\n    #[tokio::test]\n    async fn it_parks() {{\n");
        assert_eq!(
            claims_of("a.rs", &rust, Language::Rust).unwrap(),
            [claim("a.rs", "it_parks", &["A1", "B20"])]
        );
        let script = format!("{slashes}\nawait test('it \"parks\"', async () => {{\n");
        assert_eq!(
            claims_of("a.ts", &script, Language::Script).unwrap(),
            [claim("a.ts", "it \"parks\"", &["A1", "B20"])]
        );
        let python = "# proves D6\ndef test_upsert(broker):\n";
        assert_eq!(
            claims_of("a.py", python, Language::Python).unwrap(),
            [claim("a.py", "test_upsert", &["D6"])]
        );
    }

    #[test]
    fn a_claim_with_prose_or_without_a_test_is_refused() {
        let prose = concat!("// ", "proves A1 when it rains\nfn a() {}\n");
        assert!(claims_of("a.rs", prose, Language::Rust).unwrap_err().to_string().contains("is no rule id"));
        let lonely = concat!("// ", "proves A1\n\nfn a() {}\n");
        assert!(
            claims_of("a.rs", lonely, Language::Rust).unwrap_err().to_string().contains("no test follows")
        );
    }

    #[test]
    fn an_unknown_rule_a_test_that_did_not_run_and_a_failed_one_are_faults() {
        let claims = [
            claim("tests/tidy.rs", "a", &["A1"]),
            claim("tests/tidy.rs", "b", &["Z9"]),
            claim("tests/tidy.rs", "c", &["A2"]),
        ];
        let ran = [
            ran("tieline::tidy", "a", false),
            ran("tieline::tidy", "b", true),
            ran("tieline::other", "c", true),
        ];
        let faults = faults(&known(), &claims, &ran);
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert!(faults[0].contains("a failed"));
        assert!(faults[1].contains("no rule Z9"));
        assert!(faults[2].contains("c did not run"));
    }

    #[test]
    fn a_run_belongs_to_the_file_that_claims_it() {
        let cases = [
            ("src/bus/codec.rs", ran("tieline", "bus::codec::tests::x", true), true),
            ("src/bus/codec.rs", ran("tieline", "bus::session::tests::x", true), false),
            ("src/bus/mod.rs", ran("tieline", "bus::tests::x", true), true),
            ("src/bus/intake_tests.rs", ran("tieline", "bus::intake::tests::x", true), true),
            ("src/engine/lib.rs", ran("tieline-engine", "tests::x", true), true),
            ("src/engine/tests/offers.rs", ran("tieline-engine::offers", "x", true), true),
            ("tests/system/main.rs", ran("tieline::system", "outage::x", true), true),
            ("connectors/salesforce/src/lib.rs", ran("tieline-salesforce", "tests::x", true), true),
            ("web/panel/clock.test.ts", ran("panel/clock.test.ts", "clock > x", true), true),
            ("web/panel/clock.test.ts", ran("panel/other.test.ts", "x", true), false),
        ];
        for (file, ran, expected) in cases {
            assert_eq!(is_run_of(&claim(file, "x", &["A1"]), &ran), expected, "{file} {ran:?}");
        }
    }

    #[test]
    fn rules_without_proof_say_so() {
        let page = page(&known(), &[claim("tests/tidy.rs", "a", &["A1"])]);
        assert!(page.contains("| A1 | Presence. | `a` (tests/tidy.rs) |"), "{page}");
        assert!(page.contains("| A2 | Channels. | not yet |"));
        assert!(page.contains("1 of 2 rules"));
    }
}
