//! What agents and customers do in a chat beyond writing and ending it.

use crate::centre::*;
use std::collections::BTreeSet;
use tieline_engine::{Chat, Stage, Talk};
use tieline_model::command::{Notice, SupervisorAct, TransferTo};
use tieline_model::live::Place;
use tieline_model::policy::TenantPolicy;
use tieline_model::{Mark, Wish};

pub fn mark(name: &str) -> Mark {
    Mark::new(name).unwrap()
}

impl By<'_> {
    /// A customer who is recognised asks for a chat, in the queue "support".
    pub fn starts_marked(self, marks: &[&str]) {
        let Wish::StartChat { interaction, conversation, queue, person, skills, previous, .. } =
            self.start_of("support")
        else {
            panic!("a start")
        };
        let marks = marks.iter().map(|m| mark(m)).collect();
        self.wishes(Wish::StartChat { interaction, conversation, queue, person, skills, marks, previous });
    }

    pub fn returns(self, n: u128, fresh: u128) {
        self.wishes(Wish::ReturnToChat { interaction: chat(n), fresh: chat(fresh) });
    }

    pub fn leaves_message(self, n: u128, chars: u32) {
        self.wishes(Wish::LeaveMessage { interaction: chat(n), text: text(chars) });
    }

    pub fn sends_file(self, n: u128, bytes: u32, media_type: &str) {
        let file = tieline_model::content::ContentRef { bytes, ..text(8) };
        self.wishes(Wish::SendFile { interaction: chat(n), file, media_type: media_type.to_owned() });
    }

    pub fn whispers(self, n: u128, chars: u32) {
        self.wishes(Wish::Whisper { interaction: chat(n), text: text(chars) });
    }

    pub fn notices(self, n: u128, notice: Notice) {
        self.wishes(Wish::SendNotice { interaction: chat(n), notice });
    }

    pub fn transfers_to_queue(self, n: u128, to: &str) {
        self.transfers(n, TransferTo::Queue { queue: queue(to) }, false);
    }

    pub fn transfers_to_queue_for_sure(self, n: u128, to: &str) {
        self.transfers(n, TransferTo::Queue { queue: queue(to) }, true);
    }

    pub fn transfers_to(self, n: u128, to: &str) {
        self.transfers(n, TransferTo::Agent { agent: agent(to), warm: false }, false);
    }

    pub fn consults(self, n: u128, to: &str) {
        self.transfers(n, TransferTo::Agent { agent: agent(to), warm: true }, false);
    }

    fn transfers(self, n: u128, to: TransferTo, confirmed: bool) {
        self.wishes(Wish::Transfer { interaction: chat(n), to, note: None, confirmed });
    }

    pub fn transfers_with_note(self, n: u128, to: &str, chars: u32) {
        let to = TransferTo::Agent { agent: agent(to), warm: false };
        let note = Some(text(chars));
        self.wishes(Wish::Transfer { interaction: chat(n), to, note, confirmed: false });
    }

    pub fn cancels_transfer(self, n: u128) {
        self.wishes(Wish::CancelTransfer { interaction: chat(n) });
    }

    pub fn hands_over(self, n: u128, to: &str) {
        self.wishes(Wish::HandOver { interaction: chat(n), agent: agent(to) });
    }

    pub fn leaves(self, n: u128) {
        self.wishes(Wish::LeaveChat { interaction: chat(n) });
    }

    pub fn shares(self, n: u128) {
        self.wishes(Wish::ShareHistory { interaction: chat(n) });
    }

    pub fn opens_case(self, n: u128) {
        self.wishes(Wish::OpenCase { interaction: chat(n) });
    }

    pub fn flags(self, n: u128) {
        self.wishes(Wish::FlagAbuse { interaction: chat(n), note: None });
    }

    pub fn acts(self, act: SupervisorAct) {
        self.wishes(Wish::Supervise { act, reason: "as agreed".to_owned() });
    }
}

impl Centre {
    /// The conversation of customer `n`.
    pub fn conversation_of(&mut self, n: u128) -> tieline_model::ConversationId {
        match self.customer(n).start_of("support") {
            Wish::StartChat { conversation, .. } => conversation,
            other => panic!("{other:?}"),
        }
    }
}

/// Where an owned chat stands in its inbox.
pub fn place(c: &Centre, n: u128) -> Place {
    match &c.seen(n).stage {
        Stage::Owned { place, .. } => *place,
        other => panic!("not owned: {other:?}"),
    }
}

/// Whose a chat is.
pub fn owner(c: &Centre, n: u128) -> String {
    match &c.seen(n).stage {
        Stage::Owned { agent, .. } => agent.to_string(),
        other => panic!("not owned: {other:?}"),
    }
}

pub fn in_wrap_up(chat: &Chat) -> bool {
    matches!(chat.stage, Stage::Owned { talk: Talk::WrapUp { .. }, .. })
}

/// A second queue, "billing", which Carla alone serves.
pub fn with_billing(policy: &mut TenantPolicy) {
    policy.queues.insert(queue("billing"), tieline_model::policy::QueuePolicy::named("Billing"));
    policy.agents.insert(agent("carla"), serving(&["billing"]));
}

pub fn marks(names: &[&str]) -> BTreeSet<Mark> {
    names.iter().map(|m| mark(m)).collect()
}
