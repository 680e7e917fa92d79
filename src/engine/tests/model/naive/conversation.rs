//! What is said and done in a chat, how customers come, return and leave messages (B7 to B18, C7, G3).

use super::{Answer, Chat, Naive, Silence, Where};
use std::collections::BTreeSet;
use tieline_model::command::Notice;
use tieline_model::content::ContentRef;
use tieline_model::crm::{Channel, Outcome, Side};
use tieline_model::event::Suggestion;
use tieline_model::live::Place;
use tieline_model::policy::{Delivery, InactivityMode, QueuePolicy, Strategy};
use tieline_model::{Actor, AgentId, Code, CommandId, Event, InteractionId, Mark, SkillId, Timestamp, Wish};

impl Naive {
    // ---- coming and returning ---------------------------------------------------------------------------------

    pub(super) fn start(&mut self, by: &Actor, wish: &Wish) -> Answer {
        let Wish::StartChat { interaction, conversation, queue, person, skills, marks, previous } = wish
        else {
            unreachable!()
        };
        let (id, conversation) = (*interaction, *conversation);
        if *by != (Actor::Customer { conversation }) {
            return Err(Code::NotPermitted);
        }
        let rules = self.policy.queues.get(queue).ok_or(Code::NotFound)?;
        if self.customers(conversation, id).is_some() {
            return Ok(());
        }
        if self.in_use(id) {
            return Err(Code::WrongState);
        }
        let anybody_can = |skill| self.policy.agents.values().any(|agent| agent.skills.contains_key(skill));
        if skills.len() > 5 || marks.len() > 4 || !skills.iter().all(anybody_can) {
            return Err(Code::Invalid);
        }
        self.let_in(marks)?;
        let had = |mark: &Mark| self.last.iter().find(|(m, _)| m == mark).map(|(_, agent)| agent.clone());
        let preferred = if rules.strategy == Strategy::Sticky { marks.iter().find_map(had) } else { None };
        let mut chat = Chat::new(id, conversation, Some(queue.clone()), self.now);
        (chat.person, chat.skills, chat.marks) = (Some(*person), skills.clone(), marks.clone());
        chat.preferred.clone_from(&preferred);
        if let Some(previous) = previous {
            self.goes_on_as(*previous, conversation, id);
        }
        self.chats.push(chat);
        self.figures_mut(queue).came += 1;
        self.tell(Event::ChatStarted {
            interaction: id,
            conversation,
            queue: queue.clone(),
            person: *person,
            skills: skills.clone(),
            marks: marks.clone(),
            previous: *previous,
            preferred,
        });
        Ok(())
    }

    fn goes_on_as(
        &mut self,
        previous: InteractionId,
        conversation: tieline_model::ConversationId,
        id: InteractionId,
    ) {
        let same = |left: &&mut super::Left| left.id == previous && left.conversation == conversation;
        for left in self.left.iter_mut().filter(same) {
            left.returned_as = Some(id);
        }
    }

    /// Who was blocked starts nothing (C7).
    fn let_in(&self, marks: &BTreeSet<Mark>) -> Answer {
        if marks.iter().any(|mark| self.blocked.contains(mark)) { Err(Code::Blocked) } else { Ok(()) }
    }

    pub(super) fn come_back(&mut self, by: &Actor, id: InteractionId, fresh: InteractionId) -> Answer {
        let Actor::Customer { conversation } = by else { return Err(Code::NotPermitted) };
        let conversation = *conversation;
        if let Some(chat) = self.customers(conversation, id) {
            if !chat.in_wrap_up() {
                return Ok(());
            }
            let agent = chat.owner().unwrap().clone();
            let open = self.queue_of(chat).is_some_and(|rules| self.is_open(rules));
            if !open || self.takes_nothing_new(&agent) {
                return Err(Code::Expired);
            }
            self.let_in(&chat.marks)?;
            let rules = self.rules(id)?;
            let unopened = (rules.delivery == Delivery::Auto).then_some(self.now + rules.unopened_after);
            let now = self.now;
            let item = self.item_mut(id);
            item.wrap = None;
            // One that was not opened is as new as when it came.
            let new = item.place == Place::New;
            (item.unopened, item.lies) = (unopened.filter(|_| new), new.then_some(now));
            self.tell(Event::ChatReopened { interaction: id, agent });
            return Ok(());
        }
        let left = |l: &&super::Left| l.id == id && l.conversation == conversation && l.until > self.now;
        let left = self.left.iter().find(left).ok_or(Code::Expired)?;
        if left.returned_as.is_some_and(|id| self.chat(id).is_some()) {
            return Ok(());
        }
        if self.in_use(fresh) {
            return Err(Code::WrongState);
        }
        self.let_in(&left.marks)?;
        if !self.policy.queues.contains_key(&left.queue) {
            return Err(Code::Expired);
        }
        let (queue, person, marks) = (left.queue.clone(), left.person, left.marks.clone());
        let preferred = left.agent.clone();
        let anybody_can =
            |skill: &&SkillId| self.policy.agents.values().any(|a| a.skills.contains_key(*skill));
        let skills: BTreeSet<SkillId> = left.skills.iter().filter(anybody_can).cloned().collect();
        self.goes_on_as(id, conversation, fresh);
        let mut chat = Chat::new(fresh, conversation, Some(queue.clone()), self.now);
        (chat.person, chat.marks, chat.preferred) = (Some(person), marks.clone(), preferred.clone());
        chat.skills.clone_from(&skills);
        self.chats.push(chat);
        self.figures_mut(&queue).came += 1;
        self.tell(Event::ChatStarted {
            interaction: fresh,
            conversation,
            queue,
            person,
            skills,
            marks,
            previous: Some(id),
            preferred,
        });
        Ok(())
    }

