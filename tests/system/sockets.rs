//! Very many live sockets, some of which nobody reads, and floods: whoever keeps up notices nothing.

use crate::daemon::{Centre, Daemon};
use crate::panel::PATIENCE;
use crate::visitor::{Visitor, command, person};
use futures::StreamExt;
use futures::stream;
use serde_json::json;
use std::net::SocketAddr;
use std::process::Command as Process;
use std::time::{Duration, Instant};
use tieline_model::live::{ChatStarted, StartChat, WidgetSays};
use tieline_model::{Code, QueueId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// Widgets of one chat (docs/back-pressure.md).
const PER_CHAT: usize = 5;
/// Sockets opened at once.
const AT_ONCE: usize = 50;
/// What an idle socket may cost the daemon, its chat included, unoptimised. It is a fraction of that.
const IDLE_BYTES_MAX: u64 = 96 * 1024;
/// What may be held for a socket that nobody reads.
const HELD_BYTES_MAX: u64 = 256 * 1024;
/// What memory may come and go by beside that.
const NOISE_BYTES: u64 = 48 * 1024 * 1024;
/// Chats whose other widgets read nothing while a lot is written.
const STUCK_CHATS: usize = 3;
/// As long as a message may be, in characters of four bytes.
const LONG: usize = 500;

/// How many sockets: ten thousand in the long tier, or as many as there may be descriptors for.
fn many() -> usize {
    let wanted = if std::env::var_os("TIELINE_LONG").is_some() { 10_000 } else { 2_000 };
    let limits = std::fs::read_to_string("/proc/self/limits").expect("limits");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit of files");
    let hard: usize = line.split_whitespace().nth(4).and_then(|n| n.parse().ok()).unwrap_or(usize::MAX);
    let raised = Process::new("prlimit")
        .args(["--pid", &std::process::id().to_string(), &format!("--nofile={hard}:{hard}")])
        .status();
    assert!(raised.expect("prlimit runs").success(), "the limit of files is not raised to {hard}");
    let many = wanted.min(hard.saturating_sub(1_000)) / PER_CHAT * PER_CHAT;
    if many < wanted {
        println!("only {many} sockets instead of {wanted}: this machine allows {hard} descriptors");
    }
    many
}

/// Resident memory of a process.
fn resident(pid: u32) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).expect("it runs");
    let pages: u64 = statm.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("pages");
    pages * 4_096
}

async fn start(daemon: &Daemon, n: usize) -> ChatStarted {
    let body = StartChat {
        id: command(),
        queue: QueueId::new("support").expect("a queue id"),
        person: person("Ines", &format!("ines{n}@example.org")),
        skills: Default::default(),
        previous: None,
        visitor: None,
    };
    let answer = daemon.post("/api/v1/demo/chats", &body).await;
    answer.json().await.expect("the answer of the schema")
}

/// A widget in as few bytes as it takes; says hello and returns when the first frame has come.
async fn widget(daemon: &Daemon, token: &str, reads: bool) -> TcpStream {
    let host = daemon.url.trim_start_matches("http://").to_owned();
    let socket = TcpSocket::new_v4().expect("a socket");
    if !reads {
        // Nothing piles up on this side, so that it does on the other.
        socket.set_recv_buffer_size(4_096).expect("a small buffer");
    }
    let mut stream =
        socket.connect(host.parse::<SocketAddr>().expect("an address")).await.expect("connected");
    let request = format!(
        "GET /ws/customer?tenant=demo HTTP/1.1\r\nHost: {host}\r\nOrigin: {}\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        daemon.origin
    );
    stream.write_all(request.as_bytes()).await.expect("asked");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("an answer"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    let hello = WidgetSays::Hello { token: token.to_owned() };
    let hello = serde_json::to_string(&hello).expect("frames are JSON");
    let length = u16::try_from(hello.len()).expect("a short token").to_be_bytes();
    // A text frame of 126 to 65,535 bytes, under a mask of zeros.
    let frame = [&[0x81, 0x80 | 126], &length[..], &[0; 4], hello.as_bytes()].concat();
    stream.write_all(&frame).await.expect("hello");
    let mut first = [0; 64];
    stream.read_exact(&mut first).await.expect("a frame");
    let first = String::from_utf8_lossy(&first);
    assert!(first.contains("\"snapshot\""), "{first}");
    stream
}

/// Opens a chat's widgets; those that read do so on their own.
async fn widgets(
    daemon: &Daemon,
    n: usize,
    reads: bool,
    readers: &mut JoinSet<()>,
) -> (ChatStarted, Vec<TcpStream>) {
    let started = start(daemon, n).await;
    let mut held = Vec::new();
    for _ in 0..PER_CHAT {
        let mut stream = widget(daemon, &started.token, reads).await;
        if reads {
            readers.spawn(async move {
                let mut buffer = [0; 1_024];
                while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
            });
        } else {
            held.push(stream);
        }
    }
    (started, held)
}

/// How long a message takes to be acknowledged, the median of some.
async fn median_answer(visitor: &mut Visitor) -> Duration {
    let mut took = Vec::new();
    for n in 0..25 {
        let began = Instant::now();
        visitor.writes(&format!("is anybody there? {n}")).await;
        took.push(began.elapsed());
    }
    took.sort();
    took[took.len() / 2]
}

fn metric(metrics: &str, name: &str) -> u64 {
    let line =
        metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}"));
    line.trim().parse().expect("a number")
}

