//! `/ws/agent`: an agent's panel.

use super::answer::Answer;
use super::contents::Known;
use super::deeds::Doing;
use super::drafts::{Draft, History, MessageDraft, Readers, Refers, Told};
use super::hub::{PUSHES_MAX, Page, PanelPush, PanelSnapshot, Wire};
use super::limits::{self, From, Place};
use super::pops::{Pop, stands_in};
use super::server::Peer;
use super::socket::{
    Listener, Lost, Mouth, Speaker, check_tenant, listen, sized, speak, split, too_long, wire,
};
use super::{Shared, api, desk, replicas};
use crate::auth::AgentPass;
use crate::drive::Request;
use crate::journal;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, OriginalUri, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use std::collections::BTreeSet;
use std::time::Duration;
use tieline_model::live::{AgentDeed, Change, HostPage, ItemMessages, PanelFrame, PanelSays, PanelView};
use tieline_model::{
    Actor, Code, Command, CommandId, InteractionId, Millis, Refusal, SessionId, TenantId, Timestamp, Wish,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Typing frames that come faster than this are not passed on.
pub(super) const TYPING_EVERY: Duration = Duration::from_secs(1);
/// Tries to take a session away whose panel is gone, while the journal takes no commits.
const LEAVE_TRIES: u32 = 60;
/// Pause between them.
const LEAVE_PAUSE: Duration = Duration::from_secs(1);

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
    let frame_max = app.parts.settings.http.agent_frame_bytes_max;
    Ok(sized(upgrade, frame_max).on_upgrade(move |socket| {
        let tasks = peer.task.clone();
        tasks.track_future(serve(app, socket, place, peer, said))
    }))
}

async fn serve(app: Shared, socket: WebSocket, _place: Option<Place>, _peer: Peer, said: Option<TenantId>) {
    let http = &app.parts.settings.http;
    let (mut ear, mut mouth) = split(socket, http.pong_within.std());
    let bye = |reason: String, reconnect_in| PanelFrame::Bye { reason, reconnect_in };
    let hello = tokio::select! {
        hello = ear.hello::<PanelSays>(http.hello_within.std()) => hello,
        () = app.stop.cancelled() => Err("the daemon is restarting".to_owned()),
    };
    let (token, can_pop, host) = match hello {
        Ok(PanelSays::Hello { token, can_pop, host }) => (token, can_pop, host),
        Ok(PanelSays::Do { .. } | PanelSays::Typing { .. } | PanelSays::Resync) => {
            return mouth.end(&bye("the first frame must be hello".to_owned(), None)).await;
        }
        Err(reason) => return mouth.end(&bye(reason, Some(Millis::secs(1)))).await,
    };
    let pass = match app.parts.auth.tokens().read_agent(&token) {
        Ok(pass) => pass,
        Err(error) => return mouth.end(&bye(error.to_string(), None)).await,
    };
    if let Err(reason) = check_tenant(said.as_ref(), &pass.tenant) {
        return mouth.end(&bye(reason, None)).await;
    }
    let page = match page(&app, &pass, host, can_pop).await {
        Ok(page) => page,
        Err((reason, again)) => return mouth.end(&bye(reason, again)).await,
    };
    let session = SessionId(Uuid::new_v4());
    if let Err(refusal) = connect(&app, &pass, session).await {
        let again = replicas::again_in(&app, &pass.tenant, &refusal);
        return mouth.end(&bye(refusal.message, again)).await;
    }
    let (wire, pushes) = wire(PUSHES_MAX);
    if seat(&app, &pass, session, wire.clone(), page).await {
        let done = CancellationToken::new();
        let speaker = Panel { app: app.clone(), pass: pass.clone(), session };
        let panel = Listening { app: &app, pass: &pass, session, wire: &wire, typed_at: None };
        tokio::join!(
            speak(&app, mouth, speaker, pushes, wire.gone.clone(), done.clone()),
            listen(panel, ear, done.clone()),
        );
    } else {
        let reason = "this agent is not in the settings; ask an administrator".to_owned();
        let again = replicas::is_elsewhere(&app, &pass.tenant).then_some(Millis::secs(1));
        mouth.end(&bye(reason, again)).await;
    }
    app.parts.hub.leave_panel(&pass.tenant, &pass.agent, session);
    // On its own, so that a daemon that stops does not wait for it longer than it wants to.
    tokio::spawn(leave(app, pass, session));
}

