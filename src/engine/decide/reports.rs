//! What the CRMs said, and who the agent says the customer is.

use super::{Decision, not_yours};
use crate::state::{Engine, Stage};
use tieline_model::content::ContentRef;
use tieline_model::crm::{LogState, LookupResult, Record};
use tieline_model::{Actor, AgentId, Code, ConnectionId, Event, InteractionId, Refusal};

impl Engine {
    pub(super) fn report_lookup(
        &self,
        by: &Actor,
        interaction: InteractionId,
        connection: &ConnectionId,
        result: &LookupResult,
        matches: Option<ContentRef>,
    ) -> Decision {
        reporter(by, connection)?;
        if !self.chats.contains_key(&interaction) && !self.calls.contains_key(&interaction) {
            return Ok(Vec::new());
        }
        let (connection, result) = (connection.clone(), result.clone());
        Ok(vec![Event::LookedUp { interaction, connection, result, matches }])
    }

    pub(super) fn report_delivery(
        &self,
        by: &Actor,
        interaction: InteractionId,
        connection: &ConnectionId,
        state: &LogState,
    ) -> Decision {
        reporter(by, connection)?;
        // A case opened in mid-chat is delivered while its chat goes on (B16).
        let open = self.chats.get(&interaction).filter(|chat| chat.case_opened).map(|chat| &chat.deliveries);
        let closed = || self.closed.get(&interaction).map(|closed| &closed.deliveries);
        let Some(deliveries) = open.or_else(closed) else { return Ok(Vec::new()) };
        if deliveries.get(connection) == Some(state) {
            return Ok(Vec::new());
        }
        Ok(vec![Event::DeliveryReported {
            interaction,
            connection: connection.clone(),
            state: state.clone(),
        }])
    }

    pub(super) fn choose_contact(
        &self,
        agent: &AgentId,
        interaction: InteractionId,
        connection: &ConnectionId,
        contact: Option<&Record>,
    ) -> Decision {
        let chat = self.chats.get(&interaction).map(|c| (&c.stage, &c.found));
        let call = self.calls.get(&interaction).map(|c| (&c.state, &c.found));
        let found = match (chat, call) {
            (Some((Stage::Owned { agent: owner, .. }, found)), _) if owner == agent => found,
            (_, Some((state, found))) if state.on_the_phone() == Some(agent) => found,
            (_, _) => return Err(not_yours()),
        };
        if !self.policy.connections.iter().any(|c| c.id == *connection) {
            return Err(
                Refusal::new(Code::NotFound, "there is no CRM connection of this name").field("connection")
            );
        }
        let contact = contact.cloned();
        if found.get(connection).is_some_and(|f| f.chosen.as_ref() == Some(&contact)) {
            return Ok(Vec::new());
        }
        let (agent, connection) = (agent.clone(), connection.clone());
        Ok(vec![Event::ContactChosen { interaction, agent, connection, contact }])
    }
}

fn reporter(by: &Actor, connection: &ConnectionId) -> Result<(), Refusal> {
    match by {
        Actor::Connection { connection: own } if own == connection => Ok(()),
        Actor::Connection { .. }
        | Actor::Agent { .. }
        | Actor::Customer { .. }
        | Actor::Producer { .. }
        | Actor::Daemon => Err(Refusal::new(Code::NotPermitted, "only the connection itself reports this")),
    }
}
