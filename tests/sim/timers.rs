//! A book of our own of what comes due, kept from the events alone. Twice over: against the journal's time, to the
//! millisecond, for never early; and against the time that processes were up, so that downtime is not counted (F2) and
//! nothing that runs is forgotten.

use super::ledger::Ledger;
use std::collections::{BTreeMap, BTreeSet};
use tieline_model::command::{Notice, Open, Presence};
use tieline_model::crm::Side;
use tieline_model::event::{
    CompletedBy, OverflowWhy, PresenceWhy, ReturnedWhy, Suggestion, TransferFailed, WithdrawnWhy,
};
use tieline_model::policy::{Delivery, InactivityMode, QueuePolicy, WrapUp};
use tieline_model::{AgentId, Event, InteractionId, Millis, ScheduleId, SessionId, Timestamp};

/// How much earlier than its time a timer may seem to fire by the time that processes were up: what the store's
/// slowness adds between a decision and the moment its commit is seen.
const BLUR_MS: u64 = 150;
/// How much later than its time a timer may fire: sleeps, pauses after failed commits, and the part of a second per
/// crash for which nobody wrote down that the process lived.
const LATE_MS: u64 = 45_000;

/// What may be running for an interaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Offer,
    Transfer,
    Unopened,
    WrapUp,
    Form,
}

#[derive(Debug, Clone, Copy)]
struct Timer {
    /// When it runs out, by the journal's clock; what is left, while it stands still.
    due: Result<Timestamp, Millis>,
    /// How long it has in all, in milliseconds that a process is up.
    has: u64,
    /// How long it has run before it was last started.
    ran: u64,
    /// Runs since then.
    since: Option<u64>,
}

impl Timer {
    fn run_by(&self, up: u64) -> u64 {
        self.ran + self.since.map_or(0, |since| up.saturating_sub(since))
    }
}

/// An agent whose panels are gone.
#[derive(Debug, Clone, Copy)]
struct Gone {
    grace: Timestamp,
    lost: Timestamp,
}

#[derive(Default)]
pub struct Timers {
    running: BTreeMap<(Kind, InteractionId), Timer>,
    /// Not before these, shifted by downtime.
    maximum: BTreeMap<InteractionId, Timestamp>,
    silence: BTreeMap<InteractionId, Timestamp>,
    sessions: BTreeMap<AgentId, BTreeSet<SessionId>>,
    presence: BTreeMap<AgentId, Presence>,
    gone: BTreeMap<AgentId, Gone>,
    /// Chats that whoever has them has opened.
    opened: BTreeSet<InteractionId>,
    /// On the wall clock.
    answered: BTreeMap<InteractionId, Timestamp>,
    asked: BTreeMap<InteractionId, Timestamp>,
    hours: BTreeMap<ScheduleId, Vec<Open>>,
    pub fired: u64,
}

type Checked = Result<(), String>;

fn not_before(at: Timestamp, due: Option<Timestamp>, event: &Event) -> Checked {
    match due {
        Some(due) if at >= due => Ok(()),
        Some(due) => Err(format!("early by {} ms at {}: {event:?}", due.since(at).0, at.0)),
        None => Err(format!("nobody started this: {event:?}")),
    }
}

impl Timers {
    /// Takes one event in, or says what is wrong with it. `up` is how long processes have been up in all.
    pub fn note(&mut self, at: Timestamp, event: &Event, up: u64, ledger: &Ledger) -> Checked {
        self.starts(at, event, up, ledger);
        self.wrap_ups(at, event, up, ledger)?;
        self.ends(at, event, up)?;
        self.leases(at, event, ledger)?;
        self.silences(at, event, ledger)?;
        self.waits(at, event, ledger)
    }

    fn start(&mut self, kind: Kind, id: InteractionId, deadline: Timestamp, at: Timestamp, up: u64) {
        let timer = Timer { due: Ok(deadline), has: deadline.since(at).0, ran: 0, since: Some(up) };
        self.running.insert((kind, id), timer);
    }