/// Whether a refused page should try again by itself.
pub(super) fn again_in(code: Code) -> Option<Millis> {
    matches!(code, Code::Busy | Code::Unavailable | Code::Full).then_some(Millis::secs(2))
}

/// What the panel says is around it; in words, why that cannot be, and when to come again.
async fn page(
    app: &Shared,
    pass: &AgentPass,
    host: Option<HostPage>,
    can_pop: bool,
) -> Result<Page, (String, Option<Millis>)> {
    let look = move |engine: &tieline_engine::Engine| stands_in(engine.policy(), host.as_ref(), can_pop);
    match app.parts.drive.read(&pass.tenant, look).await {
        Ok(Ok(stands_in)) => Ok(Page { stands_in, can_pop }),
        Ok(Err(reason)) => Err((reason, None)),
        Err(refusal) => {
            let again = replicas::again_in(app, &pass.tenant, &refusal);
            Err((refusal.message, again))
        }
    }
}

async fn connect(app: &Shared, pass: &AgentPass, session: SessionId) -> Result<(), Refusal> {
    let id = CommandId::new(format!("connect-{session}")).expect("a UUID is printable ASCII");
    let by = Actor::Agent { agent: pass.agent.clone() };
    let command = Command { id, by, wish: Wish::Connect { session } };
    app.parts.drive.submit(Request::new(pass.tenant.clone(), command)).await.map(|_| ())
}

async fn leave(app: Shared, pass: AgentPass, session: SessionId) {
    let id = CommandId::new(format!("leave-{session}")).expect("a UUID is printable ASCII");
    let wish = Wish::Disconnect { agent: pass.agent, session };
    let command = Command { id, by: Actor::Daemon, wish };
    for _ in 0..LEAVE_TRIES {
        let request = Request::new(pass.tenant.clone(), command.clone());
        match app.parts.drive.submit(request).await {
            Err(refusal) if again_in(refusal.code).is_some() && !app.stop.is_cancelled() => {
                tokio::time::sleep(LEAVE_PAUSE).await;
            }
            Ok(_) | Err(_) => return,
        }
    }
}

async fn seat(app: &Shared, pass: &AgentPass, session: SessionId, wire: Wire<PanelPush>, page: Page) -> bool {
    let (hub, tenant, agent) = (app.parts.hub.clone(), pass.tenant.clone(), pass.agent.clone());
    let look =
        move |engine: &tieline_engine::Engine| hub.seat_panel(engine, &tenant, &agent, session, wire, page);
    app.parts.drive.read(&pass.tenant, look).await.unwrap_or(false)
}

/// The half that hears: one frame after the other, so that a panel's messages keep their order (B10).
struct Listening<'a> {
    app: &'a Shared,
    pass: &'a AgentPass,
    session: SessionId,
    wire: &'a Wire<PanelPush>,
    typed_at: Option<Instant>,
}

impl Listener for Listening<'_> {
    async fn hear(&mut self, text: &str) -> bool {
        let app = self.app;
        app.counts.frames_in.add();
        let says: PanelSays = match serde_json::from_str(text) {
            Ok(says) => says,
            Err(error) => {
                app.counts.frames_bad.add();
                return self.bye(&format!("a frame could not be read: {}", api::safe(&error))).await;
            }
        };
        match says {
            PanelSays::Hello { .. } => true,
            PanelSays::Do { id, deed } => {
                let long = too_long(text, app.parts.settings.http.agent_frame_bytes_max);
                let refusal = match long {
                    Some(refusal) => Some(refusal),
                    None => self.carry_out(id.clone(), deed).await.err(),
                };
                self.push(PanelPush::Answer { id, refusal }).await
            }
            PanelSays::Typing { interaction } => {
                self.typing(interaction).await;
                true
            }
            PanelSays::Resync => {
                let (hub, pass, session) = (app.parts.hub.clone(), self.pass.clone(), self.session);
                let look = move |engine: &tieline_engine::Engine| {
                    hub.resync_panel(engine, &pass.tenant, &pass.agent, session);
                };
                app.parts.drive.read(&self.pass.tenant, look).await.is_ok()
            }
        }
    }

    async fn bye(&self, reason: &str) -> bool {
        let bye = PanelPush::Bye { reason: reason.to_owned(), reconnect_in: Some(Millis::secs(2)) };
        // The half that speaks ends the socket once it has said this.
        self.push(bye).await
    }
}

