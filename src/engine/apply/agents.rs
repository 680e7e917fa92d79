//! Presence, availability and connections.

use crate::state::{Agent, Engine, Gone};
use tieline_model::command::{Presence, SupervisorAct};
use tieline_model::event::PresenceWhy;
use tieline_model::policy::Lease;
use tieline_model::{AgentId, SessionId, Timestamp};

impl Engine {
    pub(super) fn connected(&mut self, agent: &AgentId, session: SessionId) {
        self.with_agent(agent, |a| {
            a.sessions.insert(session);
            a.gone = None;
        });
    }

    pub(super) fn disconnected(&mut self, agent: &AgentId, session: SessionId, at: Timestamp) {
        let lease = self.policy.lease;
        self.with_agent(agent, |a| {
            a.sessions.remove(&session);
            a.gone = a.gone.or_else(|| gone(a, lease, at));
        });
    }

    pub(super) fn presence_changed(
        &mut self,
        agent: &AgentId,
        presence: &Presence,
        why: PresenceWhy,
        at: Timestamp,
    ) {
        let lease = self.policy.lease;
        self.with_agent(agent, |a| {
            if presence == &Presence::Available && a.presence != Presence::Available {
                a.idle_since = at;
            }
            a.presence = presence.clone();
            match why {
                PresenceWhy::Chosen
                | PresenceWhy::WishGranted
                | PresenceWhy::Removed
                | PresenceWhy::Lost
                | PresenceWhy::Supervisor => a.wish = None,
                PresenceWhy::Rejected | PresenceWhy::Missed => {}
            }
            // A supervisor may set somebody Available who is not there.
            a.gone =
                if a.presence == Presence::Offline { None } else { a.gone.or_else(|| gone(a, lease, at)) };
        });
    }

    pub(super) fn supervised(&mut self, act: &SupervisorAct) {
        match act {
            SupervisorAct::Unblock { marks } => self.blocked.retain(|mark| !marks.contains(mark)),
            // What these lead to are events of their own.
            SupervisorAct::SetPresence { .. }
            | SupervisorAct::Requeue { .. }
            | SupervisorAct::Assign { .. }
            | SupervisorAct::FinishWrapUp { .. }
            | SupervisorAct::Join { .. } => {}
        }
    }
}

/// From when on an agent without a connection counts as lost; nobody who is Offline does (A17).
pub(super) fn gone(agent: &Agent, lease: Lease, at: Timestamp) -> Option<Gone> {
    let missed = agent.sessions.is_empty() && agent.presence != Presence::Offline;
    missed.then(|| Gone { grace: at + lease.grace, lost: at + lease.lost_after })
}
