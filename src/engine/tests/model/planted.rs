//! Bugs, planted between the engine and the check. Each is one thing an engine could get wrong: what it decides, what
//! it then makes of its own events, or at what moment it thinks it is. They stand here and not in the engine, so that
//! no switch and no second code path is shipped; the price is that only bugs that show in events can be planted.

use tieline_model::command::Notice;
use tieline_model::crm::{Outcome, Side};
use tieline_model::event::{ParkedBy, PresenceWhy, ReturnedWhy, WithdrawnWhy};
use tieline_model::policy::{InactivityMode, OverflowTo, TenantPolicy};
use tieline_model::{Event, Millis, SessionId, Timestamp, Wish};

macro_rules! planted {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Planted {
            /// Nothing is planted.
            None,
            $($(#[$doc])* $name,)*
        }
        pub const ALL: &[Planted] = &[$(Planted::$name,)*];
    };
}

planted! {
    // What it decides.
    /// A4
    LateAcceptCounts,
    /// B10
    MessageTwice,
    /// A7
    MissIsFree,
    /// A10
    CallLeavesOffer,
    /// B1
    ActivationLeavesTwoActive,
    /// C3
    WrapUpNeverStarts,
    /// B4
    DialledIsNotBusy,
    /// E4
    EveryCallIsLogged,
    /// E1
    LateRecordingForgotten,
    /// A12
    CustomerIsNotToldOfOverflow,
    /// A15
    SupervisorLeavesNoTrace,
    /// B20
    AbandonedIsAlwaysLogged,
    /// F3
    DrainKeepsOffers,
    /// G1
    DayNeverEnds,
    /// B15
    ReturnIsForgotten,
    // What it makes of its own events.
    /// C5
    ParkedTimerRunsOn,
    /// A4
    OfferStandsTooLong,
    /// A5
    OneOverCapacity,
    /// A10
    WithdrawnIsAMiss,
    /// A1
    WishForgotten,
    /// B5
    CallParksLikeAnAgent,
    /// F2
    DowntimeCounts,
    /// C4
    ExtensionIsFree,
    /// B13
    EndCountsAsSeen,
    /// A3
    UnopenedForEver,
    /// C1
    ClassificationLost,
    /// A11
    IdleFromTheFuture,
    /// A8
    GoneAgentStaysConnected,
    /// B7
    AnyCustomerMessageRestartsTheWait,
    /// A9
    DeclinerIsAskedAgain,
    /// A11
    SkillsDoNotMatter,
    /// A11
    WaitingDoesNotAge,
    /// A11
    NobodyIsRemembered,
    /// A2
    AvailableForEverything,
    /// A12
    ClosedQueueServes,
    /// A12
    HoursNeverTurn,
    /// A17
    LostChatsWaitBehind,
    /// B8
    SilenceIsNotNoticed,
    /// B12
    WarmIsCold,
    /// B12
    TransferStandsTooLong,
    /// B18
    EveryFileIsTaken,
    /// B16
    NobodyIsReminded,
    /// B17
    FileIsNoAnswer,
    /// C7
    NobodyIsBlocked,
    /// C8
    WrapUpHasNoMaximum,
    /// E5
    CallsHaveNoWrapUp,
    /// E1
    LostEndHoldsTheAgent,
}

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
            Self::EveryCallIsLogged => events.iter_mut().for_each(|event| {
                if let Event::InteractionClosed { log, outcome: Outcome::Missed, .. } = event {
                    *log = true;
                }
            }),
            Self::AbandonedIsAlwaysLogged => events.iter_mut().for_each(|event| {
                if let Event::InteractionClosed { log, outcome: Outcome::Abandoned, .. } = event {
                    *log = true;
                }
            }),
            _ => events.retain(|event| !self.swallows(event)),
        }
    }

    /// Events that are not told.
    fn swallows(self, event: &Event) -> bool {
        match self {
            Self::MissIsFree => matches!(event, Event::PresenceChanged { why: PresenceWhy::Missed, .. }),
            Self::CallLeavesOffer => {
                matches!(event, Event::OfferWithdrawn { why: WithdrawnWhy::Call, .. })
            }
            Self::ActivationLeavesTwoActive => {
                matches!(event, Event::ItemParked { by: ParkedBy::Activation, .. })
            }
            Self::DialledIsNotBusy => matches!(event, Event::CallDialled { .. }),
            Self::LateRecordingForgotten => matches!(event, Event::RecordingReady { log: true, .. }),
            Self::WrapUpNeverStarts => matches!(event, Event::WrapUpStarted { .. }),
            Self::CustomerIsNotToldOfOverflow => {
                matches!(event, Event::NoticeSent { notice: Notice::Overflowed, .. })
            }
            Self::SupervisorLeavesNoTrace => matches!(event, Event::SupervisorActed { .. }),
            Self::DrainKeepsOffers => {
                matches!(event, Event::OfferWithdrawn { why: WithdrawnWhy::Stopping, .. })
            }
            Self::DayNeverEnds => matches!(event, Event::DayBegan { .. }),
            Self::ReturnIsForgotten => matches!(event, Event::ChatReopened { .. }),
            _ => false,
        }
    }

    /// What is made of an event, and the moment it is thought to have happened.
    pub fn applied(self, at: Timestamp, event: &Event) -> (Timestamp, Event) {
        let mut at = at;
        let mut event = event.clone();
        match (self, &mut event) {
            (_, Event::Configured { policy }) => self.configured(policy),
            (Self::ParkedTimerRunsOn, Event::ItemParked { wrap_up_left, .. }) => *wrap_up_left = None,
            (Self::OfferStandsTooLong, Event::ChatOffered { deadline, .. })
            | (Self::TransferStandsTooLong, Event::TransferOffered { deadline, .. }) => {
                *deadline = *deadline + Millis(1);
            }
            (Self::WithdrawnIsAMiss, Event::OfferWithdrawn { interaction, agent, offer, .. }) => {
                event = Event::OfferMissed { interaction: *interaction, agent: agent.clone(), offer: *offer };
            }
            (Self::DeclinerIsAskedAgain, Event::OfferRejected { interaction, agent, offer }) => {
                let (interaction, agent, offer) = (*interaction, agent.clone(), *offer);
                let why = WithdrawnWhy::PresenceLeft;
                event = Event::OfferWithdrawn { interaction, agent, offer, why };
            }
            (Self::WishForgotten, Event::PresenceWished { presence, .. }) => *presence = None,
            (Self::CallParksLikeAnAgent, Event::ItemParked { by, .. }) => *by = ParkedBy::Agent,
            (Self::DowntimeCounts, Event::Resumed { down }) => *down = Millis(0),
            (Self::ExtensionIsFree, Event::WrapUpExtended { extensions_left, .. }) => *extensions_left += 1,
            (Self::EndCountsAsSeen, Event::ChatEnded { by, .. }) => *by = Side::Agent,
            (Self::UnopenedForEver, Event::ChatAssigned { deadline, .. }) => *deadline = None,
            (Self::ClassificationLost, Event::Classified { codes, .. }) => codes.clear(),
            (Self::IdleFromTheFuture, Event::OfferRejected { .. } | Event::OfferMissed { .. }) => {
                at = at + Millis(5_000);
            }
            (Self::GoneAgentStaysConnected, Event::AgentDisconnected { session, .. }) => {
                *session = SessionId(uuid::Uuid::nil());
            }
            (
                Self::AnyCustomerMessageRestartsTheWait,
                Event::MessageSent { from: from @ Side::Customer, .. },
            ) => *from = Side::Agent,
            (Self::NobodyIsRemembered, Event::ChatStarted { preferred, .. }) => *preferred = None,
            (Self::AvailableForEverything, Event::AvailabilityChanged { queues, .. }) => *queues = None,
            (Self::HoursNeverTurn, Event::HoursTurned { next, .. }) => *next = None,
            (Self::LostChatsWaitBehind, Event::ChatReturned { why: why @ ReturnedWhy::AgentLost, .. }) => {
                *why = ReturnedWhy::AgentOffline;
            }
            (Self::WarmIsCold, Event::TransferAccepted { warm, .. }) => *warm = false,
            (Self::NobodyIsReminded, Event::NoticeSent { notice: notice @ Notice::FewMinutes, .. }) => {
                *notice = Notice::Closing;
            }
            (Self::FileIsNoAnswer, Event::FileSent { from: from @ Side::Agent, .. }) => {
                *from = Side::Customer
            }
            (Self::NobodyIsBlocked, Event::AbuseFlagged { blocked, .. }) => blocked.clear(),
            _ => {}
        }
        (at, event)
    }

    /// Settings that are not looked at as they should be.
    fn configured(self, policy: &mut TenantPolicy) {
        match self {
            Self::OneOverCapacity => policy.agents.values_mut().for_each(|a| a.chat_capacity += 1),
            Self::WaitingDoesNotAge => policy.ageing = None,
            Self::CallsHaveNoWrapUp => policy.calls.wrap_up = None,
            Self::LostEndHoldsTheAgent => policy.calls.longest = None,
            _ => {}
        }
        for queue in policy.queues.values_mut() {
            match self {
                Self::SkillsDoNotMatter => queue.skills.clear(),
                Self::ClosedQueueServes => queue.overflow.closed = OverflowTo::Wait,
                Self::SilenceIsNotNoticed => queue.inactivity.mode = InactivityMode::Off,
                Self::EveryFileIsTaken => {
                    queue.attachments.from_customer = true;
                    queue.attachments.from_agent = true;
                }
                Self::WrapUpHasNoMaximum => queue.wrap_up.max = None,
                _ => {}
            }
        }
    }
}