impl Listening<'_> {
    async fn carry_out(&mut self, id: CommandId, deed: AgentDeed) -> Result<(), Refusal> {
        let (app, pass) = (self.app, self.pass);
        let key = (pass.tenant.clone(), pass.agent.clone());
        if !app.agent_frames.take(key, app.parts.clock.now()) {
            app.counts.throttled.add();
            return Err(Refusal::new(Code::Busy, "that was too fast; try again in a few seconds"));
        }
        app.parts.hub.used(&pass.tenant, &pass.agent, self.session);
        let mut request = Request::new(
            pass.tenant.clone(),
            Command {
                id,
                by: Actor::Agent { agent: pass.agent.clone() },
                wish: Wish::Connect { session: self.session },
            },
        );
        if let AgentDeed::Watch { on } = deed {
            return self.watch(on).await;
        }
        if let AgentDeed::FillScript { interaction, answers } = &deed {
            desk::check_answers(app, pass, *interaction, answers).await?;
        }
        let mut doing = Doing { hub: &app.parts.hub, pass, request: &mut request };
        let Some(wish) = doing.wish(deed)? else { return Ok(()) };
        request.command.wish = wish;
        app.parts.drive.submit(request).await.map(|_| ())
    }

    /// From here on this page is told the whole floor (A15), or no longer.
    async fn watch(&self, on: bool) -> Result<(), Refusal> {
        let (hub, pass, session) = (self.app.parts.hub.clone(), self.pass.clone(), self.session);
        let look = move |engine: &tieline_engine::Engine| {
            let policy = engine.policy().agents.get(&pass.agent);
            if !policy.is_some_and(|agent| agent.supervisor) {
                return Err(Refusal::new(Code::NotPermitted, "only a supervisor can watch the floor"));
            }
            hub.watch(engine, &pass.tenant, &pass.agent, session, on);
            Ok(())
        };
        self.app.parts.drive.read(&self.pass.tenant, look).await?
    }

    async fn typing(&mut self, interaction: InteractionId) {
        if self.typed_at.is_some_and(|at| at.elapsed() < TYPING_EVERY) {
            return;
        }
        self.typed_at = Some(Instant::now());
        let (hub, pass) = (self.app.parts.hub.clone(), self.pass.clone());
        let look = move |engine: &tieline_engine::Engine| {
            let by = Actor::Agent { agent: pass.agent.clone() };
            if engine.may_type(&by, interaction).is_ok() {
                hub.agent_types(engine, &pass.tenant, &pass.agent, interaction);
            }
        };
        // A daemon that stops has nobody to tell.
        let _ = self.app.parts.drive.read(&self.pass.tenant, look).await;
    }

    async fn push(&self, push: PanelPush) -> bool {
        self.wire.push.send(push).await.is_ok()
    }
}

/// The half that speaks.
struct Panel {
    app: Shared,
    pass: AgentPass,
    session: SessionId,
}

impl Speaker for Panel {
    type Push = PanelPush;

