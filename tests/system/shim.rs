//! What stands between the daemon and the kernel in some tests: `shim.c`, and what it wrote down.

use std::collections::BTreeMap;
use std::path::PathBuf;
use tempfile::TempDir;
use tokio::process::Command;

/// Room for what is written down; the file is sparse.
const TRACE_BYTES: u64 = 1 << 30;

/// The shim, compiled, with its files.
pub(crate) struct Shim {
    folder: TempDir,
}

impl Shim {
    pub(crate) fn build() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/system/shim.c");
        let mut cc = std::process::Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o"]);
        cc.arg(folder.path().join("shim.so")).arg(source).arg("-ldl");
        assert!(cc.status().expect("a C compiler").success(), "the shim does not compile");
        let shim = Self { folder };
        let trace = std::fs::File::create(shim.file("trace")).expect("a trace");
        trace.set_len(TRACE_BYTES).expect("a length");
        shim.set_clock(0);
        shim
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts itself under a daemon.
    pub(crate) fn under(&self, daemon: &mut Command) {
        daemon.env("LD_PRELOAD", self.file("shim.so"));
        daemon.env("TIELINE_SHIM_TRACE", self.file("trace"));
        daemon.env("TIELINE_SHIM_FAIL", self.file("fail"));
        daemon.env("TIELINE_SHIM_CLOCK", self.file("clock"));
    }

    /// The next sync of the journal's log fails.
    pub(crate) fn fail_next_sync(&self) {
        std::fs::write(self.file("fail"), "").expect("a file");
    }

    /// The wall clock is this much ahead from now on.
    pub(crate) fn set_clock(&self, ahead_ms: i64) {
        use std::os::unix::fs::FileExt;
        let file =
            std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(self.file("clock"));
        file.and_then(|file| file.write_all_at(&ahead_ms.to_ne_bytes(), 0)).expect("the clock is set");
    }

    /// What happened so far, in order.
    pub(crate) fn trace(&self) -> Trace {
        use std::os::unix::fs::FileExt;
        let file = std::fs::File::open(self.file("trace")).expect("a trace");
        let mut used = [0; 8];
        file.read_exact_at(&mut used, 0).expect("a header");
        let mut bytes = vec![0; usize::try_from(u64::from_ne_bytes(used)).expect("a length")];
        file.read_exact_at(&mut bytes, HEADER).expect("what was written down");
        Trace::read(&bytes)
    }
}

const HEADER: u64 = 16;
const RECORD: usize = 24;

/// Something that happened between the daemon and the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    LogWritten,
    SyncBegun,
    SyncDone,
    SyncFailed,
    Sent,
    Ended,
}

/// In order: what happened, when (monotonic nanoseconds), and the bytes.
pub(crate) struct Trace(Vec<(Step, u64, Vec<u8>)>);

impl Trace {
    fn read(mut bytes: &[u8]) -> Self {
        let word = |at: usize, bytes: &[u8]| u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight"));
        let mut steps = BTreeMap::new();
        while bytes.len() >= RECORD {
            let length = u32::from_ne_bytes(bytes[..4].try_into().expect("four")) as usize;
            let step = match u32::from_ne_bytes(bytes[4..8].try_into().expect("four")) {
                1 => Step::LogWritten,
                2 => Step::SyncBegun,
                3 => Step::SyncDone,
                4 => Step::SyncFailed,
                5 => Step::Sent,
                6 => Step::Ended,
                other => panic!("a step that is not whole: {other}"),
            };
            let body = bytes[RECORD..RECORD + length].to_vec();
            steps.insert(word(8, bytes), (step, word(16, bytes), body));
            bytes = &bytes[(RECORD + length).next_multiple_of(8)..];
        }
        Self(steps.into_values().collect())
    }

    /// How often a step was taken.
    pub(crate) fn count(&self, step: Step) -> usize {
        self.0.iter().filter(|(is, _, _)| *is == step).count()
    }

