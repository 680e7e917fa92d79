//! What happened, in words: who did it, and what. Nothing of what was said.

use super::because::presence_words;
use super::{Naming, clock, span};
use tieline_model::command::{Notice, SupervisorAct};
use tieline_model::crm::{LogState, LookupResult, Outcome, Side};
use tieline_model::event::{
    AssignedHow, CompletedBy, Guest, OverflowWhy, ParkedBy, ReturnedWhy, Suggestion, TransferFailed,
    WithdrawnWhy,
};
use tieline_model::{AgentId, Event};

/// Who does what comes by itself.
const ITSELF: &str = "Tieline";
const CUSTOMER: &str = "Customer";

type Told = (String, String);

/// Who, and what.
pub(super) fn tell(event: &Event, naming: &Naming) -> Told {
    line(event, naming)
        .or_else(|| offers(event, naming))
        .or_else(|| hands(event, naming))
        .or_else(|| talk(event, naming))
        .or_else(|| work(event, naming))
        .or_else(|| calls(event, naming))
        .or_else(|| records(event, naming))
        // Of an interaction nothing else happens; a new kind of event is told by its name until it has words.
        .unwrap_or_else(|| (ITSELF.to_owned(), event.kind().to_owned()))
}

fn itself(words: impl Into<String>) -> Option<Told> {
    Some((ITSELF.to_owned(), words.into()))
}

fn by(agent: &AgentId, naming: &Naming, words: impl Into<String>) -> Option<Told> {
    Some((naming.agent(agent).to_owned(), words.into()))
}

/// Waiting.
#[expect(clippy::wildcard_enum_match_arm, reason = "the kinds of events are told in groups")]
fn line(event: &Event, naming: &Naming) -> Option<Told> {
    match event {
        Event::ChatStarted { queue, preferred, .. } => {
            let first = preferred.as_ref().map(|agent| format!("; {} first, if free", naming.agent(agent)));
            let words = format!("came to {}{}", naming.queue(queue), first.unwrap_or_default());
            Some((CUSTOMER.to_owned(), words))
        }
        Event::NeedsRelaxed { steps, .. } => {
            itself(format!("every skill level it needs fell by one ({steps} in all)"))
        }
        Event::DeclineForgotten { agent, .. } => {
            itself(format!("{} may be asked again", naming.agent(agent)))
        }
        Event::ChatOverflowed { from, to, why, .. } => {
            let why = match why {
                OverflowWhy::Closed => "is closed",
                OverflowWhy::Unstaffed => "has no agent at work",
                OverflowWhy::Waited => "let it wait too long",
                OverflowWhy::Full => "is full",
            };
            let to = to.as_ref().map_or("the offline form", |to| naming.queue(to));
            itself(format!("{} {why}; went on to {to}", naming.queue(from)))
        }
        Event::ChatAssigned { agent, how, deadline, .. } => {
            let agent = naming.agent(agent);
            let until = deadline.map(|at| format!("; to be opened until {}", clock(at))).unwrap_or_default();
            match how {
                AssignedHow::Auto => itself(format!("went into the inbox of {agent}{until}")),
                AssignedHow::Taken => Some((agent.to_owned(), "took it from the queue".to_owned())),
                AssignedHow::Supervisor => itself(format!("was given to {agent} by a supervisor")),
            }
        }
        Event::ChatReturned { agent, why, .. } => {
            let why = match why {
                ReturnedWhy::Unopened => "was not opened in time",
                ReturnedWhy::AgentOffline => "the agent went Offline",
                ReturnedWhy::AgentLost => "the agent's connection was lost",
                ReturnedWhy::Supervisor => "a supervisor took it back",
            };
            itself(format!("left {} for its queue: {why}", naming.agent(agent)))
        }
        _ => None,
    }
}