    async fn tell(&mut self, mouth: &mut Mouth, push: PanelPush) -> Result<bool, Lost> {
        let now = self.app.parts.clock.now();
        match push {
            PanelPush::Snapshot(snapshot) => match self.snapshot(*snapshot).await {
                Ok(view) => {
                    let frame = PanelFrame::Snapshot {
                        seq: mouth.seq(),
                        now,
                        session: self.session,
                        view: Box::new(view),
                    };
                    mouth.say(&frame).await?;
                }
                Err(error) => return Ok(self.unreadable(mouth, &error).await),
            },
            PanelPush::Changes(drafts) => match self.changes(drafts).await {
                Ok(changes) => mouth.say_delta(now, changes).await?,
                Err(error) => return Ok(self.unreadable(mouth, &error).await),
            },
            PanelPush::Answer { id, refusal } => mouth.say(&PanelFrame::Answer { id, refusal }).await?,
            PanelPush::Typing { interaction, agent, lasts } => {
                mouth.say(&PanelFrame::Typing { interaction, agent, lasts }).await?;
            }
            PanelPush::Pop(pop) => {
                let Pop { interaction, connection, target, title, leads: _, pushes: _ } = pop;
                mouth.say(&PanelFrame::Pop { interaction, connection, target, title }).await?;
            }
            PanelPush::Bye { reason, reconnect_in } => {
                self.bye(mouth, &reason, reconnect_in).await;
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn due_at(&self) -> Timestamp {
        self.pass.expires_at
    }

    async fn due(&mut self, mouth: &mut Mouth) -> Result<bool, Lost> {
        self.bye(mouth, "your sign-in has expired; sign in again", None).await;
        Ok(false)
    }

    async fn bye(&self, mouth: &mut Mouth, reason: &str, reconnect_in: Option<Millis>) {
        mouth.end(&PanelFrame::Bye { reason: reason.to_owned(), reconnect_in }).await;
    }
}

impl Mouth {
    async fn say_delta(&mut self, now: Timestamp, changes: Vec<Change>) -> Result<(), Lost> {
        if changes.is_empty() {
            return Ok(());
        }
        let seq = self.next_seq();
        self.say(&PanelFrame::Delta { seq, now, changes }).await
    }
}

impl Panel {
    async fn snapshot(&self, snapshot: PanelSnapshot) -> Result<PanelView, journal::Error> {
        let PanelSnapshot { view, up_to, names, .. } = snapshot;
        let mut messages = Vec::new();
        for interaction in view.items.keys().chain(view.joined.keys()).copied() {
            let history = History { interaction, up_to, names: names.clone() };
            messages.push((interaction, self.history(&history).await?));
        }
        let mut ids = BTreeSet::new();
        view.offer.iter().for_each(|offer| offer.refs(&mut ids));
        view.items.values().for_each(|item| item.refs(&mut ids));
        view.joined.values().for_each(|joined| joined.item.refs(&mut ids));
        view.calls.values().for_each(|call| call.refs(&mut ids));
        view.logs.refs(&mut ids);
        messages.iter().for_each(|(_, said)| said.refs(&mut ids));
        let known = self.app.parts.hub.contents().get(&self.pass.tenant, ids).await?;
        let told = messages.into_iter().map(|(interaction, said)| ItemMessages {
            interaction,
            messages: said.into_iter().map(|message| message.fill(&known)).collect(),
        });
        Ok(PanelView {
            me: view.me,
            offer: view.offer.map(|offer| offer.fill(&known)),
            items: view.items.into_values().map(|item| item.fill(&known)).collect(),
            joined: view.joined.into_values().map(|joined| joined.fill(&known)).collect(),
            messages: told.collect(),
            calls: view.calls.into_values().map(|call| call.fill(&known)).collect(),
            queues: snapshot.queues,
            logs: view.logs.into_iter().map(|log| log.fill(&known)).collect(),
            rules: snapshot.rules,
            directory: snapshot.directory,
            colleagues: snapshot.colleagues,
            supervised: snapshot.supervised,
            watched: snapshot.watched,
            connections: snapshot.connections,
            break_reasons: snapshot.break_reasons,
            labels: snapshot.labels,
        })
    }

    async fn changes(&self, drafts: Vec<Draft>) -> Result<Vec<Change>, journal::Error> {
        let mut flat = Vec::with_capacity(drafts.len());
        for draft in drafts {
            match draft {
                Draft::History(history) => {
                    let said = self.history(&history).await?;
                    flat.extend(said.into_iter().map(|message| Draft::Message(history.interaction, message)));
                }
                other @ (Draft::Me(_)
                | Draft::Offer(_)
                | Draft::Item(_)
                | Draft::ItemGone(_)
                | Draft::Joined(_)
                | Draft::JoinedGone(_)
                | Draft::Message(..)
                | Draft::Call(_)
                | Draft::CallGone(_)
                | Draft::Queue(_)
                | Draft::Log(_)
                | Draft::Colleagues(_)
                | Draft::Supervised(_)
                | Draft::Watched(..)) => flat.push(other),
            }
        }
        let mut ids = BTreeSet::new();
        flat.refs(&mut ids);
        let known: Known = self.app.parts.hub.contents().get(&self.pass.tenant, ids).await?;
        Ok(flat.into_iter().filter_map(|draft| draft.fill(&known)).collect())
    }

    async fn history(&self, history: &History) -> Result<Vec<MessageDraft>, journal::Error> {
        let store = self.app.parts.hub.contents().store();
        let rows = store.read_interaction(&self.pass.tenant, history.interaction).await?;
        Ok(Told::from_rows(&rows, history.up_to, &history.names, Readers::Agents).messages)
    }

    async fn unreadable(&self, mouth: &mut Mouth, error: &journal::Error) -> bool {
        tracing::error!(tenant = %self.pass.tenant, %error, "a panel could not be told what happened");
        self.bye(mouth, "the journal cannot be read now; trying again", Some(Millis::secs(2))).await;
        false
    }
}
