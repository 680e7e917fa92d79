//! Several agents at work: chats handed on, guests, whispers, colleagues, and a supervisor's hand.

use crate::world::{Socket, Talking, World, acme, world};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// A colleague and a supervisor beside Anna.
pub(crate) const PEOPLE: &str = "[tenants.acme.queues.sales]\nname = \"Sales\"\n\
    [tenants.acme.agents.ben]\nname = \"Ben Okoro\"\nqueues = [\"support\", \"sales\"]\n\
    [tenants.acme.agents.zoe]\nname = \"Zoë Lind\"\nqueues = []\nsupervisor = true\n";

pub(crate) fn token_of(world: &World, agent: &str) -> String {
    let agent = agent.parse().unwrap();
    world.auth.tokens().agent(&acme(), &agent, tieline::auth::Role::Agent).token
}

pub(crate) async fn panel_of(world: &World, agent: &str) -> (Socket, Value) {
    let mut socket = world.socket("/ws/agent").await;
    socket.say(&json!({ "frame": "hello", "token": token_of(world, agent), "can_pop": false })).await;
    let snapshot = socket.frame("snapshot").await;
    (socket, snapshot["view"].clone())
}

async fn does(panel: &mut Socket, deed: Value) {
    let refusal = panel.ask(json!({ "frame": "do", "do": deed })).await;
    assert_eq!(refusal, Value::Null, "{deed}");
}

async fn refused(panel: &mut Socket, deed: Value) -> String {
    let refusal = panel.ask(json!({ "frame": "do", "do": deed })).await;
    refusal["code"].as_str().unwrap_or_else(|| panic!("{deed} was done")).to_owned()
}

pub(crate) async fn is_available(panel: &mut Socket) {
    does(panel, json!({ "deed": "set_presence", "presence": { "presence": "available" } })).await;
}

/// Everything a page is shown, from a page that has just been opened.
async fn shows(world: &World, agent: &str) -> Value {
    panel_of(world, agent).await.1
}

fn texts(view: &Value, chat: &str) -> Vec<(String, String)> {
    let chats = view["messages"].as_array().unwrap().iter();
    let of = chats.filter(|of| of["interaction"] == chat).flat_map(|of| of["messages"].as_array().unwrap());
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    of.map(|m| (word(&m["said"]["kind"]), word(&m["text"]))).collect()
}

fn said(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(kind, text)| ((*kind).to_owned(), (*text).to_owned())).collect()
}

const PASSED_ON: &str = "We are connecting you with a colleague. Your conversation goes along.";

// proves B12, B6
#[tokio::test]
async fn a_chat_handed_to_a_colleague_is_an_offer_with_a_note_and_brings_what_was_said() {
    let world = world(PEOPLE).await;
    let Talking { mut panel, mut widget, chat, .. } = world.talking("Grace").await;
    let (mut ben, _) = panel_of(&world, "ben").await;
    is_available(&mut ben).await;
    assert_eq!(widget.ask(json!({ "frame": "send", "text": "my parcel" })).await, Value::Null);
    panel.say(&json!({ "frame": "typing", "interaction": chat })).await;
    assert_eq!(widget.frame("typing").await["for"], 6_000);
    let to = json!({ "to": "agent", "agent": "ben" });
    does(
        &mut panel,
        json!({ "deed": "transfer", "interaction": chat, "to": to, "note": "speaks of parcel 7" }),
    )
    .await;
    let offer = ben.change("offer", |c| c["offer"].is_object()).await["offer"].clone();
    let by = json!({ "agent": "anna", "name": "Anna Berg", "note": "speaks of parcel 7", "warm": false });
    assert_eq!(offer["handed_by"], by);
    assert_eq!(offer["person"]["name"], "Grace");
    let mine = shows(&world, "anna").await;
    assert_eq!(mine["items"][0]["transfer"]["to"], "ben", "the sender owns the chat until it is accepted");
    does(&mut ben, json!({ "deed": "accept_offer", "offer": offer["offer"] })).await;
    panel.change("item_gone", |c| c["interaction"] == chat.as_str()).await;
    assert_eq!(widget.frame("typing").await["for"], 0, "the sign dies with the transfer");
    let his = shows(&world, "ben").await;
    assert_eq!(his["items"][0]["place"], "active");
    let all = said(&[("words", "my parcel"), ("note", "speaks of parcel 7"), ("notice", PASSED_ON)]);
    assert_eq!(texts(&his, &chat), all);
    does(&mut ben, json!({ "deed": "send", "interaction": chat, "text": "hello again" })).await;
    loop {
        let frame = widget.hear().await.unwrap();
        assert!(!frame.to_string().contains("parcel 7"), "a note is for agents: {frame}");
        if frame["message"]["text"] == "hello again" {
            break;
        }
    }
    let today = shows(&world, "anna").await["me"]["today"].clone();
    assert_eq!((&today["chats"], &today["transferred"]), (&json!(1), &json!(1)));
}

