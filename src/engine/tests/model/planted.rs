//! Bugs, planted between the engine and the check. Each is one thing an engine could get wrong: what it decides, what
//! it then makes of its own events, or at what moment it thinks it is. They stand here and not in the engine, so that
//! no switch and no second code path is shipped; the price is that only bugs that show in events can be planted.

use tieline_model::crm::Outcome;
use tieline_model::event::{ParkedBy, PresenceWhy, WithdrawnWhy};
use tieline_model::{Event, Millis, Timestamp, Wish};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// Nothing is planted.
    None,
    // What it decides.
    LateAcceptCounts,
    MessageTwice,
    MissIsFree,
    CallLeavesOffer,
    ActivationLeavesTwoActive,
    WrapUpNeverStarts,
    // What it makes of its own events.
    ParkedTimerRunsOn,
    OfferStandsTooLong,
    OneOverCapacity,
    WithdrawnIsAMiss,
    WishForgotten,
    CallParksLikeAnAgent,
    DowntimeCounts,
    ExtensionIsFree,
    EndCountsAsSeen,
    UnopenedForEver,
    ClassificationLost,
    IdleFromTheFuture,
    GoneAgentStaysConnected,
    AnyCustomerMessageRestartsTheWait,
    DialledIsNotBusy,
    EveryCallIsLogged,
    LateRecordingForgotten,
}

pub const ALL: [Planted; 23] = [
    Planted::LateAcceptCounts,
    Planted::MessageTwice,
    Planted::MissIsFree,
    Planted::CallLeavesOffer,
    Planted::ActivationLeavesTwoActive,
    Planted::WrapUpNeverStarts,
    Planted::ParkedTimerRunsOn,
    Planted::OfferStandsTooLong,
    Planted::OneOverCapacity,
    Planted::WithdrawnIsAMiss,
    Planted::WishForgotten,
    Planted::CallParksLikeAnAgent,
    Planted::DowntimeCounts,
    Planted::ExtensionIsFree,
    Planted::EndCountsAsSeen,
    Planted::UnopenedForEver,
    Planted::ClassificationLost,
    Planted::IdleFromTheFuture,
    Planted::GoneAgentStaysConnected,
    Planted::AnyCustomerMessageRestartsTheWait,
    Planted::DialledIsNotBusy,
    Planted::EveryCallIsLogged,
    Planted::LateRecordingForgotten,
];

impl Planted {
    /// The moment a command is decided at.
    pub fn moment(self, now: Timestamp, wish: &Wish) -> Timestamp {
        match (self, wish) {
            (Self::LateAcceptCounts, Wish::AcceptOffer { .. }) => now - Millis(1),
            _ => now,
        }
    }

    /// What is decided.
    pub fn decided(self, events: &mut Vec<Event>) {
        match self {
            Self::MessageTwice => {
                let again: Vec<Event> =
                    events.iter().filter(|e| matches!(e, Event::MessageSent { .. })).cloned().collect();
                events.extend(again);
            }
            Self::MissIsFree => {
                events.retain(|e| !matches!(e, Event::PresenceChanged { why: PresenceWhy::Missed, .. }))
            }
            Self::CallLeavesOffer => {
                events.retain(|e| !matches!(e, Event::OfferWithdrawn { why: WithdrawnWhy::Call, .. }))
            }
            Self::ActivationLeavesTwoActive => {
                events.retain(|e| !matches!(e, Event::ItemParked { by: ParkedBy::Activation, .. }));
            }
            Self::DialledIsNotBusy => events.retain(|e| !matches!(e, Event::CallDialled { .. })),
            Self::LateRecordingForgotten => {
                events.retain(|e| !matches!(e, Event::RecordingReady { log: true, .. }));
            }
            Self::EveryCallIsLogged => events.iter_mut().for_each(|event| {
                if let Event::InteractionClosed { log, outcome: Outcome::Missed, .. } = event {
                    *log = true;
                }
            }),
            Self::WrapUpNeverStarts => events.retain(|e| !matches!(e, Event::WrapUpStarted { .. })),
            _ => {}
        }
    }

    /// What is made of an event, and the moment it is thought to have happened.
    pub fn applied(self, at: Timestamp, event: &Event) -> (Timestamp, Event) {
        let mut at = at;
        let mut event = event.clone();
        match (self, &mut event) {
            (Self::ParkedTimerRunsOn, Event::ItemParked { wrap_up_left, .. }) => *wrap_up_left = None,
            (Self::OfferStandsTooLong, Event::ChatOffered { deadline, .. }) => {
                *deadline = *deadline + Millis(1)
            }
            (Self::OneOverCapacity, Event::Configured { policy }) => {
                policy.agents.values_mut().for_each(|a| a.chat_capacity += 1);
            }
            (Self::WithdrawnIsAMiss, Event::OfferWithdrawn { interaction, agent, offer, .. }) => {
                event = Event::OfferMissed { interaction: *interaction, agent: agent.clone(), offer: *offer };
            }
            (Self::WishForgotten, Event::PresenceWished { presence, .. }) => *presence = None,
            (Self::CallParksLikeAnAgent, Event::ItemParked { by, .. }) => *by = ParkedBy::Agent,
            (Self::DowntimeCounts, Event::Resumed { down }) => *down = Millis(0),
            (Self::ExtensionIsFree, Event::WrapUpExtended { extensions_left, .. }) => *extensions_left += 1,
            (Self::EndCountsAsSeen, Event::ChatEnded { by, .. }) => *by = tieline_model::crm::Side::Agent,
            (Self::UnopenedForEver, Event::ChatAssigned { deadline, .. }) => *deadline = None,
            (Self::ClassificationLost, Event::Classified { codes, .. }) => codes.clear(),
            (Self::IdleFromTheFuture, Event::OfferRejected { .. } | Event::OfferMissed { .. }) => {
                at = at + Millis(5_000);
            }
            (Self::GoneAgentStaysConnected, Event::AgentDisconnected { session, .. }) => {
                *session = tieline_model::SessionId(uuid::Uuid::nil());
            }
            (
                Self::AnyCustomerMessageRestartsTheWait,
                Event::MessageSent { from: from @ tieline_model::crm::Side::Customer, .. },
            ) => *from = tieline_model::crm::Side::Agent,
            _ => {}
        }
        (at, event)
    }
}
