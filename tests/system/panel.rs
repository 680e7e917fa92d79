//! An agent's panel, as a program: keeps the view by applying frames, as the real one does.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test waits for one kind of frame and lets the others pass"
)]

use futures::{SinkExt, StreamExt};
use std::time::Duration;
use tieline_model::live::{AgentDeed, Change, HostPage, ItemMessages, PanelFrame, PanelSays, PanelView};
use tieline_model::{CommandId, InteractionId, Refusal};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(crate) struct Panel {
    socket: Socket,
    pub(crate) view: PanelView,
    pub(crate) pops: Vec<PanelFrame>,
    pub(crate) typing: Vec<InteractionId>,
    /// How long each deed waited for its answer.
    #[allow(dead_code, reason = "only some measure")]
    pub(crate) waits: Vec<Duration>,
    seq: u64,
    answers: Vec<(CommandId, Option<Refusal>)>,
}

pub(crate) async fn connect(url: &str, origin: &str) -> Socket {
    try_connect(url, origin).await.expect("the socket opens")
}

/// `None` where nobody takes it.
pub(crate) async fn try_connect(url: &str, origin: &str) -> Option<Socket> {
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;
    let mut request = url.into_client_request().expect("a socket address");
    request.headers_mut().insert("origin", origin.parse().expect("an origin"));
    Some(tokio_tungstenite::connect_async(request).await.ok()?.0)
}

pub(crate) async fn say(socket: &mut Socket, frame: &impl serde::Serialize) {
    assert!(try_say(socket, frame).await, "the socket takes a frame");
}

/// False where nobody takes it.
pub(crate) async fn try_say(socket: &mut Socket, frame: &impl serde::Serialize) -> bool {
    let text = serde_json::to_string(frame).expect("frames are JSON");
    socket.send(Message::Text(text.into())).await.is_ok()
}