    /// When a step was taken first, in nanoseconds, and at which place.
    pub(crate) fn first(&self, step: Step) -> Option<(usize, u64)> {
        self.0.iter().enumerate().find(|(_, (is, _, _))| *is == step).map(|(at, (_, ns, _))| (at, *ns))
    }

    /// Steps of a kind after a place.
    pub(crate) fn after(&self, place: usize, step: Step) -> usize {
        self.0[place + 1..].iter().filter(|(is, _, _)| *is == step).count()
    }

    /// How many of these ids went out on a socket, each after the log held it and a sync that began later was done.
    ///
    /// # Errors
    /// The id that went out too early.
    pub(crate) fn sent_after_their_sync(&self, ids: &[String]) -> Result<usize, String> {
        let (mut written, mut synced, mut sent) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        // Ids in the log of which no sync has begun, and of which one is under way.
        let (mut waiting, mut under_way): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
        for (at, (step, _, bytes)) in self.0.iter().enumerate() {
            match step {
                Step::LogWritten => {
                    for id in uuids(bytes) {
                        if !written.contains_key(id) {
                            written.insert(id, at);
                            waiting.push(id);
                        }
                    }
                }
                Step::SyncBegun => under_way.append(&mut waiting),
                Step::SyncDone => synced.extend(under_way.drain(..).map(|id| (id, at))),
                Step::SyncFailed => under_way.clear(),
                Step::Sent => uuids(bytes).into_iter().for_each(|id| {
                    sent.entry(id).or_insert(at);
                }),
                Step::Ended => {}
            }
        }
        let mut seen = 0;
        for id in ids {
            let Some(sent) = sent.get(id.as_str()) else { continue };
            seen += 1;
            if synced.get(id.as_str()).is_none_or(|synced| synced > sent) {
                let (written, synced) = (written.get(id.as_str()), synced.get(id.as_str()));
                return Err(format!("{id} went out at {sent}, written {written:?}, synced {synced:?}"));
            }
        }
        Ok(seen)
    }
}

/// Ids as text among bytes.
fn uuids(bytes: &[u8]) -> Vec<&str> {
    let dashes = [8, 13, 18, 23];
    let is = |window: &[u8]| {
        dashes.iter().all(|at| window[*at] == b'-')
            && window.iter().enumerate().all(|(at, b)| dashes.contains(&at) || b.is_ascii_hexdigit())
    };
    // Most windows have no dash where the first one would be.
    let found = bytes.windows(36).filter(|window| window[8] == b'-' && is(window));
    found.filter_map(|window| std::str::from_utf8(window).ok()).collect()
}

/// The proof is worth as much as its failure: made-up traces in which an answer is too early, or its sync failed.
#[test]
fn an_answer_before_its_sync_is_noticed() {
    let id = "0198a1b2-0000-4000-8000-000000000001".to_owned();
    let step = |step| {
        (step, 0, if matches!(step, Step::LogWritten | Step::Sent) { id.clone().into() } else { vec![] })
    };
    let judge = |steps: &[Step]| {
        Trace(steps.iter().map(|s| step(*s)).collect()).sent_after_their_sync(std::slice::from_ref(&id))
    };
    use Step::{LogWritten, Sent, SyncBegun, SyncDone, SyncFailed};
    assert_eq!(judge(&[LogWritten, SyncBegun, SyncDone, Sent]), Ok(1));
    assert_eq!(judge(&[LogWritten, SyncBegun, SyncDone]), Ok(0), "nobody was told");
    for early in [
        &[LogWritten, Sent, SyncBegun, SyncDone][..],
        &[LogWritten, SyncBegun, Sent, SyncDone],
        &[SyncBegun, LogWritten, SyncDone, Sent],
        &[LogWritten, SyncBegun, SyncFailed, Sent],
        &[LogWritten, SyncBegun, SyncFailed, SyncBegun, SyncDone, Sent],
        &[Sent],
    ] {
        assert!(judge(early).is_err(), "{early:?}");
    }
}
