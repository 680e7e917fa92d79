//! What a customer meets around the talk itself: places in the line, the offline form, notices, coming back, being
//! recognised, and a transcript that was shared.

use crate::world::{Socket, Talking, World, acme, anna, world};
use serde_json::{Value, json};
use std::time::Duration;
use tieline_model::command::Notice;
use tieline_model::policy::{OverflowTo, QueuePolicy, TenantPolicy};
use tieline_model::{Actor, Command, Event, InteractionId, TenantId, Wish};
use uuid::Uuid;

pub(crate) async fn wish(world: &World, tenant: &TenantId, by: Actor, wish: Wish) -> Vec<Event> {
    let id = Uuid::new_v4().to_string().parse().unwrap();
    let request = tieline::drive::Request::new(tenant.clone(), Command { id, by, wish });
    world.drive.submit(request).await.unwrap().events.into_iter().map(|row| row.event).collect()
}

async fn configure(world: &World, change: impl FnOnce(&mut TenantPolicy)) {
    let mut policy = world.drive.read(&acme(), |engine| engine.policy().clone()).await.unwrap();
    change(&mut policy);
    wish(world, &acme(), Actor::Daemon, Wish::Configure { policy: Box::new(policy) }).await;
}

pub(crate) async fn rules(world: &World, change: impl FnOnce(&mut QueuePolicy)) {
    configure(world, |policy| change(policy.queues.get_mut(&"support".parse().unwrap()).unwrap())).await;
}

pub(crate) async fn by_anna(world: &World, wished: Wish) -> Vec<Event> {
    wish(world, &acme(), Actor::Agent { agent: anna() }, wished).await
}

pub(crate) fn chat(id: &str) -> InteractionId {
    id.parse().unwrap()
}

/// Ends a chat by its customer and completes its wrap-up.
async fn over(world: &World, talk: &mut Talking) {
    assert_eq!(talk.widget.ask(json!({ "frame": "end" })).await, Value::Null);
    by_anna(world, Wish::CompleteWrapUp { interaction: chat(&talk.chat) }).await;
}

async fn accept(panel: &mut Socket) -> Value {
    let offer = panel.change("offer", |c| c["offer"].is_object()).await["offer"].clone();
    panel.deed(json!({ "deed": "accept_offer", "offer": offer["offer"] })).await;
    panel.change("item", |c| c["item"]["place"] == "active").await;
    offer
}

// proves A13
#[tokio::test]
async fn a_waiting_customer_sees_place_and_expected_wait_unless_the_queue_shows_none() {
    let world = world("").await;
    rules(&world, |queue| queue.wrap_up.time = None).await;
    let mut waiting = Vec::new();
    for name in ["Grace", "Tom", "Ada", "Ben"] {
        let (_, token) = world.start_chat("acme", name).await;
        waiting.push(world.widget(&token).await.0);
    }
    let (mut panel, _) = world.panel(true).await;
    panel.deed(json!({ "deed": "set_presence", "presence": { "presence": "available" } })).await;
    for _ in 0..2 {
        let offer = accept(&mut panel).await;
        world.move_clock(Duration::from_secs(40));
        panel.deed(json!({ "deed": "park", "interaction": offer["interaction"] })).await;
    }
    let last = waiting.last_mut().unwrap();
    let placed = last.wait(|f| f["state"]["expected_wait"].is_u64()).await["state"].clone();
    let (place, wait) = (placed["position"].as_u64().unwrap(), placed["expected_wait"].as_u64().unwrap());
    assert!(place >= 1 && wait >= 40_000 * place, "{placed}");
    rules(&world, |queue| queue.show_position = false).await;
    let hidden = last.frame("snapshot").await;
    assert_eq!(hidden["state"], json!({ "state": "waiting" }));
}

