//! What agents have at hand: templates, FAQ entries and scripts.

use crate::desks::{PEOPLE, is_available, panel_of, token_of};
use crate::world::{Talking, World, world};
use serde_json::{Value, json};

fn at_hand() -> String {
    format!(
        "{PEOPLE}\
        [tenants.acme.queues.help]\nscript = \"parcel\"\n\
        [tenants.acme.agents.carl]\nname = \"Carl Moe\"\nqueues = [\"help\"]\n\
        [tenants.acme.templates.late]\ntitle = \"Late\"\n\
        text = \"Dear {{{{customer.name}}}}, order {{{{field.order}}}} ({{{{field.order}}}}, {{{{field.day}}}}) is late. {{{{agent.name}}}}, {{{{queue.name}}}}\"\n\
        [tenants.acme.templates.first]\ntitle = \"First name\"\ntext = \"Hi {{{{customer.first_name}}}}\"\nqueues = [\"support\"]\n\
        [tenants.acme.templates.sold]\ntitle = \"Sold\"\ntext = \"Thank you\"\nqueues = [\"sales\"]\n\
        [tenants.other.templates.theirs]\ntitle = \"Theirs\"\ntext = \"Hello\"\n\
        [tenants.acme.faq.geraete]\nquestion = \"Wie gebe ich Geräte zurück?\"\nanswer = \"Die Rückgabe ist frei.\"\n\
        [tenants.acme.faq.bulk]\nquestion = \"Rückgabe von Mengen?\"\nanswer = \"Nein.\"\nqueues = [\"sales\"]\n\
        [tenants.other.faq.theirs]\nquestion = \"Rückgabe?\"\nanswer = \"Nie.\"\n\
        [tenants.acme.scripts.parcel]\nsteps = [\
        {{ id = \"ask\", text = \"Which?\", fields = [{{ name = \"Order\", required = true }}, \
        {{ name = \"Broken\", kind = \"yes_no\" }}], \
        branches = [{{ field = \"Broken\", is = \"yes\", go = \"what\" }}] }}, \
        {{ id = \"what\", text = \"What?\", fields = [{{ name = \"Part\", kind = \"choice\", \
        options = [\"Box\", \"Goods\"], required = true }}] }}]\n\
        [tenants.other.scripts.theirs]\nsteps = [{{ id = \"a\", text = \"A\" }}]\n"
    )
}

async fn get(world: &World, path: &str, token: &str) -> (u16, Value) {
    let answer = world.http.get(world.url(path)).bearer_auth(token).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn render(world: &World, id: &str, token: &str, body: &Value) -> (u16, Value) {
    let path = format!("/api/v1/acme/templates/{id}/render");
    let answer = world.post(&path, body).bearer_auth(token).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|entry| entry["id"].as_str().unwrap()).collect()
}

// proves B11
#[tokio::test]
async fn a_template_is_rendered_whole_or_every_hole_is_named() {
    let world = world(&at_hand()).await;
    let Talking { mut panel, mut widget, chat, .. } = world.talking("Grace {{agent.name}} {{x}}").await;
    let anna = world.agent_token("acme");
    let (status, refusal) = render(&world, "late", &anna, &json!({ "interaction": chat })).await;
    assert_eq!(
        (status, &refusal["code"], &refusal["field"]),
        (422, &json!("invalid"), &json!("field.order"))
    );
    let message = refusal["message"].as_str().unwrap();
    assert!(message.contains("field.order, field.day;"), "{message}");
    let body = json!({ "interaction": chat, "fields": { "order": "{{field.day}}", "day": " \n " } });
    let (status, refusal) = render(&world, "late", &anna, &body).await;
    assert_eq!((status, &refusal["field"]), (422, &json!("field.day")), "blanks fill nothing");
    let body = json!({ "interaction": chat, "fields": { "order": "{{field.day}}", "day": "}}{{" } });
    let (status, rendered) = render(&world, "late", &anna, &body).await;
    let text = "Dear Grace {{agent.name}} {{x}}, order {{field.day}} ({{field.day}}, }}{{) is late. \
                Anna Berg, Support";
    assert_eq!((status, &rendered), (200, &json!({ "text": text })), "values are not expanded");
    let deed = json!({ "deed": "send", "interaction": chat, "text": rendered["text"] });
    assert_eq!(panel.ask(json!({ "frame": "do", "do": deed })).await, Value::Null);
    widget.wait(|frame| frame["message"]["text"] == text).await;
    let (status, refusal) = render(&world, "first", &anna, &json!({ "interaction": chat })).await;
    assert_eq!((status, &refusal["field"]), (422, &json!("customer.first_name")), "a name is not guessed at");
    let body = json!({ "interaction": chat, "fields": { "order": "1", "day": "2", "dya": "3" } });
    let (status, refusal) = render(&world, "late", &anna, &body).await;
    assert_eq!((status, &refusal["field"]), (422, &json!("fields")));
    let body = json!({ "interaction": chat, "fields": { "order": "x".repeat(1_001), "day": "2" } });
    let (status, refusal) = render(&world, "late", &anna, &body).await;
    assert_eq!((status, &refusal["limit"], &refusal["field"]), (422, &json!(1_000), &json!("fields.order")));
}