// proves F4
#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_sockets_cost_little_and_those_nobody_reads_are_dropped_and_come_back() {
    let many = many();
    let centre = Centre::start().await;
    let daemon = centre.daemon_as(|command| {
        let set = |command: &mut tokio::process::Command, name: &str, value: &str| {
            command.env(format!("TIELINE__HTTP__{name}"), value);
        };
        set(command, "SOCKETS_PER_ADDRESS", "100000");
        set(command, "CONNECTIONS_MAX", "100000");
        set(command, "CHATS_PER_MINUTE", "100000");
        set(command, "PING_EVERY", "5m");
        set(command, "PONG_WITHIN", "1s");
    });
    let daemon = daemon.await;
    let mut talker = Visitor::starts(&daemon, "support", person("Tomás", "tomas@example.org")).await;
    let alone = median_answer(&mut talker).await;

    let before = resident(daemon.pid());
    let began = Instant::now();
    let (mut unread, mut stuck) = (Vec::new(), Vec::new());
    let chats = many / PER_CHAT;
    let opening = stream::iter(0..chats).map(|n| {
        let daemon = &daemon;
        async move {
            let mut readers = JoinSet::new();
            // One chat in ten is read by nobody.
            let opened = widgets(daemon, n, n % 10 != 0, &mut readers).await;
            (opened, readers)
        }
    });
    let mut opening = opening.buffer_unordered(AT_ONCE);
    // Readers read on as long as they are kept.
    let mut readers = Vec::new();
    while let Some(((started, held), reading)) = opening.next().await {
        readers.push(reading);
        if !held.is_empty() && stuck.len() < STUCK_CHATS {
            stuck.push(started);
        }
        unread.extend(held);
    }
    drop(opening);
    let opened = began.elapsed();
    let each = resident(daemon.pid()).saturating_sub(before) / many as u64;
    let open = metric(&daemon.metrics().await, "tieline_sockets_open{kind=\"customer\"}");
    assert_eq!(open, many as u64 + 1, "all of them are open");
    let among_many = median_answer(&mut talker).await;
    println!(
        "{many} sockets in {opened:?}, {} of them not reading: {each} bytes for each with its share of a chat; an \
         answer takes {alone:?} alone, {among_many:?} among them (ratio {:.2})",
        unread.len(),
        among_many.as_secs_f64() / alone.as_secs_f64(),
    );
    assert!(each < IDLE_BYTES_MAX, "an idle socket costs {each} bytes");

    // A lot is written in some chats, whose other widgets nobody reads.
    let idle = resident(daemon.pid());
    let mut writers = Vec::new();
    for started in &stuck {
        // Too many widgets: the oldest makes room.
        writers.push(Visitor::joins(&daemon, started.interaction, started.token.clone()).await);
    }
    let waits = (stuck.len() * (PER_CHAT - 1)) as u64;
    let slow_before = metric(&daemon.metrics().await, "tieline_sockets_slow_total");
    let (began, mut written, mut most) = (Instant::now(), 0, idle);
    let text = "🙂".repeat(LONG);
    let meanwhile = loop {
        for writer in &mut writers {
            writer.writes(&text).await;
        }
        written += 1;
        most = most.max(resident(daemon.pid()));
        let slow = metric(&daemon.metrics().await, "tieline_sockets_slow_total") - slow_before;
        if slow >= waits {
            break median_answer(&mut talker).await;
        }
        assert!(
            began.elapsed() < 4 * PATIENCE,
            "{slow} of {waits} were let go after {written} messages each"
        );
    };
    println!(
        "{waits} sockets that nobody read were let go after {written} messages of {} bytes each, {:?}; the daemon \
         grew by {} KiB; an answer took {meanwhile:?} elsewhere",
        text.len(),
        began.elapsed(),
        most.saturating_sub(idle) / 1_024,
    );
    assert!(most - idle < waits * HELD_BYTES_MAX + NOISE_BYTES, "it grew by {} bytes", most - idle);
    // Who was let go comes back and has everything.
    let started = &stuck[0];
    let back = Visitor::joins(&daemon, started.interaction, started.token.clone()).await;
    assert_eq!(back.messages.iter().filter(|message| message.text == text).count(), written);
    drop((unread, writers, readers));
    daemon.stop().await;
}

