//! What every event can be asked: its name, and what it is about.

use super::Event;
use crate::ids::InteractionId;

impl Event {
    /// The event's name and version, as the journal and the bus write it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::TenantOpened { .. } => "tenant.opened.v1",
            Self::Configured { .. } => "tenant.configured.v1",
            Self::Resumed { .. } => "tenant.resumed.v1",
            Self::HoursSet { .. } => "tenant.hours_set.v1",
            Self::HoursTurned { .. } => "tenant.hours_turned.v1",
            Self::DayBegan { .. } => "tenant.day_began.v1",
            Self::AvailabilityChanged { .. } => "agent.availability_changed.v1",
            Self::NeedsRelaxed { .. } => "chat.needs_relaxed.v1",
            Self::DeclineForgotten { .. } => "chat.decline_forgotten.v1",
            Self::ChatOverflowed { .. } => "chat.overflowed.v1",
            Self::ChatTransferred { .. } => "chat.transferred.v1",
            Self::TransferOffered { .. } => "chat.transfer_offered.v1",
            Self::TransferAccepted { .. } => "chat.transfer_accepted.v1",
            Self::TransferFailed { .. } => "chat.transfer_failed.v1",
            Self::HandedOver { .. } => "chat.handed_over.v1",
            Self::GuestJoined { .. } => "chat.guest_joined.v1",
            Self::GuestLeft { .. } => "chat.guest_left.v1",
            Self::Whispered { .. } => "chat.whispered.v1",
            Self::NoticeSent { .. } => "chat.notice_sent.v1",
            Self::FileSent { .. } => "chat.file_sent.v1",
            Self::Suggested { .. } => "chat.suggested.v1",
            Self::HistoryShared { .. } => "chat.history_shared.v1",
            Self::ChatReopened { .. } => "chat.reopened.v1",
            Self::CaseOpened { .. } => "chat.case_opened.v1",
            Self::AbuseFlagged { .. } => "chat.abuse_flagged.v1",
            Self::ScriptFilled { .. } => "interaction.script_filled.v1",
            Self::SupervisorActed { .. } => "supervisor.acted.v1",
            Self::AgentConnected { .. } => "agent.connected.v1",
            Self::AgentDisconnected { .. } => "agent.disconnected.v1",
            Self::PresenceChanged { .. } => "agent.presence_changed.v1",
            Self::PresenceWished { .. } => "agent.presence_wished.v1",
            Self::ChatStarted { .. } => "chat.started.v1",
            Self::ChatOffered { .. } => "chat.offered.v1",
            Self::OfferAccepted { .. } => "chat.accepted.v1",
            Self::OfferRejected { .. } => "chat.rejected.v1",
            Self::OfferMissed { .. } => "chat.missed.v1",
            Self::OfferWithdrawn { .. } => "chat.offer_withdrawn.v1",
            Self::ChatAssigned { .. } => "chat.assigned.v1",
            Self::ChatReturned { .. } => "chat.returned.v1",
            Self::ItemActivated { .. } => "item.activated.v1",
            Self::ItemParked { .. } => "item.parked.v1",
            Self::MessageSent { .. } => "chat.message_sent.v1",
            Self::ChatEnded { .. } => "chat.ended.v1",
            Self::EndSeen { .. } => "chat.end_seen.v1",
            Self::WrapUpStarted { .. } => "wrap_up.started.v1",
            Self::WrapUpExtended { .. } => "wrap_up.extended.v1",
            Self::WrapUpCompleted { .. } => "wrap_up.completed.v1",
            Self::Classified { .. } => "interaction.classified.v1",
            Self::InteractionClosed { .. } => "interaction.closed.v1",
            Self::CallRang { .. } => "call.rang.v1",
            Self::CallDialled { .. } => "call.dialled.v1",
            Self::CallAnswered { .. } => "call.answered.v1",
            Self::CallHeld { .. } => "call.held.v1",
            Self::CallResumed { .. } => "call.resumed.v1",
            Self::CallTransferred { .. } => "call.transferred.v1",
            Self::CallEnded { .. } => "call.ended.v1",
            Self::RecordingReady { .. } => "call.recording_ready.v1",
            Self::LookedUp { .. } => "interaction.looked_up.v1",
            Self::ContactChosen { .. } => "interaction.contact_chosen.v1",
            Self::DeliveryReported { .. } => "log.delivery_reported.v1",
        }
    }

    /// The interaction it is about, where it is about one.
    #[must_use]
    pub fn interaction(&self) -> Option<InteractionId> {
        match self {
            Self::TenantOpened { .. }
            | Self::Configured { .. }
            | Self::Resumed { .. }
            | Self::AgentConnected { .. }
            | Self::AgentDisconnected { .. }
            | Self::PresenceChanged { .. }
            | Self::PresenceWished { .. }
            | Self::HoursSet { .. }
            | Self::HoursTurned { .. }
            | Self::DayBegan { .. }
            | Self::AvailabilityChanged { .. } => None,
            Self::SupervisorActed { act, .. } => act.interaction(),
            Self::ChatStarted { interaction, .. }
            | Self::NeedsRelaxed { interaction, .. }
            | Self::DeclineForgotten { interaction, .. }
            | Self::ChatOverflowed { interaction, .. }
            | Self::ChatTransferred { interaction, .. }
            | Self::TransferOffered { interaction, .. }
            | Self::TransferAccepted { interaction, .. }
            | Self::TransferFailed { interaction, .. }
            | Self::HandedOver { interaction, .. }
            | Self::GuestJoined { interaction, .. }
            | Self::GuestLeft { interaction, .. }
            | Self::Whispered { interaction, .. }
            | Self::NoticeSent { interaction, .. }
            | Self::FileSent { interaction, .. }
            | Self::Suggested { interaction, .. }
            | Self::HistoryShared { interaction, .. }
            | Self::ChatReopened { interaction, .. }
            | Self::CaseOpened { interaction, .. }
            | Self::AbuseFlagged { interaction, .. }
            | Self::ScriptFilled { interaction, .. }
            | Self::ChatOffered { interaction, .. }
            | Self::OfferAccepted { interaction, .. }
            | Self::OfferRejected { interaction, .. }
            | Self::OfferMissed { interaction, .. }
            | Self::OfferWithdrawn { interaction, .. }
            | Self::ChatAssigned { interaction, .. }
            | Self::ChatReturned { interaction, .. }
            | Self::ItemActivated { interaction, .. }
            | Self::ItemParked { interaction, .. }
            | Self::MessageSent { interaction, .. }
            | Self::ChatEnded { interaction, .. }
            | Self::EndSeen { interaction }
            | Self::WrapUpStarted { interaction, .. }
            | Self::WrapUpExtended { interaction, .. }
            | Self::WrapUpCompleted { interaction, .. }
            | Self::Classified { interaction, .. }
            | Self::InteractionClosed { interaction, .. }
            | Self::CallRang { interaction, .. }
            | Self::CallDialled { interaction, .. }
            | Self::CallAnswered { interaction, .. }
            | Self::CallHeld { interaction, .. }
            | Self::CallResumed { interaction, .. }
            | Self::CallTransferred { interaction, .. }
            | Self::CallEnded { interaction, .. }
            | Self::RecordingReady { interaction, .. }
            | Self::LookedUp { interaction, .. }
            | Self::ContactChosen { interaction, .. }
            | Self::DeliveryReported { interaction, .. } => Some(*interaction),
        }
    }
}
