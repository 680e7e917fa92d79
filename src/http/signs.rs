//! Signs that somebody is typing (B6): to everybody else at the chat, and taken back at once when a message comes, or
//! the chat ends or moves. A sign that nothing takes back dies by itself on the page.

use super::floor::{Floor, HubCounts};
use super::hub::{PanelPush, WidgetPush};
use std::collections::BTreeSet;
use tieline_engine::{Engine, Stage};
use tieline_model::crm::Side;
use tieline_model::{AgentId, Event, InteractionId, Millis};

/// How long a sign stands.
pub(super) const TYPING: Millis = Millis::secs(6);

/// Who types.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Typist {
    Customer,
    Agent(AgentId),
}

/// The agents at a chat: its owner and who has joined it.
pub(super) fn at(engine: &Engine, id: InteractionId) -> BTreeSet<AgentId> {
    let Some(chat) = engine.chat(id) else { return BTreeSet::new() };
    let owner = match &chat.stage {
        Stage::Owned { agent, .. } => Some(agent),
        Stage::Waiting | Stage::Offered(_) | Stage::Form { .. } => None,
    };
    owner.into_iter().chain(chat.guests.keys()).cloned().collect()
}

impl Floor {
    /// Shows a sign.
    pub(super) fn sign(&mut self, engine: &Engine, id: InteractionId, by: Typist, counts: &HubCounts) {
        self.show_sign(&at(engine, id), id, &by, TYPING, counts);
        self.signs.entry(id).or_default().insert(by);
    }

    fn show_sign(
        &self,
        agents: &BTreeSet<AgentId>,
        id: InteractionId,
        by: &Typist,
        lasts: Millis,
        counts: &HubCounts,
    ) {
        let agent = match by {
            Typist::Customer => None,
            Typist::Agent(agent) => {
                for seat in self.widgets.get(&id).into_iter().flatten() {
                    seat.wire.send(WidgetPush::Typing(lasts), counts);
                }
                Some(agent)
            }
        };
        for desk in agents.iter().filter(|to| Some(*to) != agent).filter_map(|to| self.desks.get(to)) {
            for seat in desk.seats.values() {
                let push = PanelPush::Typing { interaction: id, agent: agent.cloned(), lasts };
                seat.wire.send(push, counts);
            }
        }
    }

    /// Takes signs back that an event makes untrue.
    pub(super) fn unsign(&mut self, engine: &Engine, event: &Event, counts: &HubCounts) {
        let Some((id, whose)) = ends(event) else { return };
        let Some(signs) = self.signs.get_mut(&id) else { return };
        let over: Vec<Typist> = match whose {
            Some(by) => signs.take(&by).into_iter().collect(),
            None => std::mem::take(signs).into_iter().collect(),
        };
        if signs.is_empty() {
            self.signs.remove(&id);
        }
        let mut told = at(engine, id);
        told.extend(self.shows.get(&id).into_iter().flatten().cloned());
        for by in over {
            self.show_sign(&told, id, &by, Millis(0), counts);
        }
    }
}

/// Whose signs an event ends at which chat; all of them where nobody is named.
#[expect(clippy::wildcard_enum_match_arm, reason = "a few kinds of events end a sign")]
fn ends(event: &Event) -> Option<(InteractionId, Option<Typist>)> {
    match event {
        Event::MessageSent { interaction, from, agent, .. }
        | Event::FileSent { interaction, from, agent, .. } => match (from, agent) {
            (Side::Customer, _) => Some((*interaction, Some(Typist::Customer))),
            (Side::Agent, Some(agent)) => Some((*interaction, Some(Typist::Agent(agent.clone())))),
            (Side::Agent, None) | (Side::System, _) => None,
        },
        Event::GuestLeft { interaction, agent } | Event::ItemParked { interaction, agent, .. } => {
            Some((*interaction, Some(Typist::Agent(agent.clone()))))
        }
        Event::TransferAccepted { warm: true, .. } => None,
        Event::ChatEnded { interaction, .. }
        | Event::ChatReturned { interaction, .. }
        | Event::ChatTransferred { interaction, .. }
        | Event::TransferAccepted { interaction, .. }
        | Event::HandedOver { interaction, .. }
        | Event::InteractionClosed { interaction, .. } => Some((*interaction, None)),
        _ => None,
    }
}