// proves B12
#[tokio::test]
async fn a_chat_sent_to_another_queue_brings_its_note_to_whoever_takes_it() {
    let world = world(PEOPLE).await;
    let mut talk = world.talking("Grace").await;
    let chat = talk.chat.clone();
    let to = json!({ "to": "queue", "queue": "sales" });
    let deed = json!({ "deed": "transfer", "interaction": chat, "to": to, "note": "wants two" });
    assert_eq!(refused(&mut talk.panel, deed.clone()).await, "needs_confirmation", "nobody is at work there");
    let (mut ben, view) = panel_of(&world, "ben").await;
    let sales = view["queues"].as_array().unwrap().iter().find(|q| q["queue"] == "sales").unwrap();
    assert_eq!((&sales["staff"], &sales["open"]), (&json!(0), &json!(true)));
    is_available(&mut ben).await;
    does(&mut talk.panel, deed).await;
    let offer = ben.change("offer", |c| c["offer"].is_object()).await["offer"].clone();
    assert_eq!((offer["queue"].as_str(), &offer["handed_by"]), (Some("sales"), &Value::Null));
    does(&mut ben, json!({ "deed": "accept_offer", "offer": offer["offer"] })).await;
    let his = shows(&world, "ben").await;
    assert_eq!(texts(&his, &chat), said(&[("note", "wants two"), ("notice", PASSED_ON)]));
}