    fn takes_nothing_new(&self, agent: &AgentId) -> bool {
        use tieline_model::command::Presence;
        matches!(self.presence(agent), Presence::StopNew | Presence::Offline)
    }

    // ---- the offline form -------------------------------------------------------------------------------------

    pub(super) fn leave_message(
        &mut self,
        by: &Actor,
        message: &CommandId,
        id: InteractionId,
        text: &ContentRef,
    ) -> Answer {
        let Actor::Customer { conversation } = by else { return Err(Code::NotPermitted) };
        let chat = self.customers(*conversation, id).ok_or(Code::NotFound)?;
        if !matches!(chat.at, Where::Form(_)) {
            return Err(Code::WrongState);
        }
        fits(text, self.rules(id)?.customer_chars_max)?;
        let (message, text, from) = (message.clone(), *text, Side::Customer);
        self.tell(Event::MessageSent { interaction: id, message, from, agent: None, text });
        self.tell(Event::ChatEnded { interaction: id, by: Side::Customer });
        self.close_unserved(id, Outcome::MessageLeft, true);
        Ok(())
    }

    pub(super) fn form_over(&mut self, id: InteractionId) {
        let answered = self.chat(id).unwrap().answered.is_some();
        let log = answered || self.rules(id).is_ok_and(|q| q.log_abandoned);
        self.tell(Event::ChatEnded { interaction: id, by: Side::System });
        self.close_unserved(id, if answered { Outcome::Answered } else { Outcome::Overflowed }, log);
    }

    // ---- words ------------------------------------------------------------------------------------------------

    /// The side, and the agent if it is one.
    fn may_write(&self, by: &Actor, id: InteractionId) -> Result<(Side, Option<AgentId>), Code> {
        match by {
            Actor::Agent { .. } => {
                let agent = self.known_agent(by)?;
                if self.chat(id).is_some_and(|c| c.in_progress() && c.is_guest(&agent)) {
                    return Ok((Side::Agent, Some(agent)));
                }
                self.own_open(&agent, id)?;
                self.is_active(&agent, id)?;
                Ok((Side::Agent, Some(agent)))
            }
            Actor::Customer { conversation } => {
                let chat = self.customers(*conversation, id).ok_or(Code::NotFound)?;
                if chat.in_wrap_up() || matches!(chat.at, Where::Form(_)) {
                    return Err(Code::WrongState);
                }
                Ok((Side::Customer, None))
            }
            _ => Err(Code::NotPermitted),
        }
    }

    /// Only the active chat can send (B1).
    fn is_active(&self, agent: &AgentId, id: InteractionId) -> Answer {
        if self.active(agent).map(|c| c.id) == Some(id) { Ok(()) } else { Err(Code::NotActive) }
    }

    pub(super) fn write(
        &mut self,
        by: &Actor,
        message: &CommandId,
        id: InteractionId,
        text: &ContentRef,
    ) -> Answer {
        let (from, agent) = self.may_write(by, id)?;
        let rules = self.rules(id)?;
        fits(text, if from == Side::Agent { rules.agent_chars_max } else { rules.customer_chars_max })?;
        self.said(id, from, agent.as_ref());
        let (message, text) = (message.clone(), *text);
        self.tell(Event::MessageSent { interaction: id, message, from, agent, text });
        Ok(())
    }

    pub(super) fn send_file(
        &mut self,
        by: &Actor,
        message: &CommandId,
        id: InteractionId,
        file: &ContentRef,
        media_type: &str,
    ) -> Answer {
        let (from, agent) = self.may_write(by, id)?;
        let rules = &self.rules(id)?.attachments;
        if !(if from == Side::Agent { rules.from_agent } else { rules.from_customer }) {
            return Err(Code::NotPermitted);
        }
        if file.bytes == 0 {
            return Err(Code::Invalid);
        }
        if file.bytes > rules.bytes_max || file.chars > 200 {
            return Err(Code::TooLong);
        }
        if !rules.types.iter().any(|t| t == media_type) {
            return Err(Code::Invalid);
        }
        self.said(id, from, agent.as_ref());
        let (message, file, media_type) = (message.clone(), *file, media_type.to_owned());
        self.tell(Event::FileSent { interaction: id, message, from, agent, file, media_type });
        Ok(())
    }

