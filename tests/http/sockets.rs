//! The live sockets.

use crate::world::{acme, anna, world};
use serde_json::{Value, json};
use std::time::Duration;
use tieline_model::{ConversationId, InteractionId};
use uuid::Uuid;

fn texts(messages: &Value) -> Vec<&str> {
    messages.as_array().unwrap().iter().map(|m| m["text"].as_str().unwrap()).collect()
}

// proves B10, B13, A14
#[tokio::test]
async fn a_chat_goes_both_ways_and_a_second_panel_sees_the_same() {
    let world = world("").await;
    let mut talk = world.talking("Grace Okafor").await;
    let (panel, widget) = (&mut talk.panel, &mut talk.widget);
    let item = panel.change("item", |c| c["item"]["place"] == "active").await;
    assert_eq!(item["item"]["person"]["name"], "Grace Okafor");
    assert_eq!(widget.ask(json!({ "frame": "send", "text": "my parcel" })).await, Value::Null);
    let heard = panel.change("message", |_| true).await;
    assert_eq!(
        (heard["message"]["text"].as_str(), heard["message"]["name"].as_str()),
        (Some("my parcel"), Some("Grace Okafor"))
    );
    panel.deed(json!({ "deed": "send", "interaction": talk.chat, "text": "Let me look." })).await;
    let heard = widget.wait(|f| f["frame"] == "message" && f["message"]["from"] == "agent").await;
    assert_eq!(
        (heard["message"]["text"].as_str(), heard["message"]["name"].as_str()),
        (Some("Let me look."), Some("Anna Berg"))
    );
    let (_second, snapshot) = world.panel(false).await;
    let view = &snapshot["view"];
    assert_eq!(texts(&view["messages"][0]["messages"]), ["my parcel", "Let me look."]);
    assert_eq!(view["me"]["status"]["status"], "handling_chat");
    assert_eq!(widget.ask(json!({ "frame": "end" })).await, Value::Null);
    let ended = panel.change("item", |c| c["item"]["ended_by"] == "customer").await;
    assert_eq!(ended["item"]["end_seen"], false);
    assert!(ended["item"]["wrap_up"]["deadline"].is_i64());
    let (_again, snapshot) = world.widget(&talk.token).await;
    assert_eq!(
        (&snapshot["state"]["state"], &snapshot["state"]["by"]),
        (&json!("ended"), &json!("customer"))
    );
    assert_eq!(texts(&snapshot["messages"]), ["my parcel", "Let me look."]);
    panel.deed(json!({ "deed": "complete_wrap_up", "interaction": talk.chat })).await;
    panel.change("item_gone", |_| true).await;
    let (_late, snapshot) = world.widget(&talk.token).await;
    assert_eq!(snapshot["state"]["state"], "ended");
    assert_eq!(texts(&snapshot["messages"]).len(), 2, "the customer still reads what was said");
}

#[tokio::test]
async fn what_was_written_while_waiting_comes_with_the_chat() {
    let world = world("").await;
    let (chat, token) = world.start_chat("acme", "Grace").await;
    let (mut widget, snapshot) = world.widget(&token).await;
    assert_eq!(snapshot["state"], json!({ "state": "waiting", "position": 1 }));
    for text in ["one", "two"] {
        assert_eq!(widget.ask(json!({ "frame": "send", "text": text })).await, Value::Null);
    }
    let (mut panel, _) = world.panel(true).await;
    panel.deed(json!({ "deed": "set_presence", "presence": { "presence": "available" } })).await;
    let offer = panel.change("offer", |c| c["offer"].is_object()).await["offer"].clone();
    assert_eq!(offer["interaction"], chat.as_str());
    panel.deed(json!({ "deed": "accept_offer", "offer": offer["offer"] })).await;
    let delta = panel
        .wait(|f| f["changes"].as_array().is_some_and(|c| c.iter().any(|c| c["change"] == "message")))
        .await;
    let said = delta["changes"].as_array().unwrap().iter().filter(|c| c["change"] == "message");
    assert_eq!(said.map(|c| c["message"]["text"].as_str().unwrap()).collect::<Vec<_>>(), ["one", "two"]);
}

