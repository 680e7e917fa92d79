//! What a command leads to: events, or a refusal that names the way out. Every command may be sent at any time.

mod calls;
mod chats;
mod conversation;
mod hours;
mod lease;
mod offers;
mod presence;
mod reports;
mod returning;
mod settings;
mod supervise;
mod transfer;
mod wrap_up;

use crate::state::{Agent, Chat, Engine, Stage, Talk, WrapClock};
use tieline_model::command::Presence;
use tieline_model::crm::Channel;
use tieline_model::event::{ParkedBy, WithdrawnWhy};
use tieline_model::policy::{AgentPolicy, QueuePolicy};
use tieline_model::{
    Actor, AgentId, Code, Command, ConversationId, Event, InteractionId, Refusal, SessionId, Timestamp, Wish,
};

/// What a decision is.
pub(crate) type Decision = Result<Vec<Event>, Refusal>;

impl Engine {
    /// Decides a command. Changes nothing; no events means that it is so already.
    ///
    /// # Errors
    /// A refusal: what, why, and the way out.
    pub fn decide(&self, now: Timestamp, command: &Command) -> Decision {
        let by = &command.by;
        match &command.wish {
            Wish::Configure { policy } => self.configure(daemon(by)?, policy),
            Wish::Resume { down } => {
                daemon(by)?;
                Ok(vec![Event::Resumed { down: *down }])
            }
            Wish::Drain => {
                daemon(by)?;
                Ok(self
                    .agents
                    .keys()
                    .filter_map(|id| self.withdraw_from(id, WithdrawnWhy::Stopping))
                    .collect())
            }
            Wish::Connect { session } => self.connect(self.agent_of(by)?, *session),
            Wish::Disconnect { agent, session } => self.disconnect(by, agent, *session),
            Wish::SetPresence { presence, confirmed } => {
                self.set_presence(now, self.agent_of(by)?, presence, *confirmed)
            }
            Wish::SetAvailability { channels, queues } => {
                self.set_availability(self.agent_of(by)?, channels, queues.as_ref())
            }
            Wish::SetHours { hours } => {
                daemon(by)?;
                self.set_hours(now, hours)
            }
            Wish::BeginDay { day } => {
                daemon(by)?;
                self.begin_day(day)
            }
            Wish::StartChat { interaction, conversation, queue, person, skills, marks, previous } => {
                let (interaction, conversation, person, previous) =
                    (*interaction, *conversation, *person, *previous);
                let start =
                    chats::Start { interaction, conversation, queue, person, skills, marks, previous };
                self.start_chat(by, start)
            }
            Wish::ReturnToChat { interaction, fresh } => self.return_to_chat(now, by, *interaction, *fresh),
            Wish::LeaveMessage { interaction, text } => self.leave_message(by, command, *interaction, text),
            Wish::AcceptOffer { offer } => self.accept(now, self.agent_of(by)?, *offer),
            Wish::RejectOffer { offer } => self.reject(now, self.agent_of(by)?, *offer),
            Wish::TakeChat { interaction } => self.take(self.agent_of(by)?, *interaction),
            Wish::Activate { interaction } => self.activate(now, self.agent_of(by)?, *interaction),
            Wish::Park { interaction } => self.park_own(now, self.agent_of(by)?, *interaction),
            Wish::SendMessage { interaction, text } => self.send(by, command, *interaction, text),
            Wish::SendFile { interaction, file, media_type } => {
                self.send_file(by, command, *interaction, file, media_type)
            }
            Wish::Whisper { interaction, text } => {
                self.whisper(self.agent_of(by)?, command, *interaction, text)
            }
            Wish::SendNotice { interaction, notice } => {
                self.send_notice(self.agent_of(by)?, *interaction, *notice)
            }
            Wish::Transfer { interaction, to, note, confirmed } => {
                self.transfer(now, self.agent_of(by)?, *interaction, to, *note, *confirmed)
            }
            Wish::CancelTransfer { interaction } => self.cancel_transfer(self.agent_of(by)?, *interaction),
            Wish::HandOver { interaction, agent } => {
                self.hand_over(now, self.agent_of(by)?, *interaction, agent)
            }
            Wish::LeaveChat { interaction } => self.leave_chat(self.agent_of(by)?, *interaction),
            Wish::ShareHistory { interaction } => self.share_history(now, self.agent_of(by)?, *interaction),
            Wish::OpenCase { interaction } => self.open_case(self.agent_of(by)?, *interaction),
            Wish::FlagAbuse { interaction, note } => self.flag_abuse(self.agent_of(by)?, *interaction, *note),
            Wish::FillScript { interaction, answers } => {
                self.fill_script(self.agent_of(by)?, *interaction, *answers)
            }
            Wish::Supervise { act, reason } => self.supervise(now, self.agent_of(by)?, act, reason),
            Wish::EndChat { interaction } => self.end_chat(now, by, *interaction),
            Wish::SeeEnd { interaction } => self.see_end(self.agent_of(by)?, *interaction),
            Wish::ExtendWrapUp { interaction } => self.extend(self.agent_of(by)?, *interaction),
            Wish::CompleteWrapUp { interaction } => self.complete(now, self.agent_of(by)?, *interaction),
            Wish::Classify { interaction, codes, remarks } => {
                self.classify(self.agent_of(by)?, *interaction, codes, *remarks)
            }
            Wish::ChooseContact { interaction, connection, contact } => {
                self.choose_contact(self.agent_of(by)?, *interaction, connection, contact.as_ref())
            }
            Wish::ReportCall { call, interaction, conversation, fact } => {
                self.report_call(now, by, call, *interaction, *conversation, fact)
            }
            Wish::ReportLookup { interaction, connection, result, matches } => {
                self.report_lookup(by, *interaction, connection, result, *matches)
            }
            Wish::ReportDelivery { interaction, connection, state } => {
                self.report_delivery(by, *interaction, connection, state)
            }
        }
    }