    /// Who owes the reply now, and how long one took (B7, B8, B17).
    fn said(&mut self, id: InteractionId, from: Side, agent: Option<&AgentId>) {
        let now = self.now;
        let rules = self.rules(id).unwrap();
        let (target, inactivity) = (rules.targets.reply, rules.inactivity);
        let chat = self.chat_mut(id);
        chat.suggested.remove(&Suggestion::Nudge);
        chat.suggested.remove(&Suggestion::End);
        chat.silence = None;
        if from == Side::Customer {
            chat.unanswered = chat.unanswered.or(Some(now));
            return;
        }
        chat.suggested.remove(&Suggestion::Update);
        chat.update = None;
        if inactivity.mode != InactivityMode::Off {
            chat.silence = Some(Silence { nudged: false, until: Some(now + inactivity.nudge_after) });
        }
        let Some(since) = chat.unanswered.take() else { return };
        let took = now.since(since);
        chat.service.replies += 1;
        chat.service.replies_in_time += u32::from(took <= target);
        chat.service.longest_reply = chat.service.longest_reply.max(took);
        if let Some(agent) = agent {
            let today = &mut self.agent_mut(agent).today;
            today.replies += 1;
            today.replies_in_time += u32::from(took <= target);
        }
    }

    pub(super) fn whisper(
        &mut self,
        agent: &AgentId,
        message: &CommandId,
        id: InteractionId,
        text: &ContentRef,
    ) -> Answer {
        let there = |c: &&Chat| c.owner() == Some(agent) || c.is_guest(agent);
        let chat = self.chat(id).filter(there).ok_or(Code::NotFound)?;
        if chat.guests.is_empty() {
            return Err(Code::WrongState);
        }
        note_fits(text)?;
        let (message, agent, text) = (message.clone(), agent.clone(), *text);
        self.tell(Event::Whispered { interaction: id, message, agent, text });
        Ok(())
    }

    // ---- notices, silence, advice -----------------------------------------------------------------------------

    /// The words of a notice as the chat's queue has them now.
    pub(super) fn wording(&self, id: InteractionId, notice: Notice) -> String {
        self.rules(id).map(|rules| words(rules, notice).to_owned()).unwrap_or_default()
    }

    /// Tieline says something by itself; no words, no notice.
    pub(super) fn say(&mut self, id: InteractionId, notice: Notice, text: String) {
        if !text.is_empty() {
            self.tell(Event::NoticeSent { interaction: id, notice, text, agent: None });
        }
    }

    pub(super) fn send_notice(&mut self, agent: &AgentId, id: InteractionId, notice: Notice) -> Answer {
        self.own_open(agent, id)?;
        self.is_active(agent, id)?;
        let by_hand = matches!(notice, Notice::Nudge | Notice::Closing | Notice::FewMinutes);
        let text = self.wording(id, notice);
        if !by_hand || text.is_empty() {
            return Err(Code::Invalid);
        }
        self.noticed(id, notice);
        self.tell(Event::NoticeSent { interaction: id, notice, text, agent: Some(agent.clone()) });
        Ok(())
    }

    /// A nudge begins the second stretch of silence; asking for a few minutes is to be followed up.
    fn noticed(&mut self, id: InteractionId, notice: Notice) {
        let now = self.now;
        let rules = self.rules(id).unwrap();
        let (end_after, update_after) = (rules.inactivity.end_after, rules.escalate.update_after);
        let chat = self.chat_mut(id);
        if notice == Notice::Nudge {
            chat.suggested.remove(&Suggestion::Nudge);
            if chat.silence.is_some() {
                chat.silence = Some(Silence { nudged: true, until: Some(now + end_after) });
            }
        }
        if notice == Notice::FewMinutes {
            chat.suggested.remove(&Suggestion::Update);
            chat.update = update_after.map(|after| now + after);
        }
    }

    pub(super) fn silent(&mut self, id: InteractionId) {
        let mode = self.rules(id).unwrap().inactivity.mode;
        let nudged = self.chat(id).unwrap().silence.unwrap().nudged;
        match (mode, nudged) {
            (InactivityMode::Auto, false) => {
                let (notice, text) = (Notice::Nudge, self.wording(id, Notice::Nudge));
                self.noticed(id, notice);
                self.tell(Event::NoticeSent { interaction: id, notice, text, agent: None });
            }
            (InactivityMode::Auto, true) => {
                let text = self.wording(id, Notice::Closing);
                self.say(id, Notice::Closing, text);
                self.end_owned(id, Side::System);
            }
            (InactivityMode::Suggest | InactivityMode::Off, false) => self.suggest(id, Suggestion::Nudge),
            (InactivityMode::Suggest | InactivityMode::Off, true) => self.suggest(id, Suggestion::End),
        }
    }

