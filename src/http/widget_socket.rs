//! `/ws/customer`: the widget of one chat.

use super::answer::Answer;
use super::drafts::{MessageDraft, Readers, Refers, Told};
use super::hub::{PUSHES_MAX, WidgetPush, WidgetSnapshot, Wire};
use super::limits::{self, From, Place};
use super::panel_socket::TYPING_EVERY;
use super::server::Peer;
use super::socket::{
    Listener, Lost, Mouth, Speaker, check_tenant, check_text, listen, sized, speak, split, too_long, wire,
};
use super::{Shared, api, replicas, returning, share};
use crate::auth::CustomerPass;
use crate::drive::{self, Request};
use crate::journal;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, OriginalUri, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use tieline_engine::Engine;
use tieline_model::content::{Content, ContentRef};
use tieline_model::crm::Side;
use tieline_model::live::{ChatState, Message, WidgetFrame, WidgetSays};
use tieline_model::{Actor, Code, Command, CommandId, Millis, Refusal, SessionId, TenantId, Timestamp, Wish};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(super) async fn open(
    State(app): State<Shared>,
    Extension(From(address)): Extension<From>,
    Extension(peer): Extension<Peer>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, Response> {
    app.origins.check(&headers).map_err(IntoResponse::into_response)?;
    let upgrade =
        upgrade.map_err(|_| Answer::invalid("upgrade", "this address speaks WebSocket").into_response())?;
    let place = limits::place(&app, &peer, address).map_err(IntoResponse::into_response)?;
    let said = replicas::said_in_address(&uri);
    let frame_max = app.parts.settings.http.customer_frame_bytes_max;
    Ok(sized(upgrade, frame_max).on_upgrade(move |socket| {
        let tasks = peer.task.clone();
        tasks.track_future(serve(app, socket, place, peer, (address, said)))
    }))
}

async fn serve(
    app: Shared,
    socket: WebSocket,
    _place: Option<Place>,
    _peer: Peer,
    (address, said): (IpAddr, Option<TenantId>),
) {
    let http = &app.parts.settings.http;
    let (mut ear, mut mouth) = split(socket, http.pong_within.std());
    let bye = |reason: String, reconnect_in| WidgetFrame::Bye { reason, reconnect_in };
    let hello = tokio::select! {
        hello = ear.hello::<WidgetSays>(http.hello_within.std()) => hello,
        () = app.stop.cancelled() => Err("the daemon is restarting".to_owned()),
    };
    let token = match hello {
        Ok(WidgetSays::Hello { token }) => token,
        Ok(
            WidgetSays::Send { .. }
            | WidgetSays::LeaveMessage { .. }
            | WidgetSays::End { .. }
            | WidgetSays::Return { .. }
            | WidgetSays::Typing
            | WidgetSays::Resync,
        ) => {
            return mouth.end(&bye("the first frame must be hello".to_owned(), None)).await;
        }
        Err(reason) => return mouth.end(&bye(reason, Some(Millis::secs(1)))).await,
    };
    let mut pass = match app.parts.auth.tokens().read_customer(&token) {
        Ok(pass) => pass,
        Err(error) => return mouth.end(&bye(error.to_string(), None)).await,
    };
    if let Err(reason) = check_tenant(said.as_ref(), &pass.tenant) {
        return mouth.end(&bye(reason, None)).await;
    }
    let session = SessionId(Uuid::new_v4());
    let (wire, pushes) = wire(PUSHES_MAX);
    match seat(&app, &pass, session, wire.clone()).await {
        Ok(true) => {
            let done = CancellationToken::new();
            let speaker = Widget { app: app.clone(), pass: pass.clone() };
            let mut listening =
                Listening { app: &app, pass: pass.clone(), address, session, wire: &wire, typed_at: None };
            tokio::join!(
                speak(&app, mouth, speaker, pushes, wire.gone.clone(), done.clone()),
                listen(&mut listening, ear, done.clone()),
            );
            // A return may have led to another chat.
            pass = listening.pass;
        }
        Ok(false) => mouth.end(&bye(no_chat(), None)).await,
        Err(refusal) => {
            let again = replicas::again_in(&app, &pass.tenant, &refusal);
            mouth.end(&bye(refusal.message, again)).await;
        }
    }
    app.parts.hub.leave_widget(&pass.tenant, pass.interaction, session);
}

fn too_fast() -> Refusal {
    Refusal::new(Code::Busy, "that was too fast; try again in a minute")
}

fn no_chat() -> String {
    "there is no such chat; start a new one".to_owned()
}

async fn seat(
    app: &Shared,
    pass: &CustomerPass,
    session: SessionId,
    wire: Wire<WidgetPush>,
) -> Result<bool, Refusal> {
    let (hub, its) = (app.parts.hub.clone(), pass.clone());
    let look = move |engine: &Engine| hub.seat_widget(engine, &its, session, wire);
    app.parts.drive.read(&pass.tenant, look).await
}

/// The half that hears.
struct Listening<'a> {
    app: &'a Shared,
    pass: CustomerPass,
    address: IpAddr,
    session: SessionId,
    wire: &'a Wire<WidgetPush>,
    typed_at: Option<Instant>,
}

