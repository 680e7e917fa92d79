//! Which panel of an agent gets a record to open, and which gets none.

use crate::world::{Socket, World, acme, anna, world};
use serde_json::{Value, json};
use tieline::http::{Pop, Shown};
use tieline_model::InteractionId;
use tieline_model::crm::{PopTarget, Record};

/// Connections stand in the order of their ids.
const FOUR: &str = r#"
[tenants.acme.connections.sales]
type = "salesforce"
[tenants.acme.connections.sales.salesforce]
[tenants.acme.connections.service]
type = "dynamics"
[tenants.acme.connections.service.dynamics]
[tenants.acme.connections.tickets]
type = "zendesk"
[tenants.acme.connections.tickets.zendesk]
[tenants.acme.connections.tickets-two]
type = "zendesk"
[tenants.acme.connections.tickets-two.zendesk]
"#;

/// An agent who is offered chats, and the pops of one of them.
struct Offered {
    world: World,
    /// Keeps the agent there; it stands alone.
    plain: Socket,
    chat: InteractionId,
    token: String,
}

impl Offered {
    async fn start() -> Self {
        let world = world(FOUR).await;
        let (mut plain, _) = world.panel(false).await;
        plain.deed(json!({ "deed": "set_presence", "presence": { "presence": "available" } })).await;
        let (chat, token) = world.start_chat("acme", "Grace").await;
        plain.change("offer", |c| c["offer"].is_object()).await;
        Self { world, plain, chat: chat.parse().unwrap(), token }
    }

    fn pop(&self, connection: &str, record: &str) -> Pop {
        let record = Record { object: "Contact".to_owned(), id: record.parse().unwrap() };
        Pop {
            interaction: self.chat,
            connection: connection.parse().unwrap(),
            target: PopTarget::Record { record, url: None },
            title: "Grace".to_owned(),
            leads: false,
            pushes: false,
        }
    }

    fn say(&self, pop: Pop) -> Shown {
        self.world.hub.pop(&acme(), &anna(), pop)
    }

    /// Of a connection that does not lead.
    fn one_of_several(&self, connection: &str, record: &str) -> Shown {
        self.say(self.pop(connection, record))
    }

    fn leading(&self, connection: &str, record: &str) -> Shown {
        self.say(Pop { leads: true, ..self.pop(connection, record) })
    }

    fn to_push(&self, connection: &str, record: &str) -> Shown {
        self.say(Pop { leads: true, pushes: true, ..self.pop(connection, record) })
    }
}

async fn record_of(socket: &mut Socket) -> Value {
    socket.frame("pop").await["target"]["record"]["id"].clone()
}

/// Nothing but deltas came since, and nothing is on its way.
async fn has_no_pop(socket: &mut Socket) {
    socket.say(&json!({ "frame": "resync" })).await;
    let next = socket.wait(|f| f["frame"] != "delta" && f["frame"] != "answer").await;
    assert_eq!(next["frame"], "snapshot", "{next}");
}

// proves D0, D3
#[tokio::test]
async fn each_crms_page_gets_the_record_of_its_own_crm_and_no_other() {
    let mut at = Offered::start().await;
    let (mut salesforce, _) = at.world.panel_in("salesforce").await;
    let (mut dynamics, _) = at.world.panel_in("dynamics").await;
    let (mut zendesk, _) = at.world.panel_in("zendesk").await;
    assert_eq!(at.one_of_several("tickets", "z"), Shown::Opened);
    assert_eq!(at.leading("sales", "s"), Shown::Opened);
    assert_eq!(at.one_of_several("service", "d"), Shown::Opened);
    for (page, record) in [(&mut salesforce, "s"), (&mut dynamics, "d"), (&mut zendesk, "z")] {
        assert_eq!(record_of(page).await, record);
    }
    assert_eq!(at.leading("sales", "s"), Shown::Opened, "said again, it is where it was");
    for page in [&mut salesforce, &mut dynamics, &mut zendesk, &mut at.plain] {
        has_no_pop(page).await;
    }
}

