//! New settings for the running daemon: over the admin listener, by SIGHUP, by `tieline reload`; good ones and bad ones.

use crate::daemon::{Centre, Daemon};
use crate::panel::PATIENCE;
use crate::talk::{accept, available};
use crate::visitor::{Visitor, command, person};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tieline_model::live::{AgentDeed, ChatState};

/// The centre's settings with one part in another's place.
fn rewrite(centre: &Centre, from: &str, to: &str) {
    let file = centre.file("tieline.toml");
    let text = std::fs::read_to_string(&file).expect("settings are there");
    assert!(text.contains(from), "{from}");
    std::fs::write(file, text.replace(from, to)).expect("settings are written");
}

/// Anna's entry with further ones beside it; `cleo` has her password.
fn with_cleo(centre: &Centre, more: &str) {
    let text = std::fs::read_to_string(centre.file("tieline.toml")).expect("settings are there");
    let hash = text.lines().find(|line| line.starts_with("password_hash")).expect("a hash").to_owned();
    let cleo = format!(
        "[tenants.demo.agents.cleo]\nqueues = [\"support\"]\n{hash}\n{more}\n[tenants.demo.agents.ben]"
    );
    rewrite(centre, "[tenants.demo.agents.ben]", &cleo);
}

async fn reload(daemon: &Daemon) -> (u16, Value) {
    let client = reqwest::Client::builder().timeout(PATIENCE).build().expect("a client");
    let asked = client.post(format!("{}/admin/reload", daemon.admin)).json(&json!({})).send().await;
    let answer = asked.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

async fn sign_in_status(daemon: &Daemon, agent: &str) -> u16 {
    let body = json!({ "agent": agent, "password": "correct horse" });
    daemon.post("/api/v1/demo/sign-in", &body).await.status().as_u16()
}

async fn hang_up(daemon: &Daemon) {
    let pid = daemon.pid().to_string();
    let told = tokio::process::Command::new("kill").args(["-HUP", &pid]).status().await.expect("kill runs");
    assert!(told.success());
}

// proves F5
#[tokio::test]
async fn chats_go_on_over_a_reload_and_a_new_agent_can_sign_in() {
    let centre = Centre::start().await;
    let daemon = centre.daemon().await;
    let mut anna = daemon.panel("anna").await;
    available(&mut anna).await;
    let mut visitor = Visitor::starts(&daemon, "support", person("Ines", "ines@example.org")).await;
    accept(&mut anna).await;
    visitor.writes("before").await;
    assert_eq!(sign_in_status(&daemon, "cleo").await, 401);
    assert_eq!(reload(&daemon).await, (200, json!({ "changed": [], "at_next_start": [] })));

    with_cleo(&centre, "[tenants.demo.queues.night]\nname = \"Night\"");
    rewrite(&centre, "codes = [\"delivery\", \"refund\"]", "codes = [\"parcel\"]");
    rewrite(&centre, "own_numbers = [", "own_numbers = [\"+44 20 7946 0001\", ");
    rewrite(&centre, "retry_max = \"500ms\"", "retry_max = \"600ms\"");
    let (status, report) = reload(&daemon).await;
    assert_eq!(status, 200, "{report}");
    let changed =
        ["tenants.demo.agents.cleo (new)", "tenants.demo.queues.night (new)", "tenants.demo.queues.support"];
    assert_eq!(report["changed"], json!(changed));
    assert_eq!(report["at_next_start"], json!(["dispatch", "tenants.demo.own_numbers"]));

    // The same sockets, the same chat.
    visitor.writes("after").await;
    let chat = visitor.interaction;
    anna.does(AgentDeed::Send { interaction: chat, text: "Still here.".into() }).await;
    visitor.until("the answer", |v| v.messages.iter().find(|m| m.text == "Still here.").map(|_| ())).await;
    let mut cleo = daemon.panel("cleo").await;
    available(&mut cleo).await;
    Visitor::starts(&daemon, "night", person("Tom", "tom@example.org")).await;
    Visitor::starts(&daemon, "support", person("Tom", "tom@example.org")).await;
    accept(&mut cleo).await;

    // It is what the next start begins with, too.
    daemon.kill().await;
    let daemon = centre.daemon().await;
    let visitor = Visitor::joins(&daemon, chat, visitor.token.clone()).await;
    assert!(matches!(visitor.state, ChatState::Talking { .. }), "{:?}", visitor.state);
    let texts: Vec<_> = visitor.messages.iter().map(|m| m.text.as_str()).collect();
    assert!(texts.contains(&"before") && texts.contains(&"after"), "{texts:?}");
    daemon.stop().await;
}

// proves F5
#[tokio::test]
async fn bad_settings_change_nothing_and_say_everything_that_is_wrong() {
    let centre = Centre::start().await;
    let daemon = centre.daemon().await;
    let good = std::fs::read_to_string(centre.file("tieline.toml")).expect("settings are there");
    with_cleo(&centre, "chat_capacity = 0\n[tenants.other.queues.night]\nhours = \"nowhere\"");
    let (status, refusal) = reload(&daemon).await;
    assert_eq!(status, 422, "{refusal}");
    let said: Vec<&str> = refusal["message"].as_str().expect("words").lines().collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("`tenants.demo.agents.cleo.chat_capacity` is 0;"), "{said:?}");
    assert!(said[1].starts_with("`tenants.other.queues.night.hours` is \"nowhere\";"), "{said:?}");
    assert_eq!(sign_in_status(&daemon, "cleo").await, 401, "nothing of it is in force");

    std::fs::write(centre.file("tieline.toml"), "[tenants.demo\n").expect("settings are written");
    assert_eq!(reload(&daemon).await.0, 422);
    hang_up(&daemon).await;
    assert_eq!(sign_in_status(&daemon, "anna").await, 200, "what was in force stays so");
    let output = centre.verb_under("reload", &admin(&daemon)).await;
    assert_eq!(output.status.code(), Some(78), "{output:?}");

    std::fs::write(centre.file("tieline.toml"), good).expect("settings are written");
    assert_eq!(reload(&daemon).await.0, 200, "and it can be repaired");
    daemon.stop().await;
}