// proves B9
#[tokio::test]
async fn five_hundred_characters_pass_and_one_more_is_refused_with_the_limit() {
    let world = world("").await;
    let mut talk = world.talking("Grace").await;
    for unit in ["x", "é", "e\u{301}", "👍🏽", "🇩🇪"] {
        let fits = talk.widget.ask(json!({ "frame": "send", "text": unit.repeat(500) })).await;
        assert_eq!(fits, Value::Null, "{unit}");
        let refused = talk.widget.ask(json!({ "frame": "send", "text": unit.repeat(501) })).await;
        assert_eq!(
            (refused["code"].as_str(), refused["limit"].as_u64()),
            (Some("too_long"), Some(500)),
            "{unit}"
        );
    }
    // A family is one character and 25 bytes; the byte cap beside the count refuses a screen full of them.
    let families = talk
        .widget
        .ask(json!({ "frame": "send", "text": "👨\u{200d}👩\u{200d}👧\u{200d}👦".repeat(400) }))
        .await;
    assert_eq!(families["code"], "too_long");
    assert_eq!(
        talk.widget.ask(json!({ "frame": "send", "text": "👨\u{200d}👩\u{200d}👧".repeat(300) })).await,
        Value::Null
    );
    for empty in ["", "  \n"] {
        assert_eq!(talk.widget.ask(json!({ "frame": "send", "text": empty })).await["code"], "invalid");
    }
    assert_eq!(talk.widget.ask(json!({ "frame": "send", "text": "a\u{0}b" })).await["code"], "invalid");
}

#[tokio::test]
async fn a_frame_too_long_is_refused_and_one_far_too_long_ends_the_socket() {
    let world = world("").await;
    let (_, token) = world.start_chat("acme", "Grace").await;
    let (mut widget, _) = world.widget(&token).await;
    let refused = widget.ask(json!({ "frame": "send", "text": "x".repeat(9_000) })).await;
    assert_eq!((refused["code"].as_str(), refused["limit"].as_u64()), (Some("too_long"), Some(8_192)));
    widget.say(&json!({ "frame": "send", "id": "m", "text": "x".repeat(20_000) })).await;
    while widget.hear().await.is_some() {}
    let (mut widget, snapshot) = world.widget(&token).await;
    assert_eq!(texts(&snapshot["messages"]).len(), 0);
    widget.say(&json!({ "frame": "surprise" })).await;
    let bye = widget.frame("bye").await;
    assert!(bye["reason"].as_str().unwrap().contains("unknown variant"), "{bye}");
}

#[tokio::test]
async fn a_socket_from_elsewhere_is_not_opened() {
    let world = world("").await;
    let port = world.public.port();
    for path in ["/ws/agent", "/ws/customer"] {
        for origin in [
            "null",
            "https://evil.test",
            &format!("http://127.0.0.1.evil.test:{port}"),
            "https://acme.crm.example",
        ] {
            assert_eq!(world.socket_from(path, Some(origin)).await.err(), Some(403), "{path} {origin}");
        }
        assert_eq!(world.socket_from(path, None).await.err(), Some(403), "{path}");
        assert!(world.socket_from(path, Some(&world.origin)).await.is_ok());
    }
}

#[tokio::test]
async fn a_socket_must_say_who_it_is_in_time_and_truly() {
    let world = world("[http]\nhello_within = \"200ms\"").await;
    let (_, customer) = world.start_chat("acme", "Grace").await;
    let agent = world.agent_token("acme");
    for path in ["/ws/agent", "/ws/customer"] {
        let mut silent = world.socket(path).await;
        assert!(silent.frame("bye").await["reason"].as_str().unwrap().contains("hello"));
        assert!(silent.hear().await.is_none());
        let mut rude = world.socket(path).await;
        rude.say(&json!({ "frame": "resync" })).await;
        assert!(rude.frame("bye").await["reconnect_in"].is_null());
    }
    let bad = |path: &'static str, token: String| {
        let world = &world;
        async move {
            let mut socket = world.socket(path).await;
            let mut hello = json!({ "frame": "hello", "token": token });
            if path == "/ws/agent" {
                hello["can_pop"] = json!(false);
            }
            socket.say(&hello).await;
            let bye = socket.hear().await.unwrap();
            assert_eq!((bye["frame"].as_str(), bye["reconnect_in"].is_null()), (Some("bye"), true), "{bye}");
        }
    };
    bad("/ws/agent", customer).await;
    bad("/ws/customer", agent.clone()).await;
    bad("/ws/agent", format!("{agent}x")).await;
    bad("/ws/agent", String::new()).await;
}