// proves D0, D3
#[tokio::test]
async fn a_crm_whose_page_is_not_open_pops_nowhere_while_another_crms_is() {
    let mut at = Offered::start().await;
    let (mut dynamics, _) = at.world.panel_in("dynamics").await;
    assert_eq!(at.leading("sales", "s"), Shown::Not);
    assert_eq!(at.one_of_several("tickets", "z"), Shown::Not);
    has_no_pop(&mut dynamics).await;
    has_no_pop(&mut at.plain).await;
    assert_eq!(at.one_of_several("service", "d"), Shown::Opened);
    assert_eq!(record_of(&mut dynamics).await, "d");
    let (mut zendesk, _) = at.world.panel_in("zendesk").await;
    assert_eq!(record_of(&mut zendesk).await, "z", "its page opens late and gets what it missed");
    has_no_pop(&mut dynamics).await;
}

// proves D0, D3
#[tokio::test]
async fn without_any_crms_page_one_connection_leads_and_stands_as_a_link_until_its_page_opens() {
    let mut at = Offered::start().await;
    assert_eq!(at.one_of_several("service", "d"), Shown::Not);
    assert_eq!(at.leading("sales", "s"), Shown::AsLink);
    assert_eq!(record_of(&mut at.plain).await, "s");
    assert_eq!(at.leading("service", "d"), Shown::Not, "one link for a chat is enough");
    has_no_pop(&mut at.plain).await;
    let (mut salesforce, _) = at.world.panel_in("salesforce").await;
    assert_eq!(record_of(&mut salesforce).await, "s", "what was a link is opened where it belongs");
    let (mut again, _) = at.world.panel_in("salesforce").await;
    has_no_pop(&mut again).await;
    let (mut dynamics, _) = at.world.panel_in("dynamics").await;
    assert_eq!(record_of(&mut dynamics).await, "d");
}

// proves D3
#[tokio::test]
async fn of_several_panels_in_one_crm_the_one_used_last_opens_it() {
    let at = Offered::start().await;
    let (mut one, _) = at.world.panel_in("salesforce").await;
    let (mut two, _) = at.world.panel_in("salesforce").await;
    let (mut other, _) = at.world.panel_in("dynamics").await;
    let available = json!({ "deed": "set_presence", "presence": { "presence": "available" } });
    one.ask(json!({ "frame": "do", "do": available })).await;
    other.ask(json!({ "frame": "do", "do": available })).await;
    at.leading("sales", "s");
    assert_eq!(record_of(&mut one).await, "s");
    has_no_pop(&mut two).await;
}

// proves D3
#[tokio::test]
async fn a_page_that_cannot_open_records_gets_a_link_and_one_that_can_opens_it_later() {
    let at = Offered::start().await;
    let mut old = at.world.socket("/ws/agent").await;
    let token = at.world.agent_token("acme");
    let host = json!({ "vendor": "salesforce" });
    old.say(&json!({ "frame": "hello", "token": token, "can_pop": false, "host": host })).await;
    old.frame("snapshot").await;
    assert_eq!(at.one_of_several("sales", "s"), Shown::AsLink);
    assert_eq!(record_of(&mut old).await, "s");
    let (mut able, _) = at.world.panel_in("salesforce").await;
    assert_eq!(record_of(&mut able).await, "s");
}

// proves D3
#[tokio::test]
async fn a_pop_is_withdrawn_with_its_offer_and_made_anew_with_a_new_one() {
    let mut at = Offered::start().await;
    let (mut salesforce, _) = at.world.panel_in("salesforce").await;
    at.leading("sales", "s");
    assert_eq!(record_of(&mut salesforce).await, "s");
    // A break takes the offer back; coming back makes a new one.
    for presence in [json!({ "presence": "on_break", "reason": "Lunch" }), json!({ "presence": "available" })]
    {
        let deed = json!({ "deed": "set_presence", "presence": presence });
        assert_eq!(at.plain.ask(json!({ "frame": "do", "do": deed })).await, Value::Null);
    }
    assert_eq!(at.leading("sales", "s"), Shown::Opened);
    assert_eq!(record_of(&mut salesforce).await, "s");
    at.one_of_several("service", "d");
    let (mut widget, _) = at.world.widget(&at.token).await;
    assert_eq!(widget.ask(json!({ "frame": "end" })).await, Value::Null);
    assert_eq!(at.leading("sales", "s"), Shown::Not, "the chat is over");
    let (mut dynamics, _) = at.world.panel_in("dynamics").await;
    has_no_pop(&mut dynamics).await;
}