fn admin(daemon: &Daemon) -> [(&'static str, &str); 1] {
    [("TIELINE__HTTP__ADMIN_LISTEN", daemon.admin.strip_prefix("http://").expect("an address"))]
}

/// The second tenant's change is good and the first one's is not: neither takes effect.
#[tokio::test]
async fn a_queue_with_open_chats_stays_and_so_does_everything_else() {
    let centre = Centre::with("[tenants.demo.queues.night]\n").await;
    let daemon = centre.daemon().await;
    let mut visitor = Visitor::starts(&daemon, "night", person("Ines", "ines@example.org")).await;
    rewrite(&centre, "[tenants.demo.queues.night]\n", "[tenants.other.queues.late]\n");
    with_cleo(&centre, "");
    let (status, refusal) = reload(&daemon).await;
    assert_eq!((status, refusal["code"].as_str()), (409, Some("wrong_state")), "{refusal}");
    let said = refusal["message"].as_str().expect("words");
    assert!(said.starts_with("tenant demo: queue night ") && said.contains("1 chats"), "{said}");
    assert_eq!(sign_in_status(&daemon, "cleo").await, 401);
    let body = json!({ "id": command(), "queue": "late", "person": {} });
    let refused = daemon.post("/api/v1/other/chats", &body).await;
    assert!(!refused.status().is_success(), "the other tenant's queue is not there either");

    visitor.ends().await;
    let started = Instant::now();
    while reload(&daemon).await.0 != 200 {
        assert!(started.elapsed() < PATIENCE, "the chat is over, and it is still refused");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(sign_in_status(&daemon, "cleo").await, 200);
    daemon.stop().await;
}

#[tokio::test]
async fn the_signal_and_the_command_line_reload_too() {
    let centre = Centre::start().await;
    // Cleo is asked for until she is known.
    rewrite(&centre, "sign_ins_per_minute = 10000", "sign_ins_per_minute = 10000\nfailures_per_agent = 100");
    let daemon = centre.daemon().await;
    with_cleo(&centre, "");
    hang_up(&daemon).await;
    let started = Instant::now();
    while sign_in_status(&daemon, "cleo").await != 200 {
        assert!(started.elapsed() < PATIENCE, "the signal changed nothing");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    rewrite(
        &centre,
        "name = \"Support\"\n[tenants.demo.queues.support.class",
        "name = \"Help\"\n[tenants.demo.queues.support.class",
    );
    let output = centre.verb_under("reload", &admin(&daemon)).await;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    // The variable of this one call is not the daemon's.
    assert_eq!(said, "changed: tenants.demo.queues.support\n");
    let again = centre.verb_under("reload", &admin(&daemon)).await;
    assert!(String::from_utf8_lossy(&again.stdout).starts_with("Nothing"), "{again:?}");
    daemon.stop().await;
}

/// Hours that close a queue take effect at once, and the customer is told so.
// proves A12
#[tokio::test]
async fn opening_hours_take_effect_with_the_reload() {
    let centre = Centre::start().await;
    let daemon = centre.daemon().await;
    // A schedule that is over: the only day on which it opens is long gone.
    let hours = "hours = \"past\"\n[tenants.demo.schedules.past.holidays]\n2020-01-01 = [\"09:00-10:00\"]\n\
                 [tenants.demo.queues.support.class";
    rewrite(&centre, "[tenants.demo.queues.support.class", hours);
    let (status, report) = reload(&daemon).await;
    assert_eq!(status, 200, "{report}");
    assert_eq!(
        report["changed"],
        json!(["tenants.demo.queues.support", "tenants.demo.schedules.past (new)"])
    );
    let mut late = Visitor::starts(&daemon, "support", person("Ines", "ines@example.org")).await;
    late.until("the offline form", |v| (!matches!(v.state, ChatState::Waiting { .. })).then_some(())).await;
    rewrite(&centre, "hours = \"past\"\n", "");
    assert_eq!(reload(&daemon).await.0, 200);
    let open = Visitor::starts(&daemon, "support", person("Tom", "tom@example.org")).await;
    assert!(matches!(open.state, ChatState::Waiting { .. }), "{:?}", open.state);
    daemon.stop().await;
}