// proves A15, B12, B6
#[tokio::test]
async fn who_is_asked_in_reads_whispers_and_takes_over_and_the_customer_never_hears_a_whisper() {
    let world = world(PEOPLE).await;
    let Talking { mut panel, mut widget, chat, token } = world.talking("Grace").await;
    let (mut ben, _) = panel_of(&world, "ben").await;
    is_available(&mut ben).await;
    assert_eq!(widget.ask(json!({ "frame": "send", "text": "it is broken" })).await, Value::Null);
    let to = json!({ "to": "agent", "agent": "ben", "warm": true });
    does(&mut panel, json!({ "deed": "transfer", "interaction": chat, "to": to })).await;
    let offer = ben.change("offer", |c| c["offer"].is_object()).await["offer"].clone();
    assert_eq!(offer["handed_by"]["warm"], true);
    does(&mut ben, json!({ "deed": "accept_offer", "offer": offer["offer"] })).await;
    let his = shows(&world, "ben").await;
    assert_eq!(his["joined"][0]["guest"], "consulted");
    assert_eq!(his["joined"][0]["owner_name"], "Anna Berg");
    assert_eq!((texts(&his, &chat), &his["items"]), (said(&[("words", "it is broken")]), &json!([])));
    let mine = shows(&world, "anna").await;
    assert_eq!(
        mine["items"][0]["guests"],
        json!([{ "agent": "ben", "name": "Ben Okoro", "guest": "consulted" }])
    );
    does(&mut panel, json!({ "deed": "whisper", "interaction": chat, "text": "secret of Anna" })).await;
    ben.change("message", |c| c["message"]["said"]["kind"] == "whisper").await;
    does(&mut ben, json!({ "deed": "whisper", "interaction": chat, "text": "secret of Ben" })).await;
    let heard = panel.change("message", |c| c["message"]["text"] == "secret of Ben").await;
    assert_eq!(heard["message"]["name"], "Ben Okoro");
    widget.say(&json!({ "frame": "typing" })).await;
    for reader in [&mut panel, &mut ben] {
        let sign = reader.frame("typing").await;
        assert_eq!((&sign["agent"], &sign["for"]), (&Value::Null, &json!(6_000)));
    }
    ben.say(&json!({ "frame": "typing", "interaction": chat })).await;
    assert_eq!(panel.frame("typing").await["agent"], "ben");
    does(&mut ben, json!({ "deed": "send", "interaction": chat, "text": "I am Ben" })).await;
    let over = panel.wait(|f| f["frame"] == "typing" && f["agent"] == "ben").await;
    assert_eq!(over["for"], 0, "the sign dies with the message");
    does(&mut panel, json!({ "deed": "hand_over", "interaction": chat, "agent": "ben" })).await;
    ben.change("joined_gone", |c| c["interaction"] == chat.as_str()).await;
    does(&mut ben, json!({ "deed": "send", "interaction": chat, "text": "last" })).await;
    loop {
        let frame = widget.hear().await.unwrap();
        assert!(!frame.to_string().contains("secret"), "{frame}");
        if frame["message"]["text"] == "last" {
            break;
        }
    }
    let (_again, snapshot) = world.widget(&token).await;
    assert!(!snapshot.to_string().contains("secret"), "{snapshot}");
    assert_eq!(snapshot["messages"].as_array().unwrap().len(), 4, "{snapshot}");
    let his = shows(&world, "ben").await;
    assert_eq!((&his["joined"], his["items"].as_array().unwrap().len()), (&json!([]), 1));
    assert_eq!(texts(&his, &chat).iter().filter(|(kind, _)| kind == "whisper").count(), 2);
    assert_eq!(
        refused(&mut panel, json!({ "deed": "whisper", "interaction": chat, "text": "x" })).await,
        "not_found"
    );
}

/// Every deed of a supervisor's, about this chat and this agent.
fn supervisor_deeds(chat: &str, agent: &str) -> Vec<Value> {
    let act = |act: Value| json!({ "deed": "supervise", "act": act, "reason": "the line is long" });
    vec![
        act(json!({ "act": "set_presence", "agent": agent, "presence": { "presence": "stop_new" } })),
        act(json!({ "act": "requeue", "interaction": chat })),
        act(json!({ "act": "assign", "interaction": chat, "agent": agent })),
        act(json!({ "act": "finish_wrap_up", "interaction": chat })),
        act(json!({ "act": "join", "interaction": chat })),
        act(json!({ "act": "unblock", "marks": ["x"] })),
        json!({ "deed": "watch", "on": true }),
    ]
}

// proves A15
#[tokio::test]
async fn an_ordinary_agent_may_do_nothing_of_a_supervisors() {
    let world = world(PEOPLE).await;
    let mut talk = world.talking("Grace").await;
    let (mut ben, _) = panel_of(&world, "ben").await;
    for deed in supervisor_deeds(&talk.chat, "anna") {
        assert_eq!(refused(&mut ben, deed.clone()).await, "not_permitted", "{deed}");
    }
    let mine = shows(&world, "anna").await;
    assert_eq!((&mine["me"]["presence"]["presence"], &mine["supervised"]), (&json!("available"), &json!([])));
    assert_eq!(mine["items"][0]["guests"], json!([]));
    let status = explain(&world, "acme", &talk.chat, &token_of(&world, "ben")).await.0;
    assert_eq!(status, 403);
    does(&mut talk.panel, json!({ "deed": "send", "interaction": talk.chat, "text": "still mine" })).await;
}

