//! Which of an agent's panels shows a pop (D0, D3): a panel that stands in the page of the pop's own CRM, else, where
//! no panel stands in any CRM's page, the panel used last, as a link. What nobody may show yet waits for a panel.

use super::floor::{Floor, HubCounts, PanelSeat};
use super::hub::PanelPush;
use crate::journal::Recorded;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use tieline_engine::Engine;
use tieline_model::crm::PopTarget;
use tieline_model::live::HostPage;
use tieline_model::policy::TenantPolicy;
use tieline_model::{AgentId, ConnectionId, Event, InteractionId};

/// Pops remembered for one agent: three CRMs for each of twenty interactions. The oldest makes room.
const POPS_MAX: usize = 60;

/// A record to open.
#[derive(Debug, Clone)]
pub struct Pop {
    /// For which interaction.
    pub interaction: InteractionId,
    /// From which CRM.
    pub connection: ConnectionId,
    /// What to open.
    pub target: PopTarget,
    /// What it shows, for the link that stands in when the host cannot pop.
    pub title: String,
    /// Of all connections, this one pops at an agent who stands in no CRM's page.
    pub leads: bool,
    /// The CRM itself can open it at the agent, where no panel of the agent stands in its page.
    pub pushes: bool,
}

/// Where a pop is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Nowhere: none of the agent's panels may show it now. It waits for one that may.
    Not,
    /// On a panel that can only show a link.
    AsLink,
    /// On no panel; the CRM itself is to open it.
    Pushed,
    /// Opened in the CRM's own page.
    Opened,
}

/// A pop that is remembered until the agent no longer has its interaction.
pub(super) struct Kept {
    pop: Pop,
    shown: Shown,
}

/// In which connection's page a panel stands; in words, why that cannot be said. A page that can pop and does not say
/// which CRM is around it is taken for the one of the tenant's first connection.
pub(super) fn stands_in(
    policy: &TenantPolicy,
    host: Option<&HostPage>,
    can_pop: bool,
) -> Result<Option<ConnectionId>, String> {
    let Some(host) = host else {
        return Ok(policy.connections.first().filter(|_| can_pop).map(|c| c.id.clone()));
    };
    let Some(named) = &host.connection else {
        let first = policy.connections.iter().find(|c| c.vendor == host.vendor);
        return Ok(first.map(|c| c.id.clone()));
    };
    match policy.connections.iter().find(|c| c.id == *named) {
        Some(info) if info.vendor == host.vendor => Ok(Some(info.id.clone())),
        Some(info) => Err(format!(
            "the connection `{named}` is of type {}, and this page is of another CRM; ask an administrator to correct \
             `connection` in the panel's address",
            info.vendor
        )),
        None => Err(format!(
            "there is no CRM connection `{named}`; ask an administrator to correct `connection` in the panel's address"
        )),
    }
}

impl Floor {
    /// Takes a pop in, shows it where it may be shown now, and says where that is. Said again, it is not shown again.
    pub(super) fn take_pop(&mut self, agent: &AgentId, pop: Pop, counts: &HubCounts) -> Shown {
        let mut pops = self.pops.remove(agent).unwrap_or_default();
        let known = pops.iter().position(|kept| {
            (kept.pop.interaction, &kept.pop.connection) == (pop.interaction, &pop.connection)
        });
        let at = match known {
            Some(at) => {
                pops[at].pop = pop;
                at
            }
            None => {
                if pops.len() == POPS_MAX {
                    pops.pop_front();
                }
                pops.push_back(Kept { pop, shown: Shown::Not });
                pops.len() - 1
            }
        };
        self.show_pop(agent, &mut pops, at, counts);
        let shown = pops[at].shown;
        self.pops.insert(agent.clone(), pops);
        shown
    }

    /// The CRM did not open it: a panel may show it after all.
    pub(super) fn take_pop_back(
        &mut self,
        agent: &AgentId,
        interaction: InteractionId,
        connection: &ConnectionId,
        counts: &HubCounts,
    ) {
        let Some(mut pops) = self.pops.remove(agent) else { return };
        let pushed = pops.iter().position(|kept| {
            (kept.pop.interaction, &kept.pop.connection, kept.shown)
                == (interaction, connection, Shown::Pushed)
        });
        if let Some(at) = pushed {
            pops[at].pop.pushes = false;
            pops[at].shown = Shown::Not;
            self.show_pop(agent, &mut pops, at, counts);
        }
        self.pops.insert(agent.clone(), pops);
    }