/// Offers.
#[expect(clippy::wildcard_enum_match_arm, reason = "the kinds of events are told in groups")]
fn offers(event: &Event, naming: &Naming) -> Option<Told> {
    match event {
        Event::ChatOffered { agent, version, deadline, .. } => itself(format!(
            "offered to {}, the {version}. time, until {}",
            naming.agent(agent),
            clock(*deadline)
        )),
        Event::OfferAccepted { agent, .. } => by(agent, naming, "accepted"),
        Event::OfferRejected { agent, .. } => by(agent, naming, "rejected"),
        Event::OfferMissed { agent, .. } => by(agent, naming, "missed the offer"),
        Event::OfferWithdrawn { agent, why, .. } => {
            itself(format!("offer to {} taken back: {}", naming.agent(agent), withdrawn(*why)))
        }
        _ => None,
    }
}

fn withdrawn(why: WithdrawnWhy) -> &'static str {
    match why {
        WithdrawnWhy::PresenceLeft => "the agent is not Available any more",
        WithdrawnWhy::Call => "a call came to the agent",
        WithdrawnWhy::CustomerLeft => "the customer left",
        WithdrawnWhy::AgentLost => "the agent's connection was lost",
        WithdrawnWhy::Settings => "the settings changed",
        WithdrawnWhy::Stopping => "the daemon was about to stop",
        WithdrawnWhy::Supervisor => "by a supervisor",
        WithdrawnWhy::Overflowed => "the chat went to another queue",
        WithdrawnWhy::TransferCancelled => "by the sender",
    }
}

/// Transfers, guests and supervisors.
#[expect(clippy::wildcard_enum_match_arm, reason = "the kinds of events are told in groups")]
fn hands(event: &Event, naming: &Naming) -> Option<Told> {
    match event {
        Event::ChatTransferred { agent, to, .. } => {
            by(agent, naming, format!("transferred it to {}", naming.queue(to)))
        }
        Event::TransferOffered { from, to, warm, deadline, .. } => {
            let how = if *warm { "asked in" } else { "offered it to" };
            by(from, naming, format!("{how} {}, until {}", naming.agent(to), clock(*deadline)))
        }
        Event::TransferAccepted { from, to, warm, .. } => {
            let what = if *warm { "joined" } else { "took it over from" };
            by(to, naming, format!("{what} {}", naming.agent(from)))
        }
        Event::TransferFailed { to, failed, .. } => {
            let to = naming.agent(to);
            match failed {
                TransferFailed::Rejected => Some((to.to_owned(), "rejected the transfer".to_owned())),
                TransferFailed::Missed => Some((to.to_owned(), "missed the transfer".to_owned())),
                TransferFailed::Withdrawn { why } => {
                    itself(format!("transfer to {to} taken back: {}", withdrawn(*why)))
                }
            }
        }
        Event::HandedOver { from, to, .. } => {
            by(from, naming, format!("handed it over to {}", naming.agent(to)))
        }
        Event::GuestJoined { agent, guest, .. } => {
            let how = match guest {
                Guest::Consulted => "joined, consulted by the owner",
                Guest::Supervisor => "joined as a supervisor",
            };
            by(agent, naming, how)
        }
        Event::GuestLeft { agent, .. } => by(agent, naming, "left the chat"),
        Event::SupervisorActed { supervisor, act, reason, .. } => {
            by(supervisor, naming, format!("{}: {reason}", acted(act, naming)))
        }
        _ => None,
    }
}

fn acted(act: &SupervisorAct, naming: &Naming) -> String {
    match act {
        SupervisorAct::SetPresence { agent, presence } => {
            format!("set {} to {}", naming.agent(agent), presence_words(presence))
        }
        SupervisorAct::Requeue { .. } => "took it back into its queue".to_owned(),
        SupervisorAct::Assign { agent, .. } => format!("gave it to {}", naming.agent(agent)),
        SupervisorAct::FinishWrapUp { .. } => "finished its wrap-up".to_owned(),
        SupervisorAct::Join { .. } => "wanted to join".to_owned(),
        SupervisorAct::Unblock { marks } => format!("let {} blocked visitors in again", marks.len()),
    }
}