// proves A12
#[tokio::test]
async fn a_customer_whom_nobody_can_serve_leaves_a_message() {
    let world = world("").await;
    let words = "We are at lunch; write to us.";
    rules(&world, |queue| {
        queue.overflow.unstaffed = OverflowTo::OfflineForm;
        queue.wording.offline = words.to_owned();
    })
    .await;
    let (_, token) = world.start_chat("acme", "Grace").await;
    let (mut widget, snapshot) = world.widget(&token).await;
    assert_eq!(snapshot["state"]["state"], "offline_form", "{snapshot}");
    assert_eq!(snapshot["state"]["notice"], words);
    assert!(snapshot["state"]["until"].as_i64().unwrap() > snapshot["now"].as_i64().unwrap());
    let told = &snapshot["messages"][0];
    assert_eq!((told["from"].as_str(), told["text"].as_str()), (Some("system"), Some(words)));
    assert_eq!(told["said"], json!({ "kind": "notice", "notice": "offline" }));
    let long = widget.ask(json!({ "frame": "leave_message", "text": "x".repeat(501) })).await;
    assert_eq!((long["code"].as_str(), long["limit"].as_u64()), (Some("too_long"), Some(500)));
    assert_eq!(widget.ask(json!({ "frame": "leave_message", "text": " " })).await["code"], "invalid");
    widget.say(&json!({ "frame": "leave_message", "id": "left-1", "text": "Please call me." })).await;
    let message = widget.frame("message").await["message"].clone();
    assert_eq!((message["id"].as_str(), message["text"].as_str()), (Some("left-1"), Some("Please call me.")));
    let ended = widget.frame("state").await["state"].clone();
    assert_eq!((ended["state"].as_str(), ended["by"].as_str()), (Some("ended"), Some("customer")));
    assert_eq!(widget.wait(|f| f["frame"] == "answer").await["refusal"], Value::Null);
    // The same id again is the same message.
    widget.say(&json!({ "frame": "leave_message", "id": "left-1", "text": "Please call me." })).await;
    assert_eq!(widget.wait(|f| f["frame"] == "answer").await["refusal"], Value::Null);
    let (_, snapshot) = world.widget(&token).await;
    assert_eq!(snapshot["messages"].as_array().unwrap().len(), 2);
}

// proves A17
#[tokio::test]
async fn a_customer_whose_agent_is_lost_is_told_and_is_next_in_line() {
    let world = world("").await;
    let mut talk = world.talking("Grace").await;
    drop(talk.panel);
    let lost = world.drive.read(&acme(), |engine| engine.policy().lease.lost_after).await.unwrap();
    let gone = |engine: &tieline_engine::Engine| engine.agent(&anna()).unwrap().gone.is_some();
    while !world.drive.read(&acme(), gone).await.unwrap() {
        tokio::task::yield_now().await;
    }
    world.move_clock(Duration::from_millis(lost.0 + 1_000));
    // The engines' owner sleeps by a clock that no test moves; something to do wakes it.
    wish(&world, &acme(), Actor::Daemon, Wish::BeginDay { day: "2027-01-15".to_owned() }).await;
    let state = talk.widget.frame("state").await["state"].clone();
    assert_eq!(state, json!({ "state": "waiting", "position": 1 }));
    let notice = talk.widget.frame("message").await["message"].clone();
    assert_eq!(notice["said"], json!({ "kind": "notice", "notice": "agent_lost" }));
    assert!(notice["text"].as_str().unwrap().contains("next in line"), "{notice}");
}

#[tokio::test]
async fn notices_are_messages_on_both_sides_and_have_one_order_with_the_rest() {
    let world = world("").await;
    let mut talk = world.talking("Grace").await;
    assert_eq!(talk.widget.ask(json!({ "frame": "send", "text": "hello" })).await, Value::Null);
    let notice = Wish::SendNotice { interaction: chat(&talk.chat), notice: Notice::FewMinutes };
    by_anna(&world, notice).await;
    let told = talk.widget.wait(|f| f["message"]["from"] == "system").await["message"].clone();
    assert_eq!(told["said"]["notice"], "few_minutes");
    let shown = talk.panel.change("message", |c| c["message"]["from"] == "system").await["message"].clone();
    assert_eq!((&shown["id"], &shown["text"], &shown["seq"]), (&told["id"], &told["text"], &told["seq"]));
    let (_, snapshot) = world.widget(&talk.token).await;
    assert_eq!(snapshot["messages"][1], told);
}

// proves B15
#[tokio::test]
async fn a_return_in_wrap_up_goes_on_with_the_same_agent_and_chat() {
    let world = world("").await;
    let mut talk = world.talking("Grace").await;
    talk.widget.say(&json!({ "frame": "end", "id": "end-1" })).await;
    let ended = talk.widget.wait(|f| f["state"]["state"] == "ended").await["state"].clone();
    let until = ended["return_until"].as_i64().unwrap();
    talk.widget.say(&json!({ "frame": "return", "id": "back-1" })).await;
    let back = talk.widget.frame("returned").await;
    assert_eq!((back["id"].as_str(), back["returned"].as_str()), (Some("back-1"), Some("same_chat")));
    assert_eq!(back["interaction"], talk.chat.as_str());
    let snapshot = talk.widget.frame("snapshot").await;
    assert_eq!(snapshot["state"], json!({ "state": "talking", "agent": "Anna Berg" }));
    let left = until - snapshot["now"].as_i64().unwrap();
    assert!((1..=600_000).contains(&left), "the queue's ten minutes, from the end on: {left}");
    assert_eq!(talk.widget.ask(json!({ "frame": "send", "text": "one more thing" })).await, Value::Null);
    talk.panel.change("message", |c| c["message"]["text"] == "one more thing").await;
}