// proves A15
#[tokio::test]
async fn a_supervisor_watches_the_floor_joins_and_acts_and_the_agent_sees_who_and_why() {
    let world = world(PEOPLE).await;
    let mut talk = world.talking("Grace").await;
    let chat = talk.chat.clone();
    let (mut zoe, view) = panel_of(&world, "zoe").await;
    assert_eq!((&view["me"]["supervisor"], &view["watched"]), (&json!(true), &Value::Null));
    does(&mut zoe, json!({ "deed": "watch", "on": true })).await;
    zoe.say(&json!({ "frame": "resync" })).await;
    let floor = zoe.frame("snapshot").await["view"]["watched"].clone();
    let agents = floor["agents"].as_array().unwrap();
    let anna = agents.iter().find(|a| a["agent"] == "anna").unwrap();
    assert_eq!(
        (&anna["status"]["status"], &anna["connected"], &anna["load"]),
        (&json!("handling_chat"), &json!(true), &json!(1))
    );
    assert_eq!((agents.len(), floor["queues"].as_array().unwrap().len()), (3, 2));
    assert_eq!(floor["chats"][0]["place"], json!({ "at": "open", "agent": "anna", "place": "active" }));
    assert!(!floor.to_string().contains("Grace"), "the floor has no content");
    assert_eq!(
        refused(&mut zoe, json!({ "deed": "send", "interaction": chat, "text": "x" })).await,
        "not_found"
    );
    assert_eq!(talk.widget.ask(json!({ "frame": "send", "text": "private words" })).await, Value::Null);
    let act = |act: Value| json!({ "deed": "supervise", "act": act, "reason": "to help" });
    // Nothing of what is said reaches a supervisor who has not joined; what comes next shows that nothing came before.
    does(&mut zoe, act(json!({ "act": "join", "interaction": chat }))).await;
    let act_seen = talk.panel.change("supervised", |_| true).await["supervised"].clone();
    assert_eq!(
        (act_seen["by_name"].as_str(), act_seen["reason"].as_str(), act_seen["act"]["act"].as_str()),
        (Some("Zoë Lind"), Some("to help"), Some("join"))
    );
    let hers = shows(&world, "zoe").await;
    assert_eq!(
        (&hers["joined"][0]["guest"], texts(&hers, &chat)),
        (&json!("supervisor"), said(&[("words", "private words")]))
    );
    does(&mut zoe, act(json!({ "act": "requeue", "interaction": chat }))).await;
    talk.panel.change("supervised", |c| c["supervised"]["act"]["act"] == "requeue").await;
    zoe.change("watched", |c| {
        c["watched"]["chats"].as_array().unwrap().iter().any(|w| w["place"]["at"] == "waiting")
    })
    .await;
    does(
        &mut zoe,
        act(json!({ "act": "set_presence", "agent": "anna", "presence": { "presence": "stop_new" } })),
    )
    .await;
    let mine = shows(&world, "anna").await;
    let acts = mine["supervised"].as_array().unwrap().iter().map(|s| s["act"]["act"].as_str().unwrap());
    assert_eq!(
        acts.collect::<Vec<_>>(),
        ["set_presence", "requeue", "join"],
        "a page opened later knows, too"
    );
    zoe.change("watched", |c| {
        c["watched"]["agents"]
            .as_array()
            .unwrap()
            .iter()
            .any(|a| a["presence"]["presence"] == "stop_new" && a["since"].is_i64())
    })
    .await;
    does(&mut zoe, json!({ "deed": "watch", "on": false })).await;
    assert_eq!(shows(&world, "zoe").await["watched"], Value::Null);
}

// proves A15
#[tokio::test]
async fn who_is_taken_a_chat_from_is_told_though_another_gets_it() {
    let world = world(PEOPLE).await;
    let mut talk = world.talking("Grace").await;
    let (mut ben, _) = panel_of(&world, "ben").await;
    is_available(&mut ben).await;
    let (mut zoe, _) = panel_of(&world, "zoe").await;
    let act = json!({ "act": "assign", "interaction": talk.chat, "agent": "ben" });
    does(&mut zoe, json!({ "deed": "supervise", "act": act, "reason": "Ben knows her" })).await;
    for panel in [&mut talk.panel, &mut ben] {
        let seen = panel.change("supervised", |_| true).await;
        assert_eq!(seen["supervised"]["reason"], "Ben knows her");
    }
    let his = shows(&world, "ben").await;
    assert_eq!((&his["items"][0]["place"], &his["items"][0]["open_by"]), (&json!("new"), &Value::Null));
}