#[tokio::test]
async fn tokens_expire_on_open_sockets_and_customers_get_fresh_ones() {
    let world = world("").await;
    let (_, token) = world.start_chat("acme", "Grace").await;
    let (mut widget, _) = world.widget(&token).await;
    let (mut panel, _) = world.panel(false).await;
    world.move_clock(Duration::from_secs(11 * 60));
    let fresh = widget.frame("token").await["token"].as_str().unwrap().to_owned();
    world.move_clock(Duration::from_secs(5 * 60));
    let mut stale = world.socket("/ws/customer").await;
    stale.say(&json!({ "frame": "hello", "token": token })).await;
    let bye = stale.frame("bye").await;
    assert!(bye["reason"].as_str().unwrap().contains("expired") && bye["reconnect_in"].is_null(), "{bye}");
    world.widget(&fresh).await;
    world.move_clock(Duration::from_secs(12 * 3_600));
    let bye = panel.frame("bye").await;
    assert!(bye["reason"].as_str().unwrap().contains("expired") && bye["reconnect_in"].is_null(), "{bye}");
    assert!(panel.hear().await.is_none());
}

#[tokio::test]
async fn another_tenants_ids_are_ids_of_nothing() {
    let world = world("").await;
    let mut talk = world.talking("Grace").await;
    let chat: InteractionId = talk.chat.parse().unwrap();
    let mut stranger = world.socket("/ws/agent").await;
    stranger.say(&json!({ "frame": "hello", "token": world.agent_token("other"), "can_pop": true })).await;
    let snapshot = stranger.frame("snapshot").await;
    assert_eq!(snapshot["view"]["items"], json!([]));
    let offer = Uuid::new_v4();
    let mut answers = Vec::new();
    for id in [talk.chat.clone(), Uuid::new_v4().to_string()] {
        for deed in [
            json!({ "deed": "send", "interaction": id, "text": "hello" }),
            json!({ "deed": "activate", "interaction": id }),
            json!({ "deed": "park", "interaction": id }),
            json!({ "deed": "take_chat", "interaction": id }),
            json!({ "deed": "end_chat", "interaction": id }),
            json!({ "deed": "see_end", "interaction": id }),
            json!({ "deed": "extend_wrap_up", "interaction": id }),
            json!({ "deed": "complete_wrap_up", "interaction": id }),
            json!({ "deed": "classify", "interaction": id, "codes": [], "remarks": { "text": "x" } }),
            json!({ "deed": "choose_contact", "interaction": id, "connection": "sf", "contact": null }),
            json!({ "deed": "accept_offer", "offer": offer }),
            json!({ "deed": "reject_offer", "offer": offer }),
            json!({ "deed": "whisper", "interaction": id, "text": "x" }),
            json!({ "deed": "send_notice", "interaction": id, "notice": "nudge" }),
            json!({ "deed": "transfer", "interaction": id, "to": { "to": "queue", "queue": "support" } }),
            json!({ "deed": "transfer", "interaction": id, "to": { "to": "agent", "agent": "anna" }, "note": "x" }),
            json!({ "deed": "cancel_transfer", "interaction": id }),
            json!({ "deed": "hand_over", "interaction": id, "agent": "anna" }),
            json!({ "deed": "share_history", "interaction": id }),
            json!({ "deed": "open_case", "interaction": id }),
            json!({ "deed": "flag_abuse", "interaction": id }),
            json!({ "deed": "fill_script", "interaction": id, "answers": { "a": "b" } }),
        ] {
            let refusal = stranger.ask(json!({ "frame": "do", "do": deed })).await;
            assert_eq!(refusal["code"], "not_found", "{deed}");
            answers.push(refusal);
        }
    }
    let (theirs, nobodys) = answers.split_at(answers.len() / 2);
    assert_eq!(theirs, nobodys, "what exists elsewhere answers as what does not exist");
    // Tokens that only our key can sign, for pairs that do not belong together.
    let (_, own) = world.start_chat("other", "Mallory").await;
    let own = world.auth.tokens().read_customer(&own).unwrap();
    let real = world.auth.tokens().read_customer(&talk.token).unwrap();
    for (tenant, conversation) in [
        (acme(), own.conversation),
        (acme(), ConversationId(Uuid::new_v4())),
        ("other".parse().unwrap(), real.conversation),
        ("nowhere".parse().unwrap(), real.conversation),
    ] {
        let token = world.auth.tokens().customer(&tenant, conversation, chat).token;
        let mut socket = world.socket("/ws/customer").await;
        socket.say(&json!({ "frame": "hello", "token": token })).await;
        assert_eq!(socket.hear().await.unwrap()["frame"], "bye", "{tenant}");
    }
    assert_eq!(talk.widget.ask(json!({ "frame": "send", "text": "still here" })).await, Value::Null);
}