    fn starts(&mut self, at: Timestamp, event: &Event, up: u64, ledger: &Ledger) {
        match event {
            Event::ChatReopened { interaction, .. } if !self.opened.contains(interaction) => {
                // As new as when it came.
                let auto = queue_rules(ledger, *interaction).filter(|q| q.delivery == Delivery::Auto);
                if let Some(after) = auto.map(|queue| queue.unopened_after) {
                    self.start(Kind::Unopened, *interaction, at + after, at, up);
                }
            }
            Event::ItemActivated { interaction, .. }
            | Event::OfferAccepted { interaction, .. }
            | Event::TransferAccepted { interaction, warm: false, .. }
            | Event::HandedOver { interaction, .. } => {
                self.opened.insert(*interaction);
            }
            Event::ChatReturned { interaction, .. } | Event::ChatTransferred { interaction, .. } => {
                self.opened.remove(interaction);
            }
            Event::ChatOffered { interaction, deadline, .. } => {
                self.start(Kind::Offer, *interaction, *deadline, at, up);
            }
            Event::TransferOffered { interaction, deadline, .. } => {
                self.start(Kind::Transfer, *interaction, *deadline, at, up);
            }
            Event::ChatAssigned { interaction, deadline: Some(deadline), .. } => {
                self.start(Kind::Unopened, *interaction, *deadline, at, up);
            }
            Event::ChatOverflowed { interaction, deadline: Some(deadline), .. } => {
                self.start(Kind::Form, *interaction, *deadline, at, up);
            }
            Event::Resumed { down } => {
                for timer in self.running.values_mut() {
                    timer.due = timer.due.map(|due| due + *down);
                }
                let due = self.maximum.values_mut().chain(self.silence.values_mut());
                due.for_each(|due| *due = *due + *down);
            }
            _ => {}
        }
    }