impl Listener for Listening<'_> {
    async fn hear(&mut self, text: &str) -> bool {
        let app = self.app;
        app.counts.frames_in.add();
        let says: WidgetSays = match serde_json::from_str(text) {
            Ok(says) => says,
            Err(error) => {
                app.counts.frames_bad.add();
                return self.bye(&format!("a frame could not be read: {}", api::safe(&error))).await;
            }
        };
        let long = too_long(text, app.parts.settings.http.customer_frame_bytes_max);
        match says {
            WidgetSays::Hello { .. } => true,
            WidgetSays::Send { id, text } => {
                let refusal = match long {
                    Some(refusal) => Some(refusal),
                    None => self.send(id.clone(), text).await.err(),
                };
                self.push(WidgetPush::Answer { id, refusal }).await
            }
            WidgetSays::LeaveMessage { id, text } => {
                let refusal = match long {
                    Some(refusal) => Some(refusal),
                    None => self.leave_message(id.clone(), text).await.err(),
                };
                self.push(WidgetPush::Answer { id, refusal }).await
            }
            WidgetSays::Return { id } => self.come_back(id).await,
            WidgetSays::End { id } => {
                let wish = Wish::EndChat { interaction: self.pass.interaction };
                let refusal = self.submit(self.request(id.clone(), wish)).await.err();
                self.push(WidgetPush::Answer { id, refusal }).await
            }
            WidgetSays::Typing => {
                self.typing().await;
                true
            }
            WidgetSays::Resync => {
                if !self.may_go_on() {
                    return true;
                }
                let (hub, pass, session) = (app.parts.hub.clone(), self.pass.clone(), self.session);
                let look =
                    move |engine: &Engine| hub.resync_widget(engine, &pass.tenant, pass.interaction, session);
                app.parts.drive.read(&self.pass.tenant, look).await.is_ok()
            }
        }
    }

    async fn bye(&self, reason: &str) -> bool {
        let bye = WidgetPush::Bye { reason: reason.to_owned(), reconnect_in: Some(Millis::secs(2)) };
        // The half that speaks ends the socket once it has said this.
        self.push(bye).await
    }
}

impl Listening<'_> {
    fn request(&self, id: CommandId, wish: Wish) -> Request {
        let by = Actor::Customer { conversation: self.pass.conversation };
        Request::new(self.pass.tenant.clone(), Command { id, by, wish })
    }

    async fn send(&self, id: CommandId, text: String) -> Result<(), Refusal> {
        let interaction = self.pass.interaction;
        self.write(id, text, |text| Wish::SendMessage { interaction, text }).await
    }

    async fn leave_message(&self, id: CommandId, text: String) -> Result<(), Refusal> {
        let interaction = self.pass.interaction;
        self.write(id, text, |text| Wish::LeaveMessage { interaction, text }).await
    }

    async fn write(
        &self,
        id: CommandId,
        text: String,
        wish: impl FnOnce(ContentRef) -> Wish,
    ) -> Result<(), Refusal> {
        check_text(&text)?;
        let (text, kept) = drive::content(self.pass.conversation, Content::Message { text });
        let mut request = self.request(id, wish(text));
        request.content.push(kept);
        self.submit(request).await
    }

    /// The customer comes back (B15); the socket goes on with the chat that this leads to.
    async fn come_back(&mut self, id: CommandId) -> bool {
        let app = self.app;
        let back = match self.may_go_on() {
            true => returning::come_back(app, &self.pass, &id, self.address).await,
            false => Err(too_fast()),
        };
        let back = match back {
            Ok(back) => back,
            Err(refusal) => return self.push(WidgetPush::Answer { id, refusal: Some(refusal) }).await,
        };
        app.parts.hub.leave_widget(&self.pass.tenant, self.pass.interaction, self.session);
        self.pass = back.pass.clone();
        if !self.push(WidgetPush::Returned { id, pass: back.pass, returned: back.returned }).await {
            return false;
        }
        match seat(app, &self.pass, self.session, self.wire.clone()).await {
            Ok(true) => true,
            Ok(false) => self.bye(&no_chat()).await,
            Err(refusal) => self.bye(&refusal.message).await,
        }
    }

    async fn submit(&self, request: Request) -> Result<(), Refusal> {
        if !self.may_go_on() {
            return Err(too_fast());
        }
        self.app.parts.drive.submit(request).await.map(|_| ())
    }

    /// So many frames a minute, over all tabs of the chat (F4).
    fn may_go_on(&self) -> bool {
        let key = (self.pass.tenant.clone(), self.pass.interaction);
        let may = self.app.customer_frames.take(key, self.app.parts.clock.now());
        if !may {
            self.app.counts.throttled.add();
        }
        may
    }

    async fn typing(&mut self) {
        if self.typed_at.is_some_and(|at| at.elapsed() < TYPING_EVERY) {
            return;
        }
        self.typed_at = Some(Instant::now());
        let (hub, pass) = (self.app.parts.hub.clone(), self.pass.clone());
        let look = move |engine: &Engine| {
            let by = Actor::Customer { conversation: pass.conversation };
            if engine.may_type(&by, pass.interaction).is_ok() {
                hub.customer_types(engine, &pass.tenant, pass.interaction);
            }
        };
        // A daemon that stops has nobody to tell.
        let _ = self.app.parts.drive.read(&self.pass.tenant, look).await;
    }

    async fn push(&self, push: WidgetPush) -> bool {
        self.wire.push.send(push).await.is_ok()
    }
}

