//! A journal on a disk that is full: reading goes on, commands are refused with the reason, nothing is kept by halves, and
//! it goes on by itself once there is room.

use crate::daemon::Centre;
use crate::panel::PATIENCE;
use crate::talk::{accept, available};
use crate::visitor::{Visitor, command, person};
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tieline_model::Code;
use tieline_model::live::StartChat;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A disk of a few megabytes in a mount namespace of its own. Whoever is not root is so in a user namespace; nobody else
/// sees the disk, and it is gone with its holder.
struct SmallDisk {
    holder: Child,
    at: PathBuf,
}

const MEGABYTES: u32 = 12;

impl SmallDisk {
    async fn mount(at: PathBuf) -> Self {
        std::fs::create_dir(&at).expect("a folder");
        let script = format!(
            "mount -t tmpfs -o size={MEGABYTES}m,mode=700 none \"$0\" && echo mounted && exec sleep 600"
        );
        let mut unshare = Command::new("unshare");
        unshare.args(own_user()).args(["--mount", "sh", "-c", &script]).arg(&at);
        let mut holder = unshare.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("unshare runs");
        let mut lines = BufReader::new(holder.stdout.take().expect("its output")).lines();
        let line = lines.next_line().await.expect("its output");
        assert_eq!(line.as_deref(), Some("mounted"), "neither root nor user namespaces may mount here");
        Self { holder, at }
    }

    fn pid(&self) -> String {
        self.holder.id().expect("it lives").to_string()
    }

    /// What stands before a program that is to see the disk.
    fn inside(&self) -> Vec<String> {
        let user: &[&str] = if own_user().is_empty() { &[] } else { &["--user", "--preserve-credentials"] };
        let pid = self.pid();
        ["nsenter", "--target", &pid, "--mount"].iter().chain(user).map(|word| (*word).to_owned()).collect()
    }

    /// The disk as this process reaches it.
    fn file(&self, name: &str) -> PathBuf {
        let below = self.at.strip_prefix("/").expect("an absolute path");
        PathBuf::from(format!("/proc/{}/root", self.pid())).join(below).join(name)
    }

    /// Somebody else's file takes all that is left.
    fn fill(&self) {
        let mut file =
            std::fs::File::options().create(true).append(true).open(self.file("filler")).expect("a file");
        for piece in [1 << 16, 1] {
            let piece = vec![7; piece];
            while file.write_all(&piece).is_ok() {}
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.file("filler")).expect("it was there");
    }
}

fn own_user() -> &'static [&'static str] {
    let root = std::process::Command::new("id").arg("-u").output().expect("id runs").stdout == b"0\n";
    if root { &[] } else { &["--user", "--map-root-user"] }
}

async fn daemon(centre: &Centre, disk: &SmallDisk) -> crate::daemon::Daemon {
    let journal = disk.at.join("journal.db");
    let key = disk.at.join("journal.key");
    let on_it = |run: &mut Command| {
        run.env("TIELINE__JOURNAL__PATH", &journal).env("TIELINE__JOURNAL__KEY_FILE", &key);
        run.env("TIELINE__JOURNAL__BALLAST_BYTES", "2097152");
    };
    centre.daemon_inside(&disk.inside(), on_it).await
}

// proves F1
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_commands_with_the_reason_and_goes_on_by_itself() {
    let centre = Centre::start().await;
    let disk = SmallDisk::mount(centre.file("small")).await;
    let daemon_before = daemon(&centre, &disk).await;
    let mut anna = daemon_before.panel("anna").await;
    available(&mut anna).await;
    let mut visitor = Visitor::starts(&daemon_before, "support", person("Ines", "ines@example.org")).await;
    accept(&mut anna).await;
    visitor.writes("while there was room").await;
    let ballast = std::fs::metadata(disk.file("journal.db-ballast")).expect("a ballast");
    assert_eq!(ballast.len(), 2 << 20, "room is kept");

    disk.fill();
    let mut kept = 1;
    let refusal = loop {
        match visitor.tries(command(), &"x".repeat(400)).await {
            Ok(()) => kept += 1,
            Err(refusal) => break refusal,
        }
        assert!(kept < 20_000, "the disk is never full");
    };
    assert_eq!(refusal.code, Code::Full, "{refusal}");
    assert!(
        refusal.message.contains("disk is full") && refusal.message.contains("nothing was changed"),
        "{refusal}"
    );
    let start = StartChat {
        id: command(),
        queue: "support".parse().expect("a queue"),
        person: person("Tom", "tom@example.org"),
        skills: Default::default(),
        previous: None,
        visitor: None,
    };
    let answer = daemon_before.post("/api/v1/demo/chats", &start).await;
    let (status, body) = (answer.status().as_u16(), answer.json::<Value>().await.expect("JSON"));
    assert_eq!((status, &body["code"]), (507, &json!("full")), "{body}");
    let (status, ready) = daemon_before.readyz().await;
    assert!(status == 503 && ready.to_string().contains("disk is full"), "{ready}");

    // Reading goes on, also for a daemon that begins on a full disk: the ballast gives it room.
    let there = Visitor::joins(&daemon_before, visitor.interaction, visitor.token.clone()).await;
    assert_eq!(there.messages.len(), kept, "what was refused is not there, what was taken is");
    daemon_before.kill().await;
    let daemon_after = daemon(&centre, &disk).await;
    let mut visitor = Visitor::joins(&daemon_after, visitor.interaction, visitor.token.clone()).await;
    assert_eq!(visitor.messages.len(), kept);

    // Full again once the ballast is used up; then somebody makes room, and nobody has to tell the daemon.
    disk.fill();
    while visitor.tries(command(), &"x".repeat(400)).await.is_ok() {
        kept += 1;
        assert!(kept < 40_000, "the disk is never full again");
    }
    disk.make_room();
    let began = Instant::now();
    while visitor.tries(command(), "again").await.is_err() {
        assert!(began.elapsed() < PATIENCE, "there is room, and commands are refused");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let again = Visitor::joins(&daemon_after, visitor.interaction, visitor.token.clone()).await;
    assert_eq!(again.messages.len(), kept + 1);
    assert_eq!(daemon_after.readyz().await.0, 200);
    let verified = daemon_after.admin("verify", &json!({ "tenant": "demo" })).await;
    assert_eq!(verified[0]["agrees"], true, "{verified}");
    daemon_after.stop().await;
}