// proves B11
#[tokio::test]
async fn templates_are_for_the_agents_at_the_chat_and_for_its_queue() {
    let world = world(&at_hand()).await;
    let Talking { mut panel, chat, token, .. } = world.talking("Grace").await;
    let (anna, ben) = (world.agent_token("acme"), token_of(&world, "ben"));
    let (_, list) = get(&world, "/api/v1/acme/templates?queue=support", &anna).await;
    assert_eq!(ids(&list["templates"]), ["first", "late"]);
    assert_eq!(list["templates"][1]["fields"], json!(["order", "day"]));
    let (_, list) = get(&world, "/api/v1/acme/templates", &anna).await;
    assert_eq!(ids(&list["templates"]), ["first", "late", "sold"]);
    let (status, refusal) = get(&world, "/api/v1/acme/templates?queue=nowhere", &anna).await;
    assert_eq!((status, &refusal["field"]), (422, &json!("queue")));
    let body = json!({ "interaction": chat, "fields": { "order": "7", "day": "Monday" } });
    for (id, by, expected) in [
        ("sold", &anna, 404),
        ("theirs", &anna, 404),
        ("late", &ben, 404),
        ("late", &token, 401),
        ("late", &world.agent_token("other"), 404),
        ("late", &anna, 200),
    ] {
        assert_eq!(render(&world, id, by, &body).await.0, expected, "{id}");
    }
    let (theirs, _) = world.start_chat("other", "Hugo").await;
    let body = json!({ "interaction": theirs, "fields": { "order": "7", "day": "Monday" } });
    assert_eq!(render(&world, "late", &anna, &body).await.0, 404, "another centre's chat");
    let (mut his, _) = panel_of(&world, "ben").await;
    is_available(&mut his).await;
    let to = json!({ "to": "agent", "agent": "ben", "warm": true });
    panel.deed(json!({ "deed": "transfer", "interaction": chat, "to": to })).await;
    let offer = his.change("offer", |c| c["offer"].is_object()).await["offer"]["offer"].clone();
    let body = json!({ "interaction": chat, "fields": { "order": "7", "day": "Monday" } });
    assert_eq!(render(&world, "late", &ben, &body).await.0, 404, "an offer is not yet a chat");
    his.deed(json!({ "deed": "accept_offer", "offer": offer })).await;
    his.change("joined", |_| true).await;
    let (status, rendered) = render(&world, "late", &ben, &body).await;
    assert_eq!(status, 200);
    assert!(rendered["text"].as_str().unwrap().contains("Ben Okoro"), "{rendered}");
}

