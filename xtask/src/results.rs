//! What the test runners wrote down: which tests ran, and how they ended. Kept under the target directory, one file
//! per runner, so that `cargo xtask rules` can say whether a claimed proof really ran.

use crate::workspace::target;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::PathBuf;

/// A test that ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ran {
    /// The binary, file or suite it belongs to, as its runner names it (`tieline::tidy`).
    pub(crate) suite: String,
    /// Its name, as its runner names it (`tests::offer_expires`).
    pub(crate) name: String,
    /// It ended well.
    pub(crate) passed: bool,
}

/// Where a runner should write its results; an older file is gone afterwards.
pub(crate) fn fresh(file: &str) -> Result<PathBuf> {
    let dir = dir()?;
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let runner = file.split('.').next().unwrap_or(file);
    for old in ["xml", "txt"].map(|kind| dir.join(format!("{runner}.{kind}"))) {
        if old.exists() {
            fs::remove_file(&old).with_context(|| format!("cannot remove {}", old.display()))?;
        }
    }
    Ok(dir.join(file))
}

/// Everything that the last runs wrote down.
pub(crate) fn read() -> Result<Vec<Ran>> {
    let mut all = Vec::new();
    let dir = dir()?;
    for file in ["rust.xml", "rust.txt", "web.xml", "strangers.xml", "browser.xml"] {
        let path = dir.join(file);
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let ran = if file.ends_with("xml") { junit(&text) } else { cargo_test(&text) };
        all.extend(ran.with_context(|| format!("cannot read {}", path.display()))?);
    }
    Ok(all)
}

fn dir() -> Result<PathBuf> {
    Ok(target()?.join("test-results"))
}

/// The test cases of a JUnit file: as much of XML as the runners write.
fn junit(text: &str) -> Result<Vec<Ran>> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("<testcase ") {
        rest = &rest[at + "<testcase ".len()..];
        let end = tag_end(rest).context("a testcase without an end")?;
        let (tag, after) = rest.split_at(end);
        let name = attribute(tag, "name").context("a testcase without a name")?;
        let suite = attribute(tag, "classname").unwrap_or_default();
        let (skipped, passed) = if tag.ends_with('/') {
            (false, true)
        } else {
            let body = after.split("</testcase>").next().unwrap_or(after);
            let failed = body.contains("<failure") || body.contains("<error");
            (body.contains("<skipped"), !failed)
        };
        if !skipped {
            all.push(Ran { suite, name, passed });
        }
        rest = after;
    }
    Ok(all)
}

/// Where a tag's `>` stands; one inside an attribute does not count.
fn tag_end(text: &str) -> Option<usize> {
    let mut quoted = false;
    text.char_indices().find_map(|(at, c)| {
        quoted ^= c == '"';
        (c == '>' && !quoted).then_some(at)
    })
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let padded = format!(" {tag}");
    let from = padded.find(&format!(" {name}=\""))? + name.len() + 3;
    let value = padded[from..].split('"').next()?;
    Some(
        value
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&apos;", "'")
            .replace("&#39;", "'")
            .replace("&amp;", "&"),
    )
}

/// The lines of `cargo test`: `Running …` names the binary, `test … ok` the tests.
fn cargo_test(text: &str) -> Result<Vec<Ran>> {
    let mut all = Vec::new();
    let mut suite = String::new();
    for line in text.lines().map(str::trim_end) {
        if let Some(running) = line.trim_start().strip_prefix("Running ") {
            suite = binary(running).with_context(|| format!("cannot read `{line}`"))?;
        } else if let Some(test) = line.strip_prefix("test ")
            && let Some((name, end)) = test.rsplit_once(" ... ")
        {
            match end.split([',', ' ']).next() {
                Some("ok") => all.push(Ran { suite: suite.clone(), name: name.to_owned(), passed: true }),
                Some("FAILED") => {
                    all.push(Ran { suite: suite.clone(), name: name.to_owned(), passed: false })
                }
                Some("ignored") => {}
                Some(_) | None => bail!("cannot read `{line}`"),
            }
        }
    }
    Ok(all)
}

/// From `tests/tidy.rs (target/debug/deps/tidy-0123)` to `tidy`.
fn binary(running: &str) -> Option<String> {
    let path = running.rsplit_once('(')?.1.strip_suffix(')')?;
    let file = path.rsplit('/').next()?;
    Some(file.rsplit_once('-').map_or(file, |(name, _)| name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(suite: &str, name: &str, passed: bool) -> Ran {
        Ran { suite: suite.to_owned(), name: name.to_owned(), passed }
    }

    #[test]
    fn junit_cases_are_read_with_their_end() {
        let text = r#"<testsuite name="a"><testcase name="m::one" classname="tieline" time="0.1"/>
            <testcase name="two &gt; &quot;x&quot;" classname="web/a.test.ts"><failure type="x">no</failure></testcase>
            <testcase classname="c" name="three"><skipped/></testcase>
            <testcase name="four" classname="c"></testcase></testsuite>"#;
        let expected = vec![
            ran("tieline", "m::one", true),
            ran("web/a.test.ts", "two > \"x\"", false),
            ran("c", "four", true),
        ];
        assert_eq!(junit(text).unwrap(), expected);
    }

    #[test]
    fn cargo_tests_lines_are_read_with_their_binary() {
        let text = "     Running unittests src/lib.rs (target/debug/deps/tieline-0a1b)\n\
            running 2 tests\ntest bus::tests::one ... ok\ntest two - should panic ... FAILED\n\
            test slow ... ignored, no reason\ntest result: FAILED. 1 passed; 1 failed\n\
            \x20    Running tests/tidy.rs (target/debug/deps/tidy-77)\ntest three ... ok\n";
        let expected = vec![
            ran("tieline", "bus::tests::one", true),
            ran("tieline", "two - should panic", false),
            ran("tidy", "three", true),
        ];
        assert_eq!(cargo_test(text).unwrap(), expected);
    }
}