// proves B15
#[tokio::test]
async fn a_return_soon_after_is_a_new_interaction_on_the_same_socket() {
    let world = world("").await;
    let mut talk = world.talking("Grace").await;
    let (mut other_tab, _) = world.widget(&talk.token).await;
    over(&world, &mut talk).await;
    talk.widget.say(&json!({ "frame": "return", "id": "back-1" })).await;
    let back = talk.widget.frame("returned").await;
    assert_eq!(back["returned"], "same_conversation");
    let fresh = back["interaction"].as_str().unwrap().to_owned();
    assert_ne!(fresh, talk.chat);
    let token = back["token"].as_str().unwrap();
    let (old, new) =
        (world.auth.tokens().read_customer(&talk.token), world.auth.tokens().read_customer(token));
    let (old, new) = (old.unwrap(), new.unwrap());
    assert_eq!((new.interaction, new.conversation), (chat(&fresh), old.conversation));
    let snapshot = talk.widget.frame("snapshot").await;
    assert_eq!(snapshot["interaction"], fresh.as_str());
    let offer = accept(&mut talk.panel).await;
    assert_eq!(offer["interaction"], fresh.as_str(), "the same agent first");
    talk.widget.wait(|f| f["state"]["state"] == "talking").await;
    assert_eq!(talk.widget.ask(json!({ "frame": "send", "text": "again" })).await, Value::Null);
    talk.panel.change("message", |c| c["interaction"] == fresh.as_str()).await;
    // A second tab comes back to the same, not to a third.
    other_tab.say(&json!({ "frame": "return", "id": "back-2" })).await;
    assert_eq!(other_tab.frame("returned").await["interaction"], fresh.as_str());
    let open = world.drive.read(&acme(), |engine| engine.chats().count()).await.unwrap();
    assert_eq!(open, 1);
}

// proves B15
#[tokio::test]
async fn a_return_later_is_a_new_chat_that_names_the_old_one() {
    let world = world("[auth]\ncustomer_token = \"1h\"").await;
    let mut talk = world.talking("Grace Okafor").await;
    over(&world, &mut talk).await;
    world.move_clock(Duration::from_secs(11 * 60));
    let request = |id: &str, token: &str| {
        world.post(&format!("/api/v1/acme/chats/{id}/return"), &Value::Null).bearer_auth(token).send()
    };
    let back: Value = request(&talk.chat, &talk.token).await.unwrap().json().await.unwrap();
    assert_eq!(back["returned"], "new_chat", "{back}");
    let id = chat(back["interaction"].as_str().unwrap());
    let old = chat(&talk.chat);
    let look =
        move |engine: &tieline_engine::Engine| engine.chat(id).map(|chat| (chat.previous, chat.marks.len()));
    assert_eq!(world.drive.read(&acme(), look).await.unwrap(), Some((Some(old), 1)));
    let again: Value = request(&talk.chat, &talk.token).await.unwrap().json().await.unwrap();
    assert_eq!(again["interaction"], back["interaction"], "a lost answer begins no second chat");
    let offer = talk.panel.change("offer", |c| c["offer"].is_object()).await;
    assert_eq!(offer["offer"]["person"]["name"], "Grace Okafor", "who it is went along, under the new key");
    let (_, snapshot) = world.widget(back["token"].as_str().unwrap()).await;
    assert_eq!(snapshot["state"]["state"], "waiting");
}