// proves A15
#[tokio::test]
async fn agents_see_the_status_of_those_they_share_a_queue_with_at_most_once_a_second() {
    let world = world(PEOPLE).await;
    let (mut panel, snapshot) = world.panel(false).await;
    let view = &snapshot["view"];
    assert_eq!(view["colleagues"].as_array().unwrap().len(), 1, "Zoë serves none of Anna's queues");
    assert_eq!(
        (&view["colleagues"][0]["name"], &view["colleagues"][0]["queues"]),
        (&json!("Ben Okoro"), &json!(["support"]))
    );
    let (mut ben, _) = panel_of(&world, "ben").await;
    let started = std::time::Instant::now();
    for _ in 0..50 {
        for presence in [json!({ "presence": "available" }), json!({ "presence": "stop_new" })] {
            does(&mut ben, json!({ "deed": "set_presence", "presence": presence })).await;
        }
    }
    does(
        &mut ben,
        json!({ "deed": "set_presence", "presence": { "presence": "on_break", "reason": "Lunch" } }),
    )
    .await;
    let seconds = started.elapsed().as_secs() + 2;
    let (mut told, on_break) = (0, |c: &Value| c["status"]["presence"]["reason"] == "Lunch");
    loop {
        let colleagues = panel.change("colleagues", |_| true).await["colleagues"].clone();
        told += 1;
        if colleagues.as_array().unwrap().iter().any(on_break) {
            break;
        }
    }
    assert!(told <= seconds + 1, "{told} times in {seconds} s, for 101 changes");
}