/// The half that speaks.
struct Widget {
    app: Shared,
    pass: CustomerPass,
}

impl Speaker for Widget {
    type Push = WidgetPush;

    async fn tell(&mut self, mouth: &mut Mouth, push: WidgetPush) -> Result<bool, Lost> {
        match push {
            WidgetPush::Snapshot(snapshot) => return self.snapshot(mouth, snapshot).await,
            WidgetPush::State(state) => {
                let seq = mouth.next_seq();
                mouth.say(&WidgetFrame::State { seq, state }).await?;
            }
            WidgetPush::Message(message) => match self.fill(vec![message]).await {
                Ok(messages) => {
                    for message in messages {
                        let seq = mouth.next_seq();
                        mouth.say(&WidgetFrame::Message { seq, message }).await?;
                    }
                }
                Err(error) => return Ok(self.unreadable(mouth, &error).await),
            },
            WidgetPush::Typing(lasts) => mouth.say(&WidgetFrame::Typing { lasts }).await?,
            WidgetPush::Returned { id, pass, returned } => {
                self.pass = pass;
                mouth.say(&WidgetFrame::Returned { id, returned }).await?;
            }
            WidgetPush::Answer { id, refusal } => mouth.say(&WidgetFrame::Answer { id, refusal }).await?,
            WidgetPush::Bye { reason, reconnect_in } => {
                self.bye(mouth, &reason, reconnect_in).await;
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A fresh token goes out when two thirds of the old one's life are over.
    fn due_at(&self) -> Timestamp {
        let life = self.app.parts.settings.auth.customer_token.millis();
        self.pass.expires_at - Millis(life.0 / 3)
    }

    async fn due(&mut self, mouth: &mut Mouth) -> Result<bool, Lost> {
        let tokens = self.app.parts.auth.tokens();
        let fresh = tokens.customer(&self.pass.tenant, self.pass.conversation, self.pass.interaction);
        self.pass.expires_at = fresh.expires_at;
        mouth.say(&WidgetFrame::Token { token: fresh.token }).await?;
        Ok(true)
    }

    async fn bye(&self, mouth: &mut Mouth, reason: &str, reconnect_in: Option<Millis>) {
        mouth.end(&WidgetFrame::Bye { reason: reason.to_owned(), reconnect_in }).await;
    }
}

impl Widget {
    async fn snapshot(&self, mouth: &mut Mouth, snapshot: WidgetSnapshot) -> Result<bool, Lost> {
        let WidgetSnapshot { state, return_until, files, chars_max, up_to, names } = snapshot;
        let (tenant, interaction) = (&self.pass.tenant, self.pass.interaction);
        let store = self.app.parts.hub.contents().store();
        let rows = match store.read_interaction(tenant, interaction).await {
            Ok(rows) => rows,
            Err(error) => return Ok(self.unreadable(mouth, &error).await),
        };
        let told = Told::from_rows(&rows, up_to, &names, Readers::Customer);
        if told.conversation != Some(self.pass.conversation) {
            self.bye(mouth, &no_chat(), None).await;
            return Ok(false);
        }
        let messages = match self.fill(told.messages).await {
            Ok(messages) => messages,
            Err(error) => return Ok(self.unreadable(mouth, &error).await),
        };
        let by = told.ended.unwrap_or(Side::Agent);
        let state = state.unwrap_or(ChatState::Ended { by, return_until });
        let (seq, now) = (mouth.seq(), self.app.parts.clock.now());
        let frame = WidgetFrame::Snapshot { seq, now, interaction, state, messages, chars_max, files };
        mouth.say(&frame).await?;
        Ok(true)
    }

    async fn fill(&self, mut drafts: Vec<MessageDraft>) -> Result<Vec<Message>, journal::Error> {
        let (tenant, interaction) = (&self.pass.tenant, self.pass.interaction);
        for draft in &mut drafts {
            draft.link(|share, expires_at| share::link(&self.app, tenant, interaction, share, expires_at));
        }
        let mut ids = BTreeSet::new();
        drafts.refs(&mut ids);
        let known = self.app.parts.hub.contents().get(&self.pass.tenant, ids).await?;
        Ok(drafts.into_iter().map(|draft| draft.fill(&known)).collect())
    }

    async fn unreadable(&self, mouth: &mut Mouth, error: &journal::Error) -> bool {
        tracing::error!(tenant = %self.pass.tenant, %error, "a widget could not be told what happened");
        self.bye(mouth, "the chat cannot be read now; trying again", Some(Millis::secs(2))).await;
        false
    }
}