#[tokio::test]
async fn a_token_brings_nobody_back_to_another_chat() {
    let world = world("").await;
    let mut talk = world.talking("Grace").await;
    over(&world, &mut talk).await;
    let (own, token) = world.start_chat("acme", "Mallory").await;
    let (_, elsewhere) = world.start_chat("other", "Mallory").await;
    let request = |tenant: &str, id: &str, token: &str| {
        world.post(&format!("/api/v1/{tenant}/chats/{id}/return"), &Value::Null).bearer_auth(token).send()
    };
    for (tenant, id, token) in [
        ("acme", talk.chat.as_str(), token.as_str()),
        ("acme", talk.chat.as_str(), elsewhere.as_str()),
        ("other", talk.chat.as_str(), talk.token.as_str()),
        ("other", own.as_str(), token.as_str()),
        ("acme", "nothing", token.as_str()),
    ] {
        let answer = request(tenant, id, token).await.unwrap();
        assert_eq!(answer.status(), 404, "{tenant} {id}");
        assert_eq!(answer.json::<Value>().await.unwrap()["code"], "not_found");
    }
    let agent = world.agent_token("acme");
    assert_eq!(request("acme", &talk.chat, &agent).await.unwrap().status(), 401);
    let none = world.post(&format!("/api/v1/acme/chats/{}/return", talk.chat), &Value::Null).send().await;
    assert_eq!(none.unwrap().status(), 401);
    // A pair that only our key can sign, of a conversation and a chat that do not belong together.
    let pass = world.auth.tokens().read_customer(&token).unwrap();
    let forged = world.auth.tokens().customer(&acme(), pass.conversation, chat(&talk.chat)).token;
    assert_eq!(request("acme", &talk.chat, &forged).await.unwrap().status(), 404);
}