// proves A1, A2, G1, B17
#[tokio::test]
async fn a_panel_shows_labels_availability_rules_and_the_day() {
    let world = world(PEOPLE).await;
    let mut talk = world.talking("Grace").await;
    assert_eq!(talk.widget.ask(json!({ "frame": "send", "text": "hello" })).await, Value::Null);
    does(&mut talk.panel, json!({ "deed": "send", "interaction": talk.chat, "text": "good day" })).await;
    let deed = json!({ "deed": "set_availability", "channels": ["call"], "queues": ["sales"] });
    assert_eq!(refused(&mut talk.panel, deed).await, "invalid", "not one of Anna's queues");
    does(&mut talk.panel, json!({ "deed": "set_availability", "channels": ["call"], "queues": [] })).await;
    // Queues are told once a second.
    let mut view = shows(&world, "anna").await;
    for _ in 0..100 {
        if view["queues"][0]["today"]["answered"] == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        view = shows(&world, "anna").await;
    }
    assert_eq!(
        (&view["labels"]["handling_chat"], &view["labels"]["wrap_up"]),
        (&json!("Handling a chat"), &json!("Wrap-up"))
    );
    assert_eq!((&view["me"]["channels"], &view["me"]["queues"]), (&json!(["call"]), &json!([])));
    let today = &view["me"]["today"];
    assert_eq!(
        (&today["chats"], &today["replies"], &today["replies_in_time"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(view["queues"][0]["today"]["came"], 1);
    assert_eq!(
        (&view["queues"][0]["today"]["answered"], &view["queues"][0]["staff"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(view["rules"][0]["targets"], json!({ "connect": 30_000, "reply": 60_000 }));
    assert_eq!(view["items"][0]["service"]["replies"], 1);
    let names: Vec<&str> =
        view["directory"].as_array().unwrap().iter().map(|q| q["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Sales", "Support"]);
}

// proves B7
#[tokio::test]
async fn an_item_says_since_when_the_customer_waits_for_a_reply() {
    let world = world("").await;
    let mut talk = world.talking("Grace").await;
    assert_eq!(talk.widget.ask(json!({ "frame": "send", "text": "first" })).await, Value::Null);
    let first = talk.panel.change("item", |c| c["item"]["unanswered_since"].is_i64()).await["item"].clone();
    world.move_clock(Duration::from_secs(50));
    assert_eq!(talk.widget.ask(json!({ "frame": "send", "text": "second" })).await, Value::Null);
    let view = shows(&world, "anna").await;
    assert_eq!(
        view["items"][0]["unanswered_since"], first["unanswered_since"],
        "the first unanswered counts"
    );
    assert_eq!(view["queues"][0]["reply_alert"], json!([45_000, 60_000]));
    does(&mut talk.panel, json!({ "deed": "send", "interaction": talk.chat, "text": "answer" })).await;
    assert_eq!(shows(&world, "anna").await["items"][0]["unanswered_since"], Value::Null);
}

// proves B14, B16, C7
#[tokio::test]
async fn sharing_notices_cases_and_flags_are_seen_in_the_item() {
    let world = world("").await;
    let mut talk = world.talking("Grace").await;
    let chat = talk.chat.clone();
    talk.panel.deed(json!({ "deed": "share_history", "interaction": chat })).await;
    let shared = talk.panel.change("message", |c| c["message"]["said"]["kind"] == "shared").await;
    assert!(shared["message"]["said"]["expires_at"].as_i64() > shared["message"]["at"].as_i64());
    talk.panel.deed(json!({ "deed": "send_notice", "interaction": chat, "notice": "few_minutes" })).await;
    let notice =
        talk.panel.change("message", |c| c["message"]["said"]["kind"] == "notice").await["message"].clone();
    assert_eq!((notice["from"].as_str(), notice["name"].as_str()), (Some("system"), Some("Anna Berg")));
    assert_eq!(
        refused(&mut talk.panel, json!({ "deed": "send_notice", "interaction": chat, "notice": "offline" }))
            .await,
        "invalid"
    );
    does(&mut talk.panel, json!({ "deed": "open_case", "interaction": chat })).await;
    does(&mut talk.panel, json!({ "deed": "flag_abuse", "interaction": chat, "note": "shouts" })).await;
    does(
        &mut talk.panel,
        json!({ "deed": "fill_script", "interaction": chat, "answers": { "order": "4711" } }),
    )
    .await;
    let item = shows(&world, "anna").await["items"][0].clone();
    assert_eq!((&item["case_opened"], &item["abusive"]), (&json!(true), &json!(true)));
    assert_eq!(item["answers"], json!({ "order": "4711" }));
    let many: std::collections::BTreeMap<String, String> =
        (0..101).map(|n| (n.to_string(), String::new())).collect();
    let deed = json!({ "deed": "fill_script", "interaction": chat, "answers": many });
    assert_eq!(refused(&mut talk.panel, deed).await, "too_long");
}

// proves B6
#[tokio::test]
async fn a_typing_sign_is_taken_back_when_the_chat_ends() {
    let world = world("").await;
    let mut talk = world.talking("Grace").await;
    talk.widget.say(&json!({ "frame": "typing" })).await;
    assert_eq!(talk.panel.frame("typing").await["for"], 6_000);
    assert_eq!(talk.widget.ask(json!({ "frame": "send", "text": "done" })).await, Value::Null);
    assert_eq!(talk.panel.frame("typing").await["for"], 0, "with the message");
    talk.panel.say(&json!({ "frame": "typing", "interaction": talk.chat })).await;
    assert_eq!(talk.widget.frame("typing").await["for"], 6_000);
    does(&mut talk.panel, json!({ "deed": "end_chat", "interaction": talk.chat })).await;
    assert_eq!(talk.widget.frame("typing").await["for"], 0, "with the end");
}

/// Asks the API to explain a chat: the status, and what it says.
async fn explain(world: &World, tenant: &str, chat: &str, token: &str) -> (u16, Value) {
    let url = world.url(&format!("/api/v1/{tenant}/chats/{chat}/explain"));
    let answer = world.http.get(url).bearer_auth(token).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

// proves A16
#[tokio::test]
async fn a_supervisor_is_told_why_a_chat_waits_who_was_considered_and_what_happened_to_it() {
    let world = world(PEOPLE).await;
    let zoe = token_of(&world, "zoe");
    let (chat, token) = world.start_chat("acme", "Grace").await;
    let (status, waits) = explain(&world, "acme", &chat, &zoe).await;
    assert_eq!((status, &waits["explanation"]["standing"]["standing"]), (200, &json!("waiting")), "{waits}");
    let considered = waits["considered"].as_array().unwrap();
    let of = |agent: &str| considered.iter().find(|one| one["agent"] == agent).unwrap()["words"].clone();
    assert_eq!((of("anna"), of("ben"), considered.len()), (json!("Offline"), json!("Offline"), 2));
    assert!(waits["because"][0].as_str().unwrap().starts_with("It waits in Support since "), "{waits}");
    let (mut panel, _) = world.panel(false).await;
    is_available(&mut panel).await;
    let offer = shows(&world, "anna").await["offer"]["offer"].clone();
    does(&mut panel, json!({ "deed": "accept_offer", "offer": offer })).await;
    let (mut widget, _) = world.widget(&token).await;
    assert_eq!(widget.ask(json!({ "frame": "send", "text": "utterly private" })).await, Value::Null);
    let (_, owned) = explain(&world, "acme", &chat, &zoe).await;
    assert_eq!(owned["explanation"]["standing"]["standing"], "owned");
    assert!(
        owned["because"].to_string().contains("Why Anna Berg: the queue chooses who has been idle longest"),
        "{owned}"
    );
    does(&mut panel, json!({ "deed": "end_chat", "interaction": chat })).await;
    does(&mut panel, json!({ "deed": "complete_wrap_up", "interaction": chat })).await;
    let (status, over) = explain(&world, "acme", &chat, &zoe).await;
    assert_eq!((status, &over["explanation"]), (200, &Value::Null), "its timeline stays");
    let moments = over["timeline"].as_array().unwrap();
    let told = moments.iter().map(|m| (m["who"].as_str().unwrap(), m["event"].as_str().unwrap()));
    let wanted = [
        ("Customer", "chat.started.v1"),
        ("Tieline", "chat.offered.v1"),
        ("Anna Berg", "chat.accepted.v1"),
        ("Customer", "chat.message_sent.v1"),
        ("Agent", "chat.ended.v1"),
        ("Tieline", "wrap_up.started.v1"),
        ("Anna Berg", "wrap_up.completed.v1"),
        ("Tieline", "interaction.closed.v1"),
    ];
    assert_eq!(told.collect::<Vec<_>>(), wanted);
    assert!(!over.to_string().contains("private") && !over.to_string().contains("Grace"), "{over}");
    assert_eq!(explain(&world, "acme", &Uuid::new_v4().to_string(), &zoe).await.0, 404);
    assert_eq!(explain(&world, "acme", "no-id", &zoe).await.0, 404);
}

// proves A16
#[tokio::test]
async fn one_contact_centres_chats_are_not_explained_to_another() {
    let more = format!("{PEOPLE}[tenants.other.agents.oda]\nname = \"Oda\"\nsupervisor = true\n");
    let world = world(&more).await;
    let (chat, customer) = world.start_chat("acme", "Grace").await;
    let oda = world.auth.tokens().agent(
        &"other".parse().unwrap(),
        &"oda".parse().unwrap(),
        tieline::auth::Role::Agent,
    );
    let theirs = explain(&world, "other", &chat, &oda.token).await;
    let nobodys = explain(&world, "other", &Uuid::new_v4().to_string(), &oda.token).await;
    assert_eq!((theirs.0, &theirs), (404, &nobodys), "what exists elsewhere answers as what does not exist");
    assert_eq!(explain(&world, "acme", &chat, &oda.token).await.0, 404);
    assert_eq!(explain(&world, "acme", &chat, &customer).await.0, 401);
    let url = world.url(&format!("/api/v1/acme/chats/{chat}/explain"));
    assert_eq!(world.http.get(url).send().await.unwrap().status(), 401);
}