    /// A panel connected: what nobody could open yet goes to it, oldest first.
    pub(super) fn show_late(&mut self, agent: &AgentId, counts: &HubCounts) {
        let Some(mut pops) = self.pops.remove(agent) else { return };
        for at in 0..pops.len() {
            self.show_pop(agent, &mut pops, at, counts);
        }
        self.pops.insert(agent.clone(), pops);
    }

    /// Shows one of an agent's pops, unless it stands as well as it can already.
    fn show_pop(&self, agent: &AgentId, pops: &mut VecDeque<Kept>, at: usize, counts: &HubCounts) {
        let Kept { pop, shown } = &pops[at];
        let seats = || self.desks.get(agent).into_iter().flat_map(|desk| desk.seats.values());
        let home = seats()
            .filter(|seat| seat.stands_in.as_ref() == Some(&pop.connection))
            .max_by_key(|seat| (seat.can_pop, seat.used));
        let next = match (*shown, home) {
            (Shown::Opened | Shown::Pushed, _) => return,
            (Shown::Not | Shown::AsLink, Some(seat)) if seat.can_pop => Some((seat, Shown::Opened)),
            (Shown::AsLink, _) => return,
            (Shown::Not, Some(seat)) => Some((seat, Shown::AsLink)),
            (Shown::Not, None) if pop.pushes => None,
            (Shown::Not, None) => {
                // One link for an interaction is enough; the other connections stand beside it, line by line.
                let one_is_shown = pops.iter().any(|other| {
                    other.pop.interaction == pop.interaction
                        && matches!(other.shown, Shown::AsLink | Shown::Opened)
                });
                if !pop.leads || one_is_shown || seats().any(|seat| seat.stands_in.is_some()) {
                    return;
                }
                let Some(seat) = seats().max_by_key(|seat| seat.used) else { return };
                Some((seat, Shown::AsLink))
            }
        };
        let now = match next {
            Some((seat, shown)) if send(seat, pop, counts) => shown,
            Some(_) => return,
            None => Shown::Pushed,
        };
        pops[at].shown = now;
    }

    /// Forgets pops whose offer was lost, so that a new offer of the same chat pops anew (D3).
    pub(super) fn forget_lost_pops(&mut self, rows: &[Recorded]) {
        for row in rows {
            if let Some((agent, lost)) = lost(&row.event)
                && let Some(pops) = self.pops.get_mut(agent)
            {
                pops.retain(|kept| kept.pop.interaction != lost);
            }
        }
    }

    /// Forgets pops of interactions that the agent no longer has (D3).
    pub(super) fn prune_pops(&mut self, engine: &Engine, agent: &AgentId) {
        let Some(pops) = self.pops.get_mut(agent) else { return };
        let has = |id: InteractionId| {
            engine
                .agent(agent)
                .is_some_and(|a| a.offered == Some(id) || a.inbox.contains(&id) || a.calls.contains(&id))
        };
        pops.retain(|kept| has(kept.pop.interaction));
        if pops.is_empty() {
            self.pops.remove(agent);
        }
    }
}

fn send(seat: &PanelSeat, pop: &Pop, counts: &HubCounts) -> bool {
    let sent = seat.wire.send(PanelPush::Pop(pop.clone()), counts);
    if sent {
        counts.pops.fetch_add(1, Ordering::Relaxed);
    }
    sent
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a few kinds of events take an interaction from an agent who may get it again"
)]
fn lost(event: &Event) -> Option<(&AgentId, InteractionId)> {
    match event {
        Event::OfferRejected { interaction, agent, .. }
        | Event::OfferMissed { interaction, agent, .. }
        | Event::OfferWithdrawn { interaction, agent, .. }
        | Event::TransferFailed { interaction, to: agent, .. }
        | Event::ChatReturned { interaction, agent, .. } => Some((agent, *interaction)),
        _ => None,
    }
}