// proves F4
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_from_one_visitor_one_address_or_one_producer_is_stopped_where_it_enters() {
    let centre = Centre::start().await;
    let daemon = centre
        .daemon_as(|command| {
            command.env("TIELINE__HTTP__CUSTOMER_FRAMES_PER_MINUTE", "60");
            command.env("TIELINE__HTTP__CHATS_PER_MINUTE", "10");
            command.env("TIELINE__HTTP__EVENTS_PER_SECOND", "50");
        })
        .await;
    let mut other = Visitor::starts(&daemon, "support", person("Ines", "ines@example.org")).await;
    let mut flooding = Visitor::starts(&daemon, "support", person("Tomás", "tomas@example.org")).await;
    let calm = median_answer(&mut other).await;

    let visitor = async {
        let ids: Vec<_> = (0..600).map(|_| command()).collect();
        for id in &ids {
            flooding.sends(id.clone(), "buy now").await;
        }
        let mut refused = Vec::new();
        for id in &ids {
            if let Err(refusal) = flooding.answered(id).await {
                refused.push(refusal.code);
            }
        }
        refused
    };
    let address = async {
        let mut refused = 0;
        for n in 0..40 {
            let body = json!({ "id": command(), "queue": "support", "person": { "name": format!("n{n}") } });
            let answer = daemon.post("/api/v1/demo/chats", &body).await;
            refused += usize::from(answer.status().as_u16() == 429);
        }
        refused
    };
    let producer = async {
        let tell = |n: usize| {
            let body = json!({ "specversion": "1.0", "id": format!("f-{n}"), "source": "/pbx/flood", "tenant": "demo",
                "type": "com.tieline.call.ended.v1", "data": { "call": format!("f-{n}") } });
            let daemon = &daemon;
            async move { daemon.try_event(&body.to_string()).await.status().as_u16() }
        };
        let answers: Vec<u16> = stream::iter(0..600).map(tell).buffer_unordered(20).collect().await;
        answers.into_iter().filter(|status| *status == 429).count()
    };
    let (refused, chats, events, meanwhile) =
        tokio::join!(visitor, address, producer, median_answer(&mut other));
    println!(
        "refused: {} of 600 frames, {chats} of 40 chats, {events} of 600 events; an answer to somebody else took \
         {calm:?} before, {meanwhile:?} meanwhile (ratio {:.2})",
        refused.len(),
        meanwhile.as_secs_f64() / calm.as_secs_f64(),
    );
    assert!(refused.len() >= 400 && refused.iter().all(|code| *code == Code::Busy), "{refused:?}");
    assert!(chats >= 25, "{chats} of 40 chats were refused");
    assert!(events >= 100, "{events} of 600 events were refused");
    assert!(
        metric(&daemon.metrics().await, "tieline_throttled_total") >= (refused.len() + chats + events) as u64
    );
    daemon.stop().await;
}