// proves B11
#[tokio::test]
async fn the_faq_answers_agents_of_the_centre_with_what_fits_best() {
    let world = world(&at_hand()).await;
    let anna = world.agent_token("acme");
    let (status, found) = get(&world, "/api/v1/acme/faq?q=RUCKGABE", &anna).await;
    assert_eq!(
        (status, ids(&found["entries"])),
        (200, vec!["bulk", "geraete"]),
        "in the question before the answer"
    );
    let (_, found) = get(&world, "/api/v1/acme/faq?q=gerat&queue=support", &anna).await;
    assert_eq!(ids(&found["entries"]), ["geraete"]);
    assert_eq!(found["entries"][0]["answer"], "Die Rückgabe ist frei.");
    let (_, found) = get(&world, "/api/v1/acme/faq?q=R%C3%BCckgabe&queue=support", &anna).await;
    assert_eq!(ids(&found["entries"]), ["geraete"], "what is for another queue is left out");
    let long = format!("/api/v1/acme/faq?q={}", "x".repeat(501));
    assert_eq!(get(&world, &long, &anna).await.1["code"], "too_long");
    assert_eq!(get(&world, "/api/v1/acme/faq?quest=x", &anna).await.1["field"], "query");
    let (_, customer) = world.start_chat("acme", "Grace").await;
    for path in ["faq?q=a", "templates", "scripts/parcel", "queues/help/script"] {
        let path = format!("/api/v1/acme/{path}");
        assert_eq!(get(&world, &path, &customer).await.0, 401, "{path}");
        assert_eq!(get(&world, &path, &world.agent_token("other")).await.0, 404, "{path}");
        assert_eq!(world.http.get(world.url(&path)).send().await.unwrap().status(), 401, "{path}");
        assert_eq!(get(&world, &path, &token_of(&world, "gone")).await.0, 404, "{path}");
        assert_eq!(get(&world, &path, &anna).await.0, 200, "{path}");
    }
}

// proves G3
#[tokio::test]
async fn a_script_is_shown_and_what_is_filled_in_fits_it() {
    let world = world(&at_hand()).await;
    let carl = token_of(&world, "carl");
    let (_, script) = get(&world, "/api/v1/acme/scripts/parcel", &carl).await;
    assert_eq!(ids(&script["steps"]), ["ask", "what"]);
    assert_eq!(script["steps"][0]["branches"][0], json!({ "field": "Broken", "is": "yes", "go": "what" }));
    assert_eq!(script["steps"][1]["fields"][0]["options"], json!(["Box", "Goods"]));
    assert_eq!(get(&world, "/api/v1/acme/scripts/theirs", &carl).await.0, 404);
    assert_eq!(get(&world, "/api/v1/acme/queues/help/script", &carl).await.1, script, "found by its queue");
    assert_eq!(get(&world, "/api/v1/acme/queues/nowhere/script", &carl).await.0, 404);
    let (mut panel, _) = panel_of(&world, "carl").await;
    is_available(&mut panel).await;
    let id = uuid::Uuid::new_v4();
    let body = json!({ "id": id, "queue": "help", "person": { "name": "Grace" } });
    let chat: Value = world.post("/api/v1/acme/chats", &body).send().await.unwrap().json().await.unwrap();
    let chat = chat["interaction"].clone();
    let offer = panel.change("offer", |c| c["offer"].is_object()).await["offer"]["offer"].clone();
    panel.deed(json!({ "deed": "accept_offer", "offer": offer })).await;
    for (answers, field) in [
        (json!({ "Order": "7", "Colour": "red" }), "answers.Colour"),
        (json!({}), "answers.Order"),
        (json!({ "Order": "  " }), "answers.Order"),
        (json!({ "Order": "7", "Broken": "maybe" }), "answers.Broken"),
        (json!({ "Order": "7", "Broken": "yes" }), "answers.Part"),
        (json!({ "Order": "7", "Broken": "yes", "Part": "box" }), "answers.Part"),
        (json!({ "Order": "x".repeat(1_001) }), "answers.Order"),
    ] {
        let deed = json!({ "deed": "fill_script", "interaction": chat, "answers": answers });
        let refusal = panel.ask(json!({ "frame": "do", "do": deed })).await;
        assert_eq!(refusal["field"], field, "{answers}");
    }
    for answers in
        [json!({ "Order": "7", "Broken": "no" }), json!({ "Order": "7", "Broken": "yes", "Part": "Box" })]
    {
        let deed = json!({ "deed": "fill_script", "interaction": chat, "answers": answers });
        assert_eq!(panel.ask(json!({ "frame": "do", "do": deed })).await, Value::Null, "{answers}");
    }
}

// proves G3
#[tokio::test]
async fn where_the_queue_names_no_script_any_fields_are_kept() {
    let world = world(&at_hand()).await;
    let Talking { mut panel, chat, .. } = world.talking("Grace").await;
    let deed = json!({ "deed": "fill_script", "interaction": chat, "answers": { "Mood": "good" } });
    assert_eq!(panel.ask(json!({ "frame": "do", "do": deed })).await, Value::Null);
}