// proves D3
#[tokio::test]
async fn a_crm_that_opens_records_itself_does_so_only_where_no_panel_stands_and_once() {
    let mut at = Offered::start().await;
    assert_eq!(at.to_push("tickets", "z"), Shown::Pushed);
    has_no_pop(&mut at.plain).await;
    let (mut zendesk, _) = at.world.panel_in("zendesk").await;
    has_no_pop(&mut zendesk).await;
    let (tenant, agent) = (acme(), anna());
    at.world.hub.not_pushed(&tenant, &agent, at.chat, &"tickets".parse().unwrap());
    assert_eq!(record_of(&mut zendesk).await, "z", "it did not work: the panel opens it after all");
    at.world.hub.not_pushed(&tenant, &agent, at.chat, &"tickets".parse().unwrap());
    has_no_pop(&mut zendesk).await;
}

#[tokio::test]
async fn without_a_panel_in_a_page_a_push_that_failed_becomes_a_link() {
    let mut at = Offered::start().await;
    assert_eq!(at.to_push("tickets", "z"), Shown::Pushed);
    at.world.hub.not_pushed(&acme(), &anna(), at.chat, &"tickets".parse().unwrap());
    assert_eq!(record_of(&mut at.plain).await, "z");
}

// proves D0, F5
#[tokio::test]
async fn a_panel_says_which_connection_it_stands_in_and_hears_when_that_cannot_be() {
    let at = Offered::start().await;
    let hello = async |host: Value| {
        let mut socket = at.world.socket("/ws/agent").await;
        let token = at.world.agent_token("acme");
        socket.say(&json!({ "frame": "hello", "token": token, "can_pop": true, "host": host })).await;
        let first = socket.hear().await.unwrap();
        (socket, first)
    };
    for (host, says) in [
        (json!({ "vendor": "zendesk", "connection": "nowhere" }), "no CRM connection `nowhere`"),
        (json!({ "vendor": "zendesk", "connection": "service" }), "of type dynamics"),
    ] {
        let (_, bye) = hello(host).await;
        let reason = bye["reason"].as_str().unwrap_or_default();
        assert!(bye["frame"] == "bye" && reason.contains(says) && bye["reconnect_in"].is_null(), "{bye}");
    }
    let (mut second, _) = hello(json!({ "vendor": "zendesk", "connection": "tickets-two" })).await;
    let (mut first, _) = hello(json!({ "vendor": "zendesk" })).await;
    let (mut strange, snapshot) = hello(json!({ "vendor": "abacus" })).await;
    assert_eq!(snapshot["frame"], "snapshot", "a page of no CRM of ours is a page to work in all the same");
    at.one_of_several("tickets-two", "z2");
    at.one_of_several("tickets", "z1");
    assert_eq!(record_of(&mut second).await, "z2");
    assert_eq!(record_of(&mut first).await, "z1");
    assert_eq!(at.leading("sales", "s"), Shown::Not);
    has_no_pop(&mut strange).await;
}

/// A page that can pop and does not say in which CRM it stands.
#[tokio::test]
async fn a_page_that_does_not_name_its_crm_is_taken_for_that_of_the_first_connection() {
    let at = Offered::start().await;
    let (mut page, _) = at.world.panel(true).await;
    at.one_of_several("service", "d");
    at.leading("sales", "s");
    assert_eq!(record_of(&mut page).await, "s");
}