/// What is said and ends; never the words.
#[expect(clippy::wildcard_enum_match_arm, reason = "the kinds of events are told in groups")]
fn talk(event: &Event, naming: &Naming) -> Option<Told> {
    let writer = |from: &Side, agent: &Option<AgentId>| match (from, agent) {
        (_, Some(agent)) => naming.agent(agent).to_owned(),
        (Side::Customer, None) => CUSTOMER.to_owned(),
        (Side::Agent, None) => "Agent".to_owned(),
        (Side::System, None) => ITSELF.to_owned(),
    };
    match event {
        Event::MessageSent { from, agent, text, .. } => {
            Some((writer(from, agent), format!("wrote a message ({} characters)", text.chars)))
        }
        Event::FileSent { from, agent, file, media_type, .. } => {
            Some((writer(from, agent), format!("sent a file ({media_type}, {} bytes)", file.bytes)))
        }
        Event::Whispered { agent, text, .. } => {
            by(agent, naming, format!("whispered ({} characters)", text.chars))
        }
        Event::NoticeSent { notice, agent, .. } => {
            let what = match notice {
                Notice::Nudge => "asked whether the customer is still there",
                Notice::Closing => "said that the chat is closed for silence",
                Notice::FewMinutes => "asked the customer for a few minutes",
                Notice::Transferred => "told the customer of the transfer",
                Notice::AgentLost => "told the customer that the agent was lost",
                Notice::Overflowed => "told the customer of the other queue",
                Notice::Offline => "told the customer to leave a message",
            };
            Some((writer(&Side::System, agent), what.to_owned()))
        }
        Event::Suggested { suggestion, .. } => itself(match suggestion {
            Suggestion::Nudge => "advised to ask whether the customer is still there",
            Suggestion::End => "advised to end the chat: the customer is silent",
            Suggestion::OpenCase => "advised to open a case",
            Suggestion::Update => "advised to tell the customer how it stands",
        }),
        Event::HistoryShared { agent, expires_at, .. } => {
            by(agent, naming, format!("shared the transcript until {}", clock(*expires_at)))
        }
        Event::ChatEnded { by, .. } => Some((writer(by, &None), "ended the chat".to_owned())),
        Event::EndSeen { .. } => Some(("Agent".to_owned(), "saw that the customer had ended".to_owned())),
        Event::ChatReopened { agent, .. } => {
            Some((CUSTOMER.to_owned(), format!("came back; goes on with {}", naming.agent(agent))))
        }
        _ => None,
    }
}

/// What agents do with an item.
#[expect(clippy::wildcard_enum_match_arm, reason = "the kinds of events are told in groups")]
fn work(event: &Event, naming: &Naming) -> Option<Told> {
    match event {
        Event::ItemActivated { agent, .. } => by(agent, naming, "made it the active item"),
        Event::ItemParked { agent, by: parked, .. } => match parked {
            ParkedBy::Agent => by(agent, naming, "parked it"),
            ParkedBy::Activation => by(agent, naming, "parked it by opening another"),
            ParkedBy::Call => itself(format!("parked: {} is on a call", naming.agent(agent))),
        },
        Event::WrapUpStarted { agent, time, .. } => {
            let time = time.map_or_else(|| "without limit".to_owned(), |time| format!("of {}", span(time.0)));
            itself(format!("wrap-up {time} began at {}", naming.agent(agent)))
        }
        Event::WrapUpExtended { extensions_left, .. } => {
            Some(("Agent".to_owned(), format!("extended the wrap-up; {extensions_left} extensions left")))
        }
        Event::WrapUpCompleted { agent, by: completed, not_classified, unseen, .. } => {
            let mut words = match completed {
                CompletedBy::Agent => "completed the wrap-up".to_owned(),
                CompletedBy::Timer => "wrap-up ended with its time".to_owned(),
                CompletedBy::Offline => "wrap-up ended: the agent went Offline".to_owned(),
                CompletedBy::Maximum => "wrap-up ended at its hard maximum".to_owned(),
                CompletedBy::Supervisor => "wrap-up was finished by a supervisor".to_owned(),
            };
            words.push_str(if *not_classified { "; not classified" } else { "" });
            words.push_str(if *unseen { "; the customer's end was never seen" } else { "" });
            match completed {
                CompletedBy::Agent => by(agent, naming, words),
                CompletedBy::Timer
                | CompletedBy::Offline
                | CompletedBy::Maximum
                | CompletedBy::Supervisor => itself(words),
            }
        }
        Event::Classified { agent, codes, .. } if codes.is_empty() => by(agent, naming, "wrote remarks"),
        Event::Classified { agent, codes, .. } => {
            by(agent, naming, format!("classified it as {}", codes.join(", ")))
        }
        Event::CaseOpened { agent, .. } => by(agent, naming, "opened a case"),
        Event::AbuseFlagged { agent, blocked, .. } => {
            let blocks = if blocked.is_empty() { "" } else { "; the visitor is blocked" };
            by(agent, naming, format!("flagged it as abusive{blocks}"))
        }
        Event::ScriptFilled { agent, .. } => by(agent, naming, "filled the script"),
        _ => None,
    }
}