async fn start(world: &World, tenant: &str, more: Value) -> (u16, Value) {
    let mut body = json!({ "id": Uuid::new_v4(), "queue": "support", "person": {} });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = world.post(&format!("/api/v1/{tenant}/chats"), &body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

// proves C7
#[tokio::test]
async fn a_blocked_visitor_is_refused_by_browser_address_and_number_and_only_here() {
    let world = world("[http]\nchats_per_minute = 1000").await;
    rules(&world, |queue| queue.block_abusive = true).await;
    let (mut panel, _) = world.panel(true).await;
    panel.deed(json!({ "deed": "set_presence", "presence": { "presence": "available" } })).await;
    let rude = json!({ "email": "Rude@Mail.example", "phone": "020 7946 0958" });
    let (status, started) = start(&world, "acme", json!({ "person": rude })).await;
    assert_eq!(status, 200);
    let interaction = chat(accept(&mut panel).await["interaction"].as_str().unwrap());
    let flagged = by_anna(&world, Wish::FlagAbuse { interaction, note: None }).await;
    let [Event::AbuseFlagged { blocked, .. }] = flagged.as_slice() else { panic!("{flagged:?}") };
    assert_eq!(blocked.len(), 3, "browser, address and number");
    let marks = format!("{blocked:?}").to_lowercase();
    assert!(!marks.contains("rude") && !marks.contains("7946"), "marks say nothing: {marks}");
    let visitor = &started["visitor"];
    for again in [
        json!({ "visitor": visitor }),
        json!({ "person": { "email": "rude@mail.EXAMPLE" } }),
        json!({ "person": { "phone": "+44 20 7946 0958" } }),
        json!({ "person": { "name": "Somebody", "email": " rude@mail.example" }, "visitor": "a new browser" }),
    ] {
        let (status, refusal) = start(&world, "acme", again.clone()).await;
        assert_eq!((status, refusal["code"].as_str()), (403, Some("blocked")), "{again}");
    }
    let (status, _) = start(&world, "acme", json!({ "person": { "email": "polite@mail.example" } })).await;
    assert_eq!(status, 200, "others come in as ever");
    let everything = json!({ "person": rude, "visitor": visitor });
    let (status, _) = start(&world, "other", everything).await;
    assert_eq!(status, 200, "another contact centre knows nothing of it");
    // Nor does a return lead around it.
    let token = started["token"].as_str().unwrap();
    let (mut widget, _) = world.widget(token).await;
    assert_eq!(widget.ask(json!({ "frame": "end" })).await, Value::Null);
    by_anna(&world, Wish::CompleteWrapUp { interaction }).await;
    assert_eq!(widget.ask(json!({ "frame": "return" })).await["code"], "blocked");
}

// proves A11
#[tokio::test]
async fn a_browser_is_recognised_by_the_token_it_was_given() {
    let world = world("[http]\nchats_per_minute = 1000").await;
    let marks = async |tenant: &str, started: &Value| {
        let id = chat(started["interaction"].as_str().unwrap());
        let look = move |engine: &tieline_engine::Engine| engine.chat(id).unwrap().marks.clone();
        world.drive.read(&tenant.parse().unwrap(), look).await.unwrap()
    };
    let (_, first) = start(&world, "acme", json!({})).await;
    let (_, again) = start(&world, "acme", json!({ "visitor": first["visitor"] })).await;
    let (_, stranger) = start(&world, "acme", json!({})).await;
    let (_, forged) = start(&world, "acme", json!({ "visitor": again["token"] })).await;
    let (_, elsewhere) = start(&world, "other", json!({ "visitor": first["visitor"] })).await;
    let known = marks("acme", &first).await;
    assert_eq!(known.len(), 1);
    assert_eq!(marks("acme", &again).await, known);
    assert!(marks("acme", &stranger).await.is_disjoint(&known));
    assert!(marks("acme", &forged).await.is_disjoint(&known));
    assert!(marks("other", &elsewhere).await.is_disjoint(&known));
    // Asked twice under one id, it is one browser; the answer may be lost.
    let body = json!({ "id": "the-same-start-twice", "queue": "support" });
    for _ in 0..2 {
        let answer = world.post("/api/v1/acme/chats", &body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
}

// proves B15
#[tokio::test]
async fn a_new_chat_names_an_earlier_one_only_with_its_token() {
    let world = world("[http]\nchats_per_minute = 1000").await;
    let (old, token) = world.start_chat("acme", "Grace").await;
    world.move_clock(Duration::from_secs(3 * 24 * 3_600));
    let (status, started) = start(&world, "acme", json!({ "previous": token })).await;
    assert_eq!(status, 200, "proof does not expire: {started}");
    let id = chat(started["interaction"].as_str().unwrap());
    let look = move |engine: &tieline_engine::Engine| engine.chat(id).unwrap().previous;
    assert_eq!(world.drive.read(&acme(), look).await.unwrap(), Some(chat(&old)));
    for bad in
        [json!(old), json!(format!("{token}x")), json!(world.agent_token("acme")), started["visitor"].clone()]
    {
        let (status, refusal) = start(&world, "acme", json!({ "previous": bad })).await;
        assert_eq!((status, refusal["field"].as_str()), (422, Some("previous")));
    }
    let (status, _) = start(&world, "other", json!({ "previous": token })).await;
    assert_eq!(status, 422, "another contact centre's chat is none here");
}

#[tokio::test]
async fn skills_wanted_by_the_page_reach_the_engine() {
    let world = world("").await;
    configure(&world, |policy| {
        let agent = policy.agents.get_mut(&anna()).unwrap();
        agent.skills.insert("german".parse().unwrap(), 3);
    })
    .await;
    let (status, started) = start(&world, "acme", json!({ "skills": ["german"] })).await;
    assert_eq!(status, 200, "{started}");
    let id = chat(started["interaction"].as_str().unwrap());
    let look = move |engine: &tieline_engine::Engine| engine.chat(id).unwrap().skills.len();
    assert_eq!(world.drive.read(&acme(), look).await.unwrap(), 1);
    let (status, refusal) = start(&world, "acme", json!({ "skills": ["klingon"] })).await;
    assert_eq!((status, refusal["field"].as_str()), (422, Some("skills")));
}

// proves B14
#[tokio::test]
async fn a_shared_transcript_is_read_by_its_link_until_it_expires() {
    let world = world("").await;
    let mut talk = world.talking("Grace <b>Okafor</b>").await;
    let words = "<script>alert(1)</script> & \"quotes\"\nsecond line";
    assert_eq!(talk.widget.ask(json!({ "frame": "send", "text": words })).await, Value::Null);
    let interaction = chat(&talk.chat);
    by_anna(&world, Wish::SendNotice { interaction, notice: Notice::FewMinutes }).await;
    let shared = by_anna(&world, Wish::ShareHistory { interaction }).await;
    let [Event::HistoryShared { expires_at, .. }] = shared.as_slice() else { panic!("{shared:?}") };
    let message = talk.widget.wait(|f| f["message"]["said"]["kind"] == "shared").await["message"].clone();
    let link = message["text"].as_str().unwrap().to_owned();
    assert!(link.starts_with("/share/"), "without a public address the link is one of this host: {link}");
    assert_eq!(message["said"]["expires_at"], expires_at.0);
    let told = talk.panel.change("message", |c| c["message"]["said"]["kind"] == "shared").await;
    assert_eq!(told["message"]["text"], "", "the link is the customer's");
    let (_, snapshot) = world.widget(&talk.token).await;
    assert_eq!(snapshot["messages"].as_array().unwrap().last().unwrap()["text"], link.as_str());
    let page = world.http.get(world.url(&link)).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let headers = page.headers().clone();
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["x-robots-tag"], "noindex, nofollow");
    assert_eq!(headers["referrer-policy"], "no-referrer");
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("script"),
        "{policy}"
    );
    let html = page.text().await.unwrap();
    assert!(
        html.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;quotes&quot;\nsecond line"),
        "{html}"
    );
    assert!(html.contains("Grace &lt;b&gt;Okafor&lt;/b&gt;") && html.contains("Acme &amp; Sons"), "{html}");
    assert!(html.contains("We need a few minutes") && !html.contains("<script"), "{html}");
    assert!(html.contains("UTC</time>") && html.contains("lang=\"en\""), "{html}");
    // Links that only look like one.
    let token = link.strip_prefix("/share/").unwrap();
    let other_share = {
        let mut pass = world.auth.tokens().read_share(token).unwrap();
        pass.share = tieline_model::ShareId(Uuid::new_v4());
        world.auth.tokens().share(&pass)
    };
    let other_centre = {
        let mut pass = world.auth.tokens().read_share(token).unwrap();
        pass.tenant = "other".parse().unwrap();
        world.auth.tokens().share(&pass)
    };
    for bad in [&format!("{token}x"), &talk.token, &world.agent_token("acme"), &other_share, &other_centre] {
        let answer = world.http.get(world.url(&format!("/share/{bad}"))).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{bad}");
    }
    // A share's token is a key to nothing else.
    let mut socket = world.socket("/ws/customer").await;
    socket.say(&json!({ "frame": "hello", "token": token })).await;
    assert_eq!(socket.hear().await.unwrap()["frame"], "bye");
    let left =
        u64::try_from(expires_at.0).unwrap() - u64::try_from(snapshot["now"].as_i64().unwrap()).unwrap();
    world.move_clock(Duration::from_millis(left));
    let gone = world.http.get(world.url(&link)).send().await.unwrap();
    assert_eq!(gone.status(), 410);
    assert!(!gone.text().await.unwrap().contains("Grace"));
}

// proves B14
#[tokio::test]
async fn whispers_are_in_no_customers_transcript() {
    let world = world("").await;
    configure(&world, |policy| {
        let mut boss = policy.agents[&anna()].clone();
        (boss.name, boss.supervisor) = ("Boss".to_owned(), true);
        policy.agents.insert("boss".parse().unwrap(), boss);
    })
    .await;
    let mut talk = world.talking("Grace").await;
    let interaction = chat(&talk.chat);
    let boss = || Actor::Agent { agent: "boss".parse().unwrap() };
    let join = tieline_model::command::SupervisorAct::Join { interaction };
    wish(&world, &acme(), boss(), Wish::Supervise { act: join, reason: "listening in".to_owned() }).await;
    let look = move |engine: &tieline_engine::Engine| engine.chat(interaction).unwrap().conversation;
    let conversation = world.drive.read(&acme(), look).await.unwrap();
    let text = tieline_model::content::Content::Message { text: "offer a refund".to_owned() };
    let (text, kept) = tieline::drive::content(conversation, text);
    let id = "whisper-1".parse().unwrap();
    let command = Command { id, by: boss(), wish: Wish::Whisper { interaction, text } };
    let mut request = tieline::drive::Request::new(acme(), command);
    request.content.push(kept);
    world.drive.submit(request).await.unwrap();
    talk.panel.change("message", |c| c["message"]["text"] == "offer a refund").await;
    by_anna(&world, Wish::ShareHistory { interaction }).await;
    let link =
        talk.widget.wait(|f| f["message"]["said"]["kind"] == "shared").await["message"]["text"].clone();
    let (_, snapshot) = world.widget(&talk.token).await;
    assert!(!snapshot.to_string().contains("refund"));
    let html = world.http.get(world.url(link.as_str().unwrap())).send().await.unwrap().text().await.unwrap();
    assert!(html.contains("Grace") || html.contains("Shared this transcript"), "{html}");
    assert!(!html.contains("refund"), "{html}");
}

#[tokio::test]
async fn shared_pages_are_limited_for_each_address() {
    let world = world("[http]\nshares_per_minute = 3").await;
    let mut last = 0;
    for _ in 0..4 {
        last = world.http.get(world.url("/share/nothing")).send().await.unwrap().status().as_u16();
    }
    assert_eq!(last, 429);
}
