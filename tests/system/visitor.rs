//! A visitor's widget, as a program.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test waits for one kind of frame and lets the others pass"
)]

use crate::daemon::Daemon;
use crate::panel::{PATIENCE, Socket, hear, say, try_connect, try_say};
use tieline_model::content::Person;
use tieline_model::live::{ChatStarted, ChatState, Message, StartChat, WidgetFrame, WidgetSays};
use tieline_model::{CommandId, InteractionId, QueueId, Refusal};

pub(crate) struct Visitor {
    socket: Socket,
    pub(crate) interaction: InteractionId,
    pub(crate) token: String,
    pub(crate) state: ChatState,
    pub(crate) messages: Vec<Message>,
    pub(crate) typing: u32,
    snapshots: u32,
    answers: Vec<(CommandId, Option<Refusal>)>,
}

pub(crate) fn command() -> CommandId {
    CommandId::new(uuid::Uuid::new_v4().to_string()).expect("an id")
}

pub(crate) fn person(name: &str, email: &str) -> Person {
    Person { name: Some(name.to_owned()), email: Some(email.to_owned()), ..Person::default() }
}

impl Visitor {
    pub(crate) async fn starts(daemon: &Daemon, queue: &str, person: Person) -> Self {
        let body = StartChat {
            id: command(),
            queue: QueueId::new(queue).expect("a queue id"),
            person,
            skills: Default::default(),
            previous: None,
            visitor: None,
        };
        let answer = daemon.post("/api/v1/demo/chats", &body).await;
        assert!(
            answer.status().is_success(),
            "the chat did not start: {}",
            answer.text().await.expect("a body")
        );
        let started: ChatStarted = answer.json().await.expect("the answer of the schema");
        Self::joins(daemon, started.interaction, started.token).await
    }

    pub(crate) async fn joins(daemon: &Daemon, interaction: InteractionId, token: String) -> Self {
        Self::tries_to_join(daemon, interaction, token).await.expect("a snapshot")
    }

    /// `None` where nobody serves the chat at the moment.
    pub(crate) async fn tries_to_join(
        daemon: &Daemon,
        interaction: InteractionId,
        token: String,
    ) -> Option<Self> {
        let url = daemon.socket("/ws/customer?tenant=demo");
        Self::try_joins(&url, &daemon.origin, interaction, token).await
    }

    /// `None` where the daemon is gone.
    pub(crate) async fn try_joins(
        url: &str,
        origin: &str,
        interaction: InteractionId,
        token: String,
    ) -> Option<Self> {
        let mut socket = try_connect(url, origin).await?;
        try_say(&mut socket, &WidgetSays::Hello { token: token.clone() }).await;
        loop {
            match hear(&mut socket).await? {
                WidgetFrame::Snapshot { state, messages, .. } => {
                    let (typing, snapshots, answers) = (0, 1, Vec::new());
                    return Some(Self {
                        socket,
                        interaction,
                        token,
                        state,
                        messages,
                        typing,
                        snapshots,
                        answers,
                    });
                }
                // It may come again; whoever turned it away is about to go.
                WidgetFrame::Bye { reconnect_in: Some(_), .. } => return None,
                WidgetFrame::Bye { reason, reconnect_in: None } => panic!("turned away: {reason}"),
                _ => {}
            }
        }
    }

    pub(crate) async fn writes(&mut self, text: &str) {
        self.tries(command(), text).await.expect("the message is taken");
    }

    pub(crate) async fn tries(&mut self, id: CommandId, text: &str) -> Result<(), Refusal> {
        self.sends(id.clone(), text).await;
        self.answered(&id).await
    }

    /// Sends without waiting for the answer.
    pub(crate) async fn sends(&mut self, id: CommandId, text: &str) {
        say(&mut self.socket, &WidgetSays::Send { id, text: text.to_owned() }).await;
    }

    pub(crate) async fn types(&mut self) {
        say(&mut self.socket, &WidgetSays::Typing).await;
    }

    pub(crate) async fn ends(&mut self) {
        let id = command();
        say(&mut self.socket, &WidgetSays::End { id: id.clone() }).await;
        self.answered(&id).await.expect("the end is taken");
    }

    /// Says something and waits for the answer; `None` where the socket closed before it.
    pub(crate) async fn attempts(
        &mut self,
        id: &CommandId,
        says: &WidgetSays,
    ) -> Option<Result<(), Refusal>> {
        try_say(&mut self.socket, says).await.then_some(())?;
        self.answer(id).await
    }

    /// Asks for everything anew.
    #[allow(dead_code, reason = "the benchmark does not ask")]
    pub(crate) async fn resyncs(&mut self) {
        let seen = self.snapshots;
        say(&mut self.socket, &WidgetSays::Resync).await;
        self.until("a snapshot", |v| (v.snapshots > seen).then_some(())).await;
    }

    pub(crate) async fn answered(&mut self, id: &CommandId) -> Result<(), Refusal> {
        self.answer(id).await.expect("the socket closed before the answer")
    }

    async fn answer(&mut self, id: &CommandId) -> Option<Result<(), Refusal>> {
        loop {
            if let Some(at) = self.answers.iter().position(|(of, _)| of == id) {
                return Some(self.answers.remove(at).1.map_or(Ok(()), Err));
            }
            self.next().await.then_some(())?;
        }
    }

    pub(crate) async fn until<R>(&mut self, what: &str, mut look: impl FnMut(&Self) -> Option<R>) -> R {
        let started = std::time::Instant::now();
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(started.elapsed() < PATIENCE, "waited in vain for {what}; the chat is {:?}", self.state);
            assert!(self.next().await, "the socket closed while waiting for {what}");
        }
    }

    /// Takes one frame in; false when the socket closed.
    pub(crate) async fn next(&mut self) -> bool {
        match hear(&mut self.socket).await {
            None | Some(WidgetFrame::Bye { .. }) => return false,
            Some(WidgetFrame::Snapshot { state, messages, .. }) => {
                self.state = state;
                self.messages = messages;
                self.snapshots += 1;
            }
            Some(WidgetFrame::State { state, .. }) => self.state = state,
            Some(WidgetFrame::Message { message, .. }) => {
                if !self.messages.iter().any(|m| m.id == message.id) {
                    self.messages.push(message);
                }
            }
            // A sign that is taken back is none.
            Some(WidgetFrame::Typing { lasts }) => self.typing += u32::from(lasts.0 > 0),
            Some(WidgetFrame::Answer { id, refusal }) => self.answers.push((id, refusal)),
            Some(WidgetFrame::Returned { returned, .. }) => self.token = returned.token,
            Some(WidgetFrame::Token { token }) => self.token = token,
        }
        true
    }
}