/// Calls.
#[expect(clippy::wildcard_enum_match_arm, reason = "the kinds of events are told in groups")]
fn calls(event: &Event, naming: &Naming) -> Option<Told> {
    match event {
        Event::CallRang { agents, .. } => {
            let at: Vec<&str> = agents.iter().map(|agent| naming.agent(agent)).collect();
            itself(format!("rang at {}", if at.is_empty() { "nobody".to_owned() } else { at.join(", ") }))
        }
        Event::CallDialled { agent, .. } => by(agent, naming, "dialled"),
        Event::CallAnswered { agent, .. } => by(agent, naming, "was connected"),
        Event::CallHeld { .. } => itself("put on hold"),
        Event::CallResumed { .. } => itself("taken off hold"),
        Event::CallTransferred { from, to, .. } => {
            by(from, naming, format!("passed the call to {}", naming.agent(to)))
        }
        Event::CallEnded { presumed: true, .. } => itself("counts as over: nothing was heard of it"),
        Event::CallEnded { outcome, .. } => itself(format!("the call ended, {}", outcome_words(*outcome))),
        Event::RecordingReady { .. } => itself("its recording can be heard"),
        _ => None,
    }
}

/// The end, and what the CRMs say.
#[expect(clippy::wildcard_enum_match_arm, reason = "the kinds of events are told in groups")]
fn records(event: &Event, naming: &Naming) -> Option<Told> {
    match event {
        Event::InteractionClosed { outcome, log, .. } => {
            let log = if *log { "its log goes to the CRMs" } else { "no log is sent" };
            itself(format!("closed, {}; {log}", outcome_words(*outcome)))
        }
        Event::LookedUp { connection, result, .. } => {
            let said = match result {
                LookupResult::Found { count: 0, .. } => "knows nobody".to_owned(),
                LookupResult::Found { count, contact: Some(_), .. } => {
                    format!("found {count}; one is sure")
                }
                LookupResult::Found { count, contact: None, .. } => format!("found {count}; none is sure"),
                LookupResult::Failed { reason } => format!("could not be asked: {reason}"),
            };
            Some((naming.connection(connection).to_owned(), said))
        }
        Event::ContactChosen { agent, connection, contact, .. } => {
            let what = if contact.is_some() { "chose the contact" } else { "chose none of those found" };
            by(agent, naming, format!("{what} in {}", naming.connection(connection)))
        }
        Event::DeliveryReported { connection, state, .. } => {
            let said = match state {
                LogState::Sending => "the log is being sent".to_owned(),
                LogState::Saved { label, .. } => format!("has the log: {label}"),
                LogState::Delayed { reason, next_at } => {
                    format!("does not have the log yet: {reason}; next try at {}", clock(*next_at))
                }
                LogState::Refused { reason } => format!("will not take the log: {reason}"),
            };
            Some((naming.connection(connection).to_owned(), said))
        }
        _ => None,
    }
}

fn outcome_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Answered => "answered",
        Outcome::Abandoned => "abandoned",
        Outcome::Missed => "missed",
        Outcome::Overflowed => "overflowed",
        Outcome::MessageLeft => "a message was left",
    }
}