#[tokio::test]
async fn a_resync_says_everything_under_the_number_of_the_last_delta() {
    let world = world("").await;
    let mut talk = world.talking("Grace").await;
    assert_eq!(talk.widget.ask(json!({ "frame": "send", "text": "hello" })).await, Value::Null);
    let delta = talk.panel.wait(|f| f["changes"].to_string().contains("hello")).await;
    talk.panel.say(&json!({ "frame": "resync" })).await;
    let mut last = delta["seq"].as_u64().unwrap();
    let snapshot = loop {
        let frame = talk.panel.hear().await.unwrap();
        match frame["frame"].as_str() {
            Some("delta") => {
                assert_eq!(frame["seq"], last + 1, "deltas have no gap");
                last += 1;
            }
            Some("snapshot") => break frame,
            _ => {}
        }
    };
    assert_eq!(snapshot["seq"], last);
    assert_eq!(texts(&snapshot["view"]["messages"][0]["messages"]), ["hello"]);
    talk.widget.say(&json!({ "frame": "resync" })).await;
    assert_eq!(texts(&talk.widget.frame("snapshot").await["messages"]), ["hello"]);
}

// proves B6
#[tokio::test]
async fn typing_reaches_the_other_side_of_this_chat_only() {
    let world = world("").await;
    let mut talk = world.talking("Grace").await;
    talk.widget.say(&json!({ "frame": "typing" })).await;
    let sign = talk.panel.frame("typing").await;
    assert_eq!((sign["interaction"].as_str(), sign["for"].as_u64()), (Some(talk.chat.as_str()), Some(6_000)));
    talk.panel.say(&json!({ "frame": "typing", "interaction": talk.chat })).await;
    assert_eq!(talk.widget.frame("typing").await["for"], 6_000);
    let (_, token) = world.start_chat("acme", "Tom").await;
    let (mut waiting, _) = world.widget(&token).await;
    waiting.say(&json!({ "frame": "typing" })).await;
    let typed = waiting.ask(json!({ "frame": "send", "text": "hello" })).await;
    assert_eq!(typed, Value::Null);
    talk.panel.deed(json!({ "deed": "park", "interaction": talk.chat })).await;
    let until_parked = |f: &Value| f["changes"].to_string().contains("parked") || f["frame"] == "typing";
    let frame = talk.panel.wait(until_parked).await;
    assert_eq!(frame["frame"], "delta", "a waiting customer's typing is shown to nobody");
}