/// The next text frame; `None` when the socket closed.
pub(crate) async fn hear<T: serde::de::DeserializeOwned>(socket: &mut Socket) -> Option<T> {
    loop {
        match tokio::time::timeout(2 * PATIENCE, socket.next()).await.expect("a frame in time")? {
            Ok(Message::Text(text)) => {
                return Some(serde_json::from_str(&text).expect("a frame of the schema"));
            }
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

impl Panel {
    pub(crate) async fn open(socket_url: &str, origin: &str, token: &str, host: Option<HostPage>) -> Self {
        Self::try_open(socket_url, origin, token, host).await.expect("a snapshot")
    }

    /// `None` where the daemon is gone.
    pub(crate) async fn try_open(
        socket_url: &str,
        origin: &str,
        token: &str,
        host: Option<HostPage>,
    ) -> Option<Self> {
        let mut socket = try_connect(socket_url, origin).await?;
        try_say(&mut socket, &PanelSays::Hello { token: token.to_owned(), can_pop: true, host }).await;
        loop {
            match hear(&mut socket).await? {
                PanelFrame::Snapshot { seq, view, .. } => {
                    let (pops, typing, answers) = (Vec::new(), Vec::new(), Vec::new());
                    let waits = Vec::new();
                    return Some(Self { socket, view: *view, pops, typing, waits, seq, answers });
                }
                PanelFrame::Bye { reason, .. } => panic!("turned away: {reason}"),
                _ => {}
            }
        }
    }

    /// Does a deed and waits for its answer.
    pub(crate) async fn tries(&mut self, deed: AgentDeed) -> Result<(), Refusal> {
        let id = CommandId::new(uuid::Uuid::new_v4().to_string()).expect("an id");
        self.tries_as(id, deed).await
    }

    pub(crate) async fn tries_as(&mut self, id: CommandId, deed: AgentDeed) -> Result<(), Refusal> {
        self.attempts(id, deed).await.expect("the socket closed before the answer")
    }

    /// `None` where the socket closed before the answer.
    pub(crate) async fn attempts(&mut self, id: CommandId, deed: AgentDeed) -> Option<Result<(), Refusal>> {
        let said = std::time::Instant::now();
        try_say(&mut self.socket, &PanelSays::Do { id: id.clone(), deed }).await.then_some(())?;
        loop {
            if let Some(at) = self.answers.iter().position(|(of, _)| *of == id) {
                self.waits.push(said.elapsed());
                return Some(self.answers.remove(at).1.map_or(Ok(()), Err));
            }
            self.next().await.then_some(())?;
        }
    }

    pub(crate) async fn does(&mut self, deed: AgentDeed) {
        let what = serde_json::to_string(&deed).expect("deeds are JSON");
        self.tries(deed).await.unwrap_or_else(|refusal| panic!("{what} was refused: {refusal}"));
    }

    pub(crate) async fn types(&mut self, interaction: InteractionId) {
        say(&mut self.socket, &PanelSays::Typing { interaction }).await;
    }

    /// Waits until the view is as wished.
    pub(crate) async fn until<R>(&mut self, what: &str, mut look: impl FnMut(&Self) -> Option<R>) -> R {
        let started = std::time::Instant::now();
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(started.elapsed() < PATIENCE, "waited in vain for {what}; the view is {:#?}", self.view);
            let frame = tokio::time::timeout(PATIENCE, self.next()).await;
            let open =
                frame.unwrap_or_else(|_| panic!("waited in vain for {what}; the view is {:#?}", self.view));
            assert!(open, "the socket closed while waiting for {what}");
        }
    }

    /// Takes one frame in; false when the socket closed.
    pub(crate) async fn next(&mut self) -> bool {
        match hear(&mut self.socket).await {
            None | Some(PanelFrame::Bye { .. }) => return false,
            Some(PanelFrame::Snapshot { seq, view, .. }) => {
                self.view = *view;
                self.seq = seq;
            }
            Some(PanelFrame::Delta { seq, changes, .. }) => {
                assert_eq!(seq, self.seq + 1, "a delta is missing");
                self.seq = seq;
                for change in changes {
                    apply(&mut self.view, change);
                }
            }
            Some(PanelFrame::Answer { id, refusal }) => self.answers.push((id, refusal)),
            // A sign that is taken back is none.
            Some(PanelFrame::Typing { interaction, lasts, .. }) => {
                self.typing.extend((lasts.0 > 0).then_some(interaction));
            }
            Some(pop @ PanelFrame::Pop { .. }) => self.pops.push(pop),
        }
        true
    }
}

fn upsert<T>(list: &mut Vec<T>, value: T, same: impl Fn(&T, &T) -> bool) {
    match list.iter().position(|old| same(old, &value)) {
        Some(at) => list[at] = value,
        None => list.push(value),
    }
}

fn apply(view: &mut PanelView, change: Change) {
    match change {
        Change::Me { me } => view.me = me,
        Change::Offer { offer } => view.offer = offer,
        Change::Item { item } => upsert(&mut view.items, item, |a, b| a.interaction == b.interaction),
        Change::ItemGone { interaction } => {
            view.items.retain(|i| i.interaction != interaction);
            view.messages.retain(|m| m.interaction != interaction);
        }
        Change::Joined { joined } => {
            upsert(&mut view.joined, joined, |a, b| a.item.interaction == b.item.interaction);
        }
        Change::JoinedGone { interaction } => {
            view.joined.retain(|j| j.item.interaction != interaction);
            view.messages.retain(|m| m.interaction != interaction);
        }
        Change::Message { interaction, message } => {
            if !view.messages.iter().any(|m| m.interaction == interaction) {
                view.messages.push(ItemMessages { interaction, messages: Vec::new() });
            }
            let of = view.messages.iter_mut().find(|m| m.interaction == interaction).expect("just made");
            upsert(&mut of.messages, message, |a, b| a.id == b.id);
        }
        Change::Call { call } => upsert(&mut view.calls, call, |a, b| a.interaction == b.interaction),
        Change::CallGone { interaction } => view.calls.retain(|c| c.interaction != interaction),
        Change::Queue { queue } => upsert(&mut view.queues, queue, |a, b| a.queue == b.queue),
        Change::Log { log } => upsert(&mut view.logs, log, |a, b| a.interaction == b.interaction),
        Change::Colleagues { colleagues } => {
            for colleague in colleagues {
                upsert(&mut view.colleagues, colleague, |a, b| a.agent == b.agent);
            }
        }
        Change::Supervised { supervised } => view.supervised.insert(0, supervised),
        // No agent of these tests watches the floor.
        Change::Watched { .. } => {}
        Change::Settings { connections, break_reasons } => {
            view.connections = connections;
            view.break_reasons = break_reasons;
        }
    }
}