    pub(super) fn suggest(&mut self, id: InteractionId, suggestion: Suggestion) {
        let chat = self.chat_mut(id);
        chat.suggested.insert(suggestion);
        match suggestion {
            Suggestion::Nudge | Suggestion::End => {
                if let Some(silence) = &mut chat.silence {
                    silence.until = None;
                }
            }
            Suggestion::Update => chat.update = None,
            Suggestion::OpenCase => {}
        }
        self.tell(Event::Suggested { interaction: id, suggestion });
    }

    /// When a case is to be suggested (B16), unless one was opened or suggested.
    pub(super) fn escalates(&self, chat: &Chat) -> Option<Timestamp> {
        let rules = self.queue_of(chat)?.escalate;
        if chat.case_opened || chat.suggested.contains(&Suggestion::OpenCase) {
            return None;
        }
        let long = chat.answered.zip(rules.after).map(|(since, after)| since + after);
        let unanswered = chat.unanswered.zip(rules.unanswered).map(|(since, after)| since + after);
        long.into_iter().chain(unanswered).min()
    }

    // ---- what an agent does beside ----------------------------------------------------------------------------

    pub(super) fn share(&mut self, agent: &AgentId, id: InteractionId) -> Answer {
        let chat = self.own(agent, id)?;
        if chat.channel == Channel::Call {
            return Err(Code::WrongState);
        }
        let conversation = chat.conversation;
        let expires_at = self.now + self.rules(id)?.share_for;
        let share = self.shares.pop_front().expect("the engine shared nothing");
        let agent = agent.clone();
        self.tell(Event::HistoryShared { interaction: id, conversation, agent, share, expires_at });
        Ok(())
    }

    pub(super) fn open_case(&mut self, agent: &AgentId, id: InteractionId) -> Answer {
        let chat = self.own_open(agent, id)?;
        let conversation = chat.conversation;
        if !chat.case_opened {
            let chat = self.chat_mut(id);
            chat.case_opened = true;
            chat.suggested.remove(&Suggestion::OpenCase);
            self.tell(Event::CaseOpened { interaction: id, conversation, agent: agent.clone() });
        }
        Ok(())
    }

    pub(super) fn flag(&mut self, agent: &AgentId, id: InteractionId, note: Option<ContentRef>) -> Answer {
        let chat = self.own(agent, id)?;
        if chat.channel == Channel::Call {
            return Err(Code::WrongState);
        }
        let rules = self.queue_of(chat).ok_or(Code::NotFound)?;
        note.as_ref().map_or(Ok(()), note_fits)?;
        if chat.abusive && note.is_none() {
            return Ok(());
        }
        let blocked = if rules.block_abusive { chat.marks.clone() } else { BTreeSet::new() };
        self.chat_mut(id).abusive = true;
        self.blocked.extend(blocked.iter().cloned());
        self.tell(Event::AbuseFlagged { interaction: id, agent: agent.clone(), note, blocked });
        Ok(())
    }

    pub(super) fn fill(&mut self, agent: &AgentId, id: InteractionId, answers: &ContentRef) -> Answer {
        if !self.calls.iter().any(|c| c.id == id && c.on_the_phone() == Some(agent)) {
            self.own(agent, id)?;
        }
        self.tell(Event::ScriptFilled { interaction: id, agent: agent.clone(), answers: *answers });
        Ok(())
    }
}

fn words(rules: &QueuePolicy, notice: Notice) -> &str {
    let wording = &rules.wording;
    match notice {
        Notice::Nudge => &wording.nudge,
        Notice::Closing => &wording.closing,
        Notice::FewMinutes => &wording.few_minutes,
        Notice::Transferred => &wording.transferred,
        Notice::AgentLost => &wording.agent_lost,
        Notice::Overflowed => &wording.overflowed,
        Notice::Offline => &wording.offline,
    }
}

fn fits(text: &ContentRef, max: u32) -> Answer {
    match text {
        ContentRef { bytes: 0, .. } => Err(Code::Invalid),
        ContentRef { chars, bytes, .. } if *chars > max || *bytes > max * 16 => Err(Code::TooLong),
        _ => Ok(()),
    }
}

fn note_fits(note: &ContentRef) -> Answer {
    match note {
        ContentRef { bytes: 0, .. } => Err(Code::Invalid),
        ContentRef { chars, .. } if *chars > 2_000 => Err(Code::TooLong),
        _ => Ok(()),
    }
}
