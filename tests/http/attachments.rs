//! Files in chats, with a real clamd that knows one signature of its own.

use crate::customers::{by_anna, chat, rules};
use crate::world::{Talking, World, acme, world};
use serde_json::{Value, json};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tieline_model::Wish;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use uuid::Uuid;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR and some more";
const HARMFUL: &str = "harmful words of the tests";

/// A clamd of this test: its own database of one line, its own socket and port; gone when dropped.
struct Clamd {
    process: Child,
    folder: TempDir,
    port: u16,
}

impl Clamd {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        std::fs::create_dir(at.join("database")).unwrap();
        let hex: String = HARMFUL.bytes().map(|byte| format!("{byte:02x}")).collect();
        std::fs::write(at.join("database/own.ndb"), format!("Tieline.Test.Harmful:0:*:{hex}\n")).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = at.display();
        let settings = format!(
            "Foreground yes\nDatabaseDirectory {at}/database\nTemporaryDirectory {at}\nLocalSocket {at}/clamd.ctl\n\
             TCPSocket {port}\nTCPAddr 127.0.0.1\nStreamMaxLength 1M\nMaxThreads 2\n"
        );
        let file = folder.path().join("clamd.conf");
        std::fs::write(&file, settings).unwrap();
        let mut command = Command::new(program());
        command.arg("--config-file").arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let process = command.spawn().expect("clamd starts: `apt-get install clamav-daemon`");
        let mut clamd = Self { process, folder, port };
        let until = Instant::now() + Duration::from_secs(60);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() || !clamd.socket().exists() {
            assert!(clamd.process.try_wait().unwrap().is_none(), "clamd has ended");
            assert!(Instant::now() < until, "clamd does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        clamd
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("clamd.ctl")
    }
}

impl Drop for Clamd {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Debian keeps it where not everybody's path leads.
fn program() -> PathBuf {
    let known = ["/usr/sbin/clamd", "/usr/local/sbin/clamd"].map(PathBuf::from);
    known.into_iter().find(|path| path.exists()).unwrap_or_else(|| "clamd".into())
}

async fn send(world: &World, talk: &Talking, token: &str, name: &str, body: Vec<u8>) -> (u16, Value) {
    send_as(world, &talk.chat, token, &Uuid::new_v4().to_string(), name, body).await
}

async fn send_as(
    world: &World,
    chat: &str,
    token: &str,
    message: &str,
    name: &str,
    body: Vec<u8>,
) -> (u16, Value) {
    let request = world.http.post(world.url(&format!("/api/v1/acme/chats/{chat}/files"))).bearer_auth(token);
    let request = request.header("x-file-name", name).header("x-message-id", message).body(body);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn file(chat: &str, message: &Value) -> String {
    format!("/api/v1/acme/chats/{chat}/files/{}", message.as_str().unwrap())
}

// proves B18
#[tokio::test]
async fn files_go_both_ways_and_come_back_as_they_were() {
    let world = world("").await;
    let mut talk = world.talking("Grace").await;
    let (status, taken) = send(&world, &talk, &talk.token, "../Gr%C3%BC%C3%9Fe.png", PNG.to_vec()).await;
    assert_eq!(status, 200, "{taken}");
    assert_eq!(
        (taken["name"].as_str(), taken["bytes"].as_u64()),
        (Some("Grüße.png"), Some(PNG.len() as u64))
    );
    let shown = talk.panel.change("message", |_| true).await["message"].clone();
    assert_eq!((&shown["id"], &shown["text"]), (&taken["message"], &json!("Grüße.png")));
    assert_eq!(
        (shown["said"]["kind"].as_str(), shown["said"]["media_type"].as_str()),
        (Some("file"), Some("image/png"))
    );
    let agent = world.agent_token("acme");
    let (status, letter) = send(&world, &talk, &agent, "letter.txt", b"Dear Grace".to_vec()).await;
    assert_eq!((status, letter["media_type"].as_str()), (200, Some("text/plain")));
    let heard = talk.widget.wait(|f| f["message"]["from"] == "agent").await["message"].clone();
    assert_eq!((&heard["id"], heard["name"].as_str()), (&letter["message"], Some("Anna Berg")));
    for token in [&talk.token, &agent] {
        let path = file(&talk.chat, &taken["message"]);
        let answer = world.http.get(world.url(&path)).bearer_auth(token).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let headers = answer.headers().clone();
        let saved = headers["content-disposition"].to_str().unwrap();
        assert!(
            saved.starts_with("attachment; ") && saved.ends_with("filename*=UTF-8''Gr%C3%BC%C3%9Fe.png"),
            "{saved}"
        );
        assert_eq!(
            (&headers["content-type"], &headers["x-content-type-options"]),
            (&"image/png".parse().unwrap(), &"nosniff".parse().unwrap())
        );
        assert!(
            headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'; sandbox")
        );
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(answer.bytes().await.unwrap(), PNG);
    }
    let metrics = world.metrics().await;
    assert!(
        metrics.contains("\ntieline_files_taken_total 2\n")
            && metrics.contains("\ntieline_files_read_total 2\n")
    );
    // After the end the agent who had it still reads it.
    by_anna(&world, Wish::EndChat { interaction: chat(&talk.chat) }).await;
    by_anna(&world, Wish::CompleteWrapUp { interaction: chat(&talk.chat) }).await;
    let path = file(&talk.chat, &taken["message"]);
    let later = world.http.get(world.url(&path)).bearer_auth(&agent).send().await.unwrap();
    assert_eq!(later.status(), 200);
    let (status, _) = send(&world, &talk, &talk.token, "late.png", PNG.to_vec()).await;
    assert_eq!(status, 404, "the chat is over");
}

// proves B18
#[tokio::test]
async fn a_file_that_will_not_do_names_the_limit_and_changes_nothing() {
    let world = world("").await;
    rules(&world, |queue| queue.attachments.bytes_max = 100).await;
    let talk = world.talking("Grace").await;
    let token = talk.token.as_str();
    let text = |n: usize| "x".repeat(n).into_bytes();
    let (status, refusal) = send(&world, &talk, token, "a.txt", text(101)).await;
    assert_eq!(
        (status, refusal["code"].as_str(), refusal["limit"].as_u64()),
        (413, Some("too_long"), Some(100))
    );
    assert_eq!(send(&world, &talk, token, "a.txt", text(100)).await.0, 200);
    for (name, body, field) in [
        ("a.txt", Vec::new(), "file"),
        ("picture.png", b"<svg xmlns='http://www.w3.org/2000/svg' onload='x'/>".to_vec(), "file"),
        ("letter.txt", b"<!doctype html><script>x</script>".to_vec(), "file"),
        ("letter.pdf", b"PK\x03\x04 not what it is called".to_vec(), "file"),
        ("%zz", PNG.to_vec(), "x-file-name"),
    ] {
        let (status, refusal) = send(&world, &talk, token, name, body).await;
        assert_eq!((status, refusal["field"].as_str()), (422, Some(field)), "{name}: {refusal}");
    }
    // In pieces, so that no length is said before, and without an end.
    let mut endless = tokio::net::TcpStream::connect(world.public).await.unwrap();
    let head = format!(
        "POST /api/v1/acme/chats/{}/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         x-file-name: a.txt\r\nx-message-id: m-1\r\ntransfer-encoding: chunked\r\n\r\n",
        talk.chat
    );
    endless.write_all(head.as_bytes()).await.unwrap();
    endless.write_all(format!("80\r\n{}\r\n", "x".repeat(128)).as_bytes()).await.unwrap();
    let mut said = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), endless.read_to_end(&mut said)).await.unwrap().unwrap();
    assert!(said.starts_with(b"HTTP/1.1 413 "), "{}", String::from_utf8_lossy(&said));
    rules(&world, |queue| queue.attachments.from_customer = false).await;
    let (status, refusal) = send(&world, &talk, token, "a.png", PNG.to_vec()).await;
    assert_eq!((status, refusal["code"].as_str()), (403, Some("not_permitted")));
    let (_, snapshot) = world.widget(token).await;
    assert_eq!(snapshot["messages"].as_array().unwrap().len(), 1, "one was taken");
    assert_eq!(snapshot["files"], Value::Null);
}

// proves B10
#[tokio::test]
async fn a_file_sent_again_under_its_id_is_one_message() {
    let world = world("").await;
    let talk = world.talking("Grace").await;
    for _ in 0..2 {
        let (status, _) = send_as(&world, &talk.chat, &talk.token, "file-1", "a.png", PNG.to_vec()).await;
        assert_eq!(status, 200);
    }
    let (status, refusal) = send_as(&world, &talk.chat, &talk.token, "file-1", "b.png", PNG.to_vec()).await;
    assert_eq!((status, refusal["code"].as_str()), (409, Some("id_reused")));
    let (_, snapshot) = world.widget(&talk.token).await;
    assert_eq!(snapshot["messages"].as_array().unwrap().len(), 1);
}

// proves B18
#[tokio::test]
async fn files_are_for_those_at_the_chat_only() {
    let world = world("").await;
    let talk = world.talking("Grace").await;
    let (_, taken) = send(&world, &talk, &talk.token, "a.png", PNG.to_vec()).await;
    let path = file(&talk.chat, &taken["message"]);
    let (own, stranger) = world.start_chat("acme", "Mallory").await;
    let (_, elsewhere) = world.start_chat("other", "Mallory").await;
    let nobody =
        world.auth.tokens().agent(&acme(), &"nobody".parse().unwrap(), tieline::auth::Role::Agent).token;
    let theirs = world.agent_token("other");
    let here = world.agent_token("acme");
    let get = |path: String, token: String| world.http.get(world.url(&path)).bearer_auth(token).send();
    for token in [&stranger, &elsewhere, &nobody, &theirs] {
        let answer = get(path.clone(), token.clone()).await.unwrap();
        assert!(matches!(answer.status().as_u16(), 401 | 404), "{}", answer.status());
        let (status, _) = send(&world, &talk, token, "b.png", PNG.to_vec()).await;
        assert!(matches!(status, 401 | 404), "{status}");
    }
    let across = path.replacen("/acme/", "/other/", 1);
    for token in [&talk.token, &here, &theirs] {
        assert_eq!(get(across.clone(), token.clone()).await.unwrap().status(), 404);
    }
    let borrowed = path.replacen(&talk.chat, &own, 1);
    assert_eq!(get(borrowed, stranger).await.unwrap().status(), 404, "another chat's file is none of this");
    let none = world.http.get(world.url(&path)).send().await.unwrap();
    assert_eq!(none.status(), 401);
    let missing = path.replacen(taken["message"].as_str().unwrap(), "nothing", 1);
    assert_eq!(get(missing, here).await.unwrap().status(), 404);
}

// proves B18
#[tokio::test]
async fn an_infected_file_is_refused_and_its_signature_counted() {
    let clamd = Clamd::start();
    let port = clamd.port;
    for scanner in [format!("127.0.0.1:{port}"), clamd.socket().display().to_string()] {
        let world = world(&format!("[scan]\nclamd = \"{scanner}\"")).await;
        let talk = world.talking("Grace").await;
        let (status, taken) = send(&world, &talk, &talk.token, "good.txt", b"good words".to_vec()).await;
        assert_eq!(status, 200, "{taken}");
        let bad = format!("before {HARMFUL} after").into_bytes();
        let (status, refusal) = send(&world, &talk, &talk.token, "bad.txt", bad).await;
        assert_eq!((status, refusal["field"].as_str()), (422, Some("file")), "{refusal}");
        assert!(refusal["message"].as_str().unwrap().contains("harmful"));
        // Longer than this clamd scans: not taken unscanned.
        let (status, refusal) = send(&world, &talk, &talk.token, "long.txt", vec![b'x'; 3_000_000]).await;
        assert_eq!((status, refusal["code"].as_str()), (503, Some("unavailable")));
        let metrics = world.metrics().await;
        let counted = "tieline_files_infected_total{signature=\"Tieline.Test.Harmful.UNOFFICIAL\"} 1";
        assert!(metrics.contains(counted), "{metrics}");
        let (_, snapshot) = world.widget(&talk.token).await;
        assert_eq!(snapshot["messages"].as_array().unwrap().len(), 1, "only the good one");
    }
}

// proves B18
#[tokio::test]
async fn without_its_scanner_files_are_refused_unless_that_is_allowed() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = taken.local_addr().unwrap();
    for (required, expected) in [(true, 503), (false, 200)] {
        let more = format!("[scan]\nclamd = \"{silent}\"\ntimeout = \"300ms\"\nrequired = {required}");
        let world = world(&more).await;
        let talk = world.talking("Grace").await;
        let (status, refusal) = send(&world, &talk, &talk.token, "a.png", PNG.to_vec()).await;
        assert_eq!(status, expected, "{refusal}");
        assert_eq!(required, refusal["message"].as_str().is_some_and(|m| m.contains("try again")));
        assert!(world.metrics().await.contains("\ntieline_files_unscanned_total 1\n"));
    }
}