#[tokio::test]
async fn a_reader_that_does_not_keep_up_is_let_go_and_slows_nobody() {
    let more = "[http]\npong_within = \"1s\"\ncustomer_frames_per_minute = 1000000";
    let world = world(more).await;
    let mut talk = world.talking("Grace").await;
    let (sleeper, _) = world.panel(false).await;
    let text = "👍🏽".repeat(500);
    let mut sent = 0;
    while world.metrics().await.contains("\ntieline_sockets_slow_total 0\n") {
        for _ in 0..100 {
            assert_eq!(talk.widget.ask(json!({ "frame": "send", "text": text })).await, Value::Null);
            sent += 1;
            // The panel that keeps up sees each of them.
            talk.panel.change("message", |_| true).await;
        }
        assert!(sent < 20_000, "nobody was let go");
    }
    assert!(world.metrics().await.contains("\ntieline_sockets_slow_total 1\n"), "each is counted once");
    drop(sleeper);
    assert_eq!(talk.widget.ask(json!({ "frame": "send", "text": "done" })).await, Value::Null);
    talk.panel.change("message", |c| c["message"]["text"] == "done").await;
}

#[tokio::test]
async fn a_side_that_answers_no_ping_is_gone() {
    let world = world("[http]\nping_every = \"200ms\"\npong_within = \"200ms\"").await;
    let (silent, _) = world.panel(false).await;
    let (mut lively, _) = world.panel(false).await;
    // A client answers pings only while it reads.
    let open = async || {
        let metrics = world.metrics().await;
        let line = metrics.lines().find(|l| l.starts_with("tieline_sockets_open{kind=\"agent\"}")).unwrap();
        line.rsplit(' ').next().unwrap().parse::<u32>().unwrap()
    };
    assert_eq!(open().await, 2);
    while open().await == 2 {
        let _ = tokio::time::timeout(Duration::from_millis(50), lively.hear()).await;
    }
    assert_eq!(open().await, 1);
    lively.say(&json!({ "frame": "resync" })).await;
    lively.frame("snapshot").await;
    let tenant = acme();
    let sessions = async || {
        let look = |engine: &tieline_engine::Engine| engine.agent(&anna()).unwrap().sessions.len();
        world.drive.read(&tenant, look).await.unwrap()
    };
    while sessions().await != 1 {
        tokio::task::yield_now().await;
    }
    drop(silent);
}

// proves F4
#[tokio::test]
async fn a_visitor_who_floods_is_slowed_down_alone() {
    let world = world("[http]\ncustomer_frames_per_minute = 5").await;
    let mut talk = world.talking("Grace").await;
    for _ in 0..5 {
        assert_eq!(talk.widget.ask(json!({ "frame": "send", "text": "x" })).await, Value::Null);
    }
    assert_eq!(talk.widget.ask(json!({ "frame": "send", "text": "x" })).await["code"], "busy");
    let (mut second_tab, _) = world.widget(&talk.token).await;
    assert_eq!(second_tab.ask(json!({ "frame": "send", "text": "x" })).await["code"], "busy");
    let (_, token) = world.start_chat("acme", "Tom").await;
    let (mut other, _) = world.widget(&token).await;
    assert_eq!(other.ask(json!({ "frame": "send", "text": "x" })).await, Value::Null);
}

// proves A13
#[tokio::test]
async fn waiting_customers_see_their_place_move() {
    let world = world("").await;
    let (_, first) = world.start_chat("acme", "A").await;
    let (_, second) = world.start_chat("acme", "B").await;
    let (mut first, _) = world.widget(&first).await;
    let (mut second, snapshot) = world.widget(&second).await;
    assert_eq!(snapshot["state"]["position"], 2);
    assert_eq!(first.ask(json!({ "frame": "end" })).await, Value::Null);
    let moved = second.frame("state").await;
    assert_eq!(moved["state"], json!({ "state": "waiting", "position": 1 }));
}

// proves F3
#[tokio::test]
async fn a_daemon_that_stops_sends_sockets_away_and_ends_in_time() {
    let world = world("").await;
    let mut talk = world.talking("Grace").await;
    world.drain.cancel();
    for socket in [&mut talk.panel, &mut talk.widget] {
        let bye = socket.frame("bye").await;
        assert!(bye["reconnect_in"].as_u64().unwrap() < 15_000, "{bye}");
        assert!(socket.hear().await.is_none());
    }
    world.close.cancel();
    tokio::time::timeout(Duration::from_secs(10), world.edge).await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(world.public).await.is_err());
}