    /// C4, C5: extended by what the settings say, stopped and started to the millisecond.
    fn wrap_ups(&mut self, at: Timestamp, event: &Event, up: u64, ledger: &Ledger) -> Checked {
        match event {
            Event::WrapUpStarted { interaction, time, deadline, .. } => {
                if let Some(time) = time {
                    let (due, since) = (deadline.ok_or(*time), deadline.map(|_| up));
                    let timer = Timer { due, has: time.0, ran: 0, since };
                    self.running.insert((Kind::WrapUp, *interaction), timer);
                }
                if let Some(max) = rules(ledger, *interaction).max {
                    self.maximum.insert(*interaction, at + max);
                }
            }
            Event::WrapUpExtended { interaction, deadline, time_left, .. } => {
                let Some(timer) = self.running.get_mut(&(Kind::WrapUp, *interaction)) else {
                    return Err(format!("extended, but not limited: {event:?}"));
                };
                let (before, after) = match (timer.due, deadline, time_left) {
                    (Ok(before), Some(after), None) => (before.0, after.0),
                    (Err(before), None, Some(after)) => (before.0.cast_signed(), after.0.cast_signed()),
                    other => return Err(format!("{other:?} do not go together: {event:?}")),
                };
                let more = (after - before).cast_unsigned();
                timer.due = deadline.ok_or(time_left.unwrap_or_default());
                timer.has += more;
                if Millis(more) != rules(ledger, *interaction).extension {
                    return Err(format!("extended by {more} ms: {event:?}"));
                }
            }
            Event::ItemParked { interaction, wrap_up_left, .. } => {
                let Some(timer) = self.running.get_mut(&(Kind::WrapUp, *interaction)) else { return Ok(()) };
                let (Ok(due), Some(left)) = (timer.due, wrap_up_left) else {
                    return Err(format!("{timer:?} and {event:?}"));
                };
                if due.since(at) != *left {
                    return Err(format!("{} ms were left: {event:?}", due.since(at).0));
                }
                (timer.due, timer.ran, timer.since) = (Err(*left), timer.run_by(up), None);
            }
            Event::ItemActivated { interaction, wrap_up_deadline, .. } => {
                self.running.remove(&(Kind::Unopened, *interaction));
                let Some(timer) = self.running.get_mut(&(Kind::WrapUp, *interaction)) else { return Ok(()) };
                let (Err(left), Some(deadline)) = (timer.due, wrap_up_deadline) else {
                    return Err(format!("{timer:?} and {event:?}"));
                };
                if at + left != *deadline {
                    return Err(format!("{} ms were left: {event:?}", left.0));
                }
                (timer.due, timer.since) = (Ok(*deadline), Some(up));
            }
            Event::WrapUpCompleted { interaction, by: CompletedBy::Maximum, .. } => {
                self.fired += 1;
                not_before(at, self.maximum.get(interaction).copied(), event)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn ends(&mut self, at: Timestamp, event: &Event, up: u64) -> Checked {
        let missed = TransferFailed::Missed;
        match event {
            Event::OfferMissed { interaction, .. } => self.fire(Kind::Offer, *interaction, at, up, event)?,
            Event::TransferFailed { interaction, failed, .. } if *failed == missed => {
                self.fire(Kind::Transfer, *interaction, at, up, event)?;
            }
            Event::ChatReturned { interaction, why: ReturnedWhy::Unopened, .. } => {
                self.fire(Kind::Unopened, *interaction, at, up, event)?;
            }
            Event::WrapUpCompleted { interaction, by: CompletedBy::Timer, .. } => {
                self.fire(Kind::WrapUp, *interaction, at, up, event)?;
            }
            Event::ChatEnded { interaction, by: Side::System }
                if self.running.contains_key(&(Kind::Form, *interaction)) =>
            {
                self.fire(Kind::Form, *interaction, at, up, event)?;
            }
            _ => {}
        }
        let over: &[Kind] = match event {
            Event::OfferAccepted { .. } | Event::OfferRejected { .. } => &[Kind::Offer],
            Event::TransferAccepted { warm: true, .. } => &[Kind::Transfer],
            Event::TransferAccepted { warm: false, .. } => &[Kind::Transfer, Kind::Unopened],
            Event::ChatReturned { .. } | Event::ChatTransferred { .. } | Event::HandedOver { .. } => {
                &[Kind::Unopened]
            }
            Event::ChatEnded { .. } => &[Kind::Unopened, Kind::Form],
            Event::WrapUpCompleted { .. } | Event::ChatReopened { .. } => &[Kind::WrapUp],
            _ => &[],
        };
        if let Some(id) = event.interaction() {
            for kind in over {
                self.running.remove(&(*kind, id));
            }
            if over.contains(&Kind::WrapUp) {
                self.maximum.remove(&id);
            }
        }
        Ok(())
    }

    fn fire(&mut self, kind: Kind, id: InteractionId, at: Timestamp, up: u64, event: &Event) -> Checked {
        self.fired += 1;
        let timer = self.running.remove(&(kind, id));
        not_before(at, timer.and_then(|timer| timer.due.ok()), event)?;
        match timer {
            Some(timer) if timer.run_by(up) + BLUR_MS < timer.has => {
                Err(format!("downtime was counted; ran {} of {timer:?}: {event:?}", timer.run_by(up)))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A8, A17: nobody is lost before the grace is over.
    fn leases(&mut self, at: Timestamp, event: &Event, ledger: &Ledger) -> Checked {
        let withdrawn = |id: &InteractionId| {
            let open = |kind| self.running.get(&(kind, *id)).and_then(|timer| timer.due.ok());
            open(Kind::Offer).or_else(|| open(Kind::Transfer))
        };
        let lost = WithdrawnWhy::AgentLost;
        let withdrawn = match event {
            Event::OfferWithdrawn { interaction, agent, why, .. } => {
                Some((interaction, agent, *why, withdrawn(interaction), Kind::Offer))
            }
            Event::TransferFailed { interaction, to, failed: TransferFailed::Withdrawn { why }, .. } => {
                Some((interaction, to, *why, withdrawn(interaction), Kind::Transfer))
            }
            Event::TransferFailed { interaction, failed: TransferFailed::Rejected, .. } => {
                self.running.remove(&(Kind::Transfer, *interaction));
                None
            }
            _ => None,
        };
        if let Some((interaction, agent, why, due, kind)) = withdrawn {
            self.running.remove(&(kind, *interaction));
            if why == lost {
                let grace = self.gone.get(agent).map(|gone| gone.grace);
                not_before(at, grace.into_iter().chain(due).min(), event)?;
            }
        }
        match event {
            Event::AgentConnected { agent, session } => {
                self.sessions.entry(agent.clone()).or_default().insert(*session);
                self.gone.remove(agent);
            }
            Event::AgentDisconnected { agent, session } => {
                self.sessions.entry(agent.clone()).or_default().remove(session);
                self.leaves(at, agent, ledger);
            }
            Event::Resumed { down } => {
                for gone in self.gone.values_mut() {
                    *gone = Gone { grace: gone.grace + *down, lost: gone.lost + *down };
                }
                let agents: Vec<AgentId> = self.sessions.keys().cloned().collect();
                self.sessions.clear();
                agents.iter().for_each(|agent| self.leaves(at, agent, ledger));
            }
            Event::PresenceChanged { agent, presence, why } => {
                if *why == PresenceWhy::Lost {
                    self.fired += 1;
                    not_before(at, self.gone.get(agent).map(|gone| gone.lost), event)?;
                }
                self.presence.insert(agent.clone(), presence.clone());
                self.leaves(at, agent, ledger);
            }
            _ => {}
        }
        Ok(())
    }

    fn leaves(&mut self, at: Timestamp, agent: &AgentId, ledger: &Ledger) {
        let there = self.sessions.get(agent).is_some_and(|sessions| !sessions.is_empty());
        if there || self.presence.get(agent).is_none_or(|p| *p == Presence::Offline) {
            self.gone.remove(agent);
            return;
        }
        let lease = ledger.policy.lease;
        let gone = Gone { grace: at + lease.grace, lost: at + lease.lost_after };
        self.gone.entry(agent.clone()).or_insert(gone);
    }

    /// B8: the nudge and the end only after that much silence.
    fn silences(&mut self, at: Timestamp, event: &Event, ledger: &Ledger) -> Checked {
        let rules = event.interaction().and_then(|id| queue_rules(ledger, id));
        match event {
            Event::MessageSent { interaction, from, .. } | Event::FileSent { interaction, from, .. } => {
                let inactivity = rules.map(|rules| rules.inactivity);
                match (from, inactivity) {
                    (Side::Agent, Some(rules)) if rules.mode != InactivityMode::Off => {
                        self.silence.insert(*interaction, at + rules.nudge_after);
                    }
                    _ => drop(self.silence.remove(interaction)),
                }
            }
            Event::NoticeSent { interaction, notice: Notice::Nudge, agent, .. } => {
                if agent.is_none() {
                    self.fired += 1;
                    not_before(at, self.silence.get(interaction).copied(), event)?;
                }
                if let Some(rules) = rules
                    && self.silence.contains_key(interaction)
                {
                    self.silence.insert(*interaction, at + rules.inactivity.end_after);
                }
            }
            Event::Suggested { interaction, suggestion: Suggestion::Nudge | Suggestion::End } => {
                self.fired += 1;
                not_before(at, self.silence.get(interaction).copied(), event)?;
            }
            Event::NoticeSent { interaction, notice: Notice::Closing, agent: None, .. } => {
                self.fired += 1;
                not_before(at, self.silence.remove(interaction), event)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// What is tied to the wall clock: limits of waiting, advice, opening hours.
    fn waits(&mut self, at: Timestamp, event: &Event, ledger: &Ledger) -> Checked {
        let chat = event.interaction().and_then(|id| ledger.chats.get(&id));
        let rules = event.interaction().and_then(|id| queue_rules(ledger, id));
        let (Some(chat), Some(rules)) = (chat, rules) else { return self.office(at, event) };
        match event {
            Event::OfferAccepted { interaction, .. } | Event::ItemActivated { interaction, .. } => {
                self.answered.entry(*interaction).or_insert(at);
            }
            Event::MessageSent { interaction, from, .. } | Event::FileSent { interaction, from, .. } => {
                match from {
                    Side::Customer => drop(self.asked.entry(*interaction).or_insert(at)),
                    Side::Agent | Side::System => drop(self.asked.remove(interaction)),
                }
            }
            Event::TransferAccepted { interaction, warm: false, .. }
            | Event::HandedOver { interaction, .. } => {
                self.answered.entry(*interaction).or_insert(at);
            }
            Event::ChatEnded { interaction, .. } => drop(self.asked.remove(interaction)),
            Event::Suggested { interaction, suggestion: Suggestion::OpenCase } => {
                self.fired += 1;
                let escalate = rules.escalate;
                let long = self.answered.get(interaction).zip(escalate.after);
                let old = self.asked.get(interaction).zip(escalate.unanswered);
                let due = [long, old].into_iter().flatten().map(|(since, after)| *since + after).min();
                not_before(at, due, event)?;
            }
            Event::NeedsRelaxed { steps, .. } => {
                let step = rules.relax_after.map(|step| Millis(step.0 * u64::from(*steps)));
                not_before(at, step.map(|step| chat.entered_at + step), event)?;
            }
            Event::DeclineForgotten { agent, .. } => {
                self.fired += 1;
                // The pause is the one of the settings of then; whether there was one, the ledger checks.
                not_before(at, chat.declined.get(agent).copied(), event)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Before a chat leaves its queue: what the ledger knows of it then.
    pub fn overflows(at: Timestamp, event: &Event, ledger: &Ledger) -> Checked {
        let Event::ChatOverflowed { interaction, why: OverflowWhy::Waited, .. } = event else {
            return Ok(());
        };
        let chat = ledger.chats.get(interaction);
        let limit = queue_rules(ledger, *interaction).and_then(|rules| rules.overflow.waited.as_ref());
        let due = chat.zip(limit).map(|(chat, limit)| chat.entered_at + limit.after);
        not_before(at, due, event)
    }

    fn office(&mut self, at: Timestamp, event: &Event) -> Checked {
        match event {
            Event::HoursSet { hours } => self.hours.clone_from(hours),
            Event::HoursTurned { schedule, open, .. } => {
                let stretches = self.hours.get(schedule).map(Vec::as_slice).unwrap_or_default();
                let really = stretches.iter().any(|stretch| stretch.from <= at && at < stretch.until);
                if *open != really {
                    return Err(format!("at {} it is open: {really}, but {event:?}", at.0));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A timer that should long have fired.
    pub fn forgotten(&mut self, up: u64) -> Option<String> {
        let late = self.running.iter().find(|(_, timer)| timer.run_by(up) > timer.has + LATE_MS);
        let (key, timer) = late.map(|(key, timer)| (*key, *timer))?;
        self.running.remove(&key);
        Some(format!("{key:?} never fired: {timer:?}, up {up}"))
    }
}

fn queue_rules(ledger: &Ledger, id: InteractionId) -> Option<&QueuePolicy> {
    ledger.policy.queues.get(ledger.chats.get(&id)?.queue.as_ref()?)
}

/// The rules an item is wrapped up by: its queue's, or those for calls.
fn rules(ledger: &Ledger, id: InteractionId) -> WrapUp {
    let of_queue = queue_rules(ledger, id).map(|queue| queue.wrap_up);
    of_queue.or(ledger.policy.calls.wrap_up).unwrap_or_default()
}