    /// The agent behind a command; agents that settings do not know may do nothing.
    fn agent_of<'a>(&self, by: &'a Actor) -> Result<&'a AgentId, Refusal> {
        match by {
            Actor::Agent { agent } if self.agents.get(agent).is_some_and(|a| a.rules.is_some()) => Ok(agent),
            Actor::Agent { .. } => Err(Refusal::new(
                Code::NotPermitted,
                "this agent is not in the settings of this contact centre; ask an administrator",
            )),
            Actor::Customer { .. } | Actor::Producer { .. } | Actor::Connection { .. } | Actor::Daemon => {
                Err(Refusal::new(Code::NotPermitted, "only an agent can do this"))
            }
        }
    }

    /// An owned chat of this agent. Others' chats and none at all answer alike.
    fn own_chat(&self, agent: &AgentId, id: InteractionId) -> Result<Owned<'_>, Refusal> {
        match self.chats.get(&id) {
            Some(chat) => match &chat.stage {
                Stage::Owned { agent: owner, talk, .. } if owner == agent => Ok(Owned { chat, talk }),
                Stage::Owned { .. } | Stage::Waiting | Stage::Offered(_) | Stage::Form { .. } => {
                    Err(not_yours())
                }
            },
            None => Err(not_yours()),
        }
    }

    /// An agent's record, or that of one who never did anything.
    pub(crate) fn agent_state(&self, id: &AgentId) -> std::borrow::Cow<'_, Agent> {
        match self.agents.get(id) {
            Some(agent) => std::borrow::Cow::Borrowed(agent),
            None => std::borrow::Cow::Owned(Agent::default()),
        }
    }

    fn agent_policy(&self, id: &AgentId) -> Result<&AgentPolicy, Refusal> {
        self.agents.get(id).and_then(|agent| agent.rules.as_deref()).ok_or_else(not_yours)
    }

    fn queue_policy<'a>(&self, chat: &'a Chat) -> Result<&'a QueuePolicy, Refusal> {
        // Settings that drop a queue with open chats are refused, so an open chat has its queue.
        chat.rules().ok_or_else(not_yours)
    }

    /// The event that parks the agent's active item, if there is one other than `except`.
    fn park_active(
        &self,
        now: Timestamp,
        agent: &AgentId,
        by: ParkedBy,
        except: Option<InteractionId>,
    ) -> Option<Event> {
        let interaction = self.agents.get(agent)?.active.filter(|id| Some(*id) != except)?;
        let wrap_up_left = match &self.chats.get(&interaction)?.stage {
            Stage::Owned { talk: Talk::WrapUp { clock: WrapClock::Running { deadline }, .. }, .. } => {
                Some(deadline.since(now))
            }
            Stage::Owned { .. } | Stage::Waiting | Stage::Offered(_) | Stage::Form { .. } => None,
        };
        Some(Event::ItemParked { interaction, agent: agent.clone(), by, wrap_up_left })
    }

    /// The event that makes an owned chat active.
    fn activation(&self, now: Timestamp, agent: &AgentId, id: InteractionId) -> Event {
        let wrap_up_deadline = match self.chats.get(&id).map(|c| &c.stage) {
            Some(Stage::Owned { talk: Talk::WrapUp { clock: WrapClock::Stopped { left }, .. }, .. }) => {
                Some(now + *left)
            }
            Some(Stage::Owned { .. } | Stage::Waiting | Stage::Offered(_) | Stage::Form { .. }) | None => {
                None
            }
        };
        Event::ItemActivated { interaction: id, agent: agent.clone(), wrap_up_deadline }
    }

    fn connect(&self, agent: &AgentId, session: SessionId) -> Decision {
        if self.agent_state(agent).sessions.contains(&session) {
            return Ok(Vec::new());
        }
        Ok(vec![Event::AgentConnected { agent: agent.clone(), session }])
    }

    /// An agent that settings no longer know may still go, so this does not ask [`Self::agent_of`].
    fn disconnect(&self, by: &Actor, agent: &AgentId, session: SessionId) -> Decision {
        match by {
            Actor::Daemon => {}
            Actor::Agent { agent: own } if own == agent => {}
            Actor::Agent { .. }
            | Actor::Customer { .. }
            | Actor::Producer { .. }
            | Actor::Connection { .. } => {
                let message = "only the daemon and the agent take an agent's session away";
                return Err(Refusal::new(Code::NotPermitted, message));
            }
        }
        if !self.agent_state(agent).sessions.contains(&session) {
            return Ok(Vec::new());
        }
        Ok(vec![Event::AgentDisconnected { agent: agent.clone(), session }])
    }
}

/// A chat in its agent's inbox.
struct Owned<'a> {
    chat: &'a Chat,
    talk: &'a Talk,
}

fn not_yours() -> Refusal {
    Refusal::new(
        Code::NotFound,
        "there is no such chat in your inbox; it may have gone back to its queue or be closed",
    )
}

fn daemon(by: &Actor) -> Result<(), Refusal> {
    match by {
        Actor::Daemon => Ok(()),
        Actor::Agent { .. } | Actor::Customer { .. } | Actor::Producer { .. } | Actor::Connection { .. } => {
            Err(Refusal::new(Code::NotPermitted, "only the daemon itself does this"))
        }
    }
}

/// Whether this customer's conversation is the chat's.
fn is_customer_of(conversation: &ConversationId, chat: &Chat) -> bool {
    chat.channel == Channel::Chat && chat.conversation == *conversation
}

/// Words for a presence, in refusals.
fn presence_name(presence: &Presence) -> &str {
    match presence {
        Presence::Offline => "Offline",
        Presence::Available => "Available",
        Presence::OnBreak { .. } => "On Break",
        Presence::StopNew => "Stop New",
    }
}
