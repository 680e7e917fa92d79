//! An explanation in words.

use super::{Naming, clock, span};
use crate::journal::Recorded;
use tieline_model::Event;
use tieline_model::command::Presence;
use tieline_model::explain::{Explanation, Fate, Given, Next, NextStep, RuledOut, Standing, Waiting};
use tieline_model::live::Place;
use tieline_model::policy::{Delivery, OfferWhen, OverflowTo, Strategy};
use tieline_model::timeline::AgentStanding;

/// Why it is where it is; and, while it waits, how each agent stands to it.
pub(super) fn tell(explained: &Explanation, naming: &Naming) -> (Vec<String>, Vec<AgentStanding>) {
    let mut because = Vec::new();
    let mut considered = Vec::new();
    match &explained.standing {
        Standing::Waiting(waiting) => {
            because.extend(waits(explained, waiting, naming));
            considered.extend(waiting.considered.iter().map(|one| AgentStanding {
                agent: one.agent.clone(),
                name: naming.agent(&one.agent).to_owned(),
                words: one.ruled_out.as_ref().map_or_else(|| free(waiting), ruled_out),
            }));
        }
        Standing::Offered(given) => {
            because.push(format!("It is offered to {}{}.", naming.agent(&given.agent), until(given)));
            because.push(chosen(given, naming));
        }
        Standing::Owned { given, place, wrap_up, answered_at, transfer } => {
            let place = match place {
                Place::New => "not opened yet",
                Place::Active => "active",
                Place::Parked => "parked",
            };
            let stage = if *wrap_up { "has ended and is wrapped up by" } else { "is in the inbox of" };
            because.push(format!("It {stage} {}, {place}.", naming.agent(&given.agent)));
            because.extend(answered_at.map(|at| format!("An agent first had it in hand at {}.", clock(at))));
            because.push(chosen(given, naming));
            because.extend(
                transfer.as_ref().map(|to| {
                    format!("Its agent has offered it to {}{}.", naming.agent(&to.agent), until(to))
                }),
            );
        }
        Standing::OfflineForm { deadline } => because.push(format!(
            "No queue could serve it; the customer may leave a message until {}.",
            clock(*deadline)
        )),
    }
    because.extend(earlier(explained, naming));
    (because, considered)
}

/// Of an interaction that the engine no longer has, or that is a call.
pub(super) fn no_longer_open(rows: &[Recorded]) -> String {
    let closed = rows.iter().rev().find(|row| matches!(row.event, Event::InteractionClosed { .. }));
    let ended = rows.iter().rev().find(|row| matches!(row.event, Event::CallEnded { .. }));
    match closed.or(ended) {
        Some(row) => format!("It is over since {}; what happened stands below.", clock(row.at)),
        None => "It is a call; calls are rung by the telephone system, not handed out here.".to_owned(),
    }
}

fn waits(explained: &Explanation, waiting: &Waiting, naming: &Naming) -> Vec<String> {
    let queue = explained.queue.as_ref().map_or("no queue", |id| naming.queue(id));
    let (since, so_far) = (clock(explained.entered_at), span(explained.at.since(explained.entered_at).0));
    let mut because = vec![format!(
        "It waits in {queue} since {since}, for {so_far}; place {} of {}.",
        waiting.position,
        waiting.in_line.max(waiting.position)
    )];
    if waiting.ahead {
        because.push("It waits ahead of others: it was taken from its agent.".to_owned());
    }
    because.push(if waiting.open {
        format!("{queue} is open; {} of its agents are at work.", waiting.staff)
    } else {
        format!("{queue} is closed.")
    });
    if waiting.delivery == Delivery::Pull {
        because.push("Chats of this queue are not handed out; an agent has to take it.".to_owned());
    }
    if !waiting.needs.is_empty() {
        let needs: Vec<String> =
            waiting.needs.iter().map(|(skill, level)| format!("{skill} at {level}")).collect();
        let lowered = match waiting.relaxed {
            0 => String::new(),
            by => format!(", lowered by {by}"),
        };
        because.push(format!("An agent needs {}{lowered}.", needs.join(", ")));
    }
    because.extend(
        waiting
            .preferred
            .as_ref()
            .map(|agent| format!("{} gets it if free: had this customer last.", naming.agent(agent))),
    );
    because.extend(waiting.expected_wait.map(|wait| format!("It will probably wait {} more.", span(wait.0))));
    because.extend(waiting.next.iter().map(|next| comes(next, naming)));
    if waiting.more > 0 {
        because.push(format!("{} further agents of the queue are not listed.", waiting.more));
    }
    because
}

fn comes(next: &Next, naming: &Naming) -> String {
    let what = match &next.what {
        NextStep::NeedsLess => "every skill level it needs falls by one".to_owned(),
        NextStep::Overflows { to: OverflowTo::Wait } => {
            "it has waited as long as set, and waits on".to_owned()
        }
        NextStep::Overflows { to: OverflowTo::Queue { queue } } => {
            format!("it goes on to {}", naming.queue(queue))
        }
        NextStep::Overflows { to: OverflowTo::OfflineForm } => {
            "the customer gets the offline form".to_owned()
        }
        NextStep::AsksAgain { agent } => format!("{} may be asked again", naming.agent(agent)),
        NextStep::Opens => "the queue opens".to_owned(),
        NextStep::Closes => "the queue closes".to_owned(),
    };
    format!("At {} {what}.", clock(next.at))
}

fn free(waiting: &Waiting) -> String {
    match waiting.delivery {
        Delivery::Pull => "may take it".to_owned(),
        Delivery::Offer | Delivery::Auto => {
            "nothing rules this agent out; gets it next, unless a chat before it does".to_owned()
        }
    }
}

fn ruled_out(why: &RuledOut) -> String {
    match why {
        RuledOut::Presence { presence } => presence_words(presence),
        RuledOut::NotConnected { lost_at: Some(at) } => {
            format!("no panel is connected; lost at {}", clock(*at))
        }
        RuledOut::NotConnected { lost_at: None } => "no panel is connected".to_owned(),
        RuledOut::Wish { presence } => format!("will be {} after this", presence_words(presence)),
        RuledOut::NoChats => "takes no chats now".to_owned(),
        RuledOut::NotThisQueue => "is available for other queues only".to_owned(),
        RuledOut::UnderOffer { interaction } => format!("is being offered chat {interaction}"),
        RuledOut::OnCall { interaction } => format!("on a call, or one rings ({interaction})"),
        RuledOut::AtCapacity { in_hand, takes, capacity } => {
            format!("no capacity left: {in_hand} of {capacity} units in hand, this chat takes {takes}")
        }
        RuledOut::AtWork { offer_when, interaction } => {
            let rule = match offer_when {
                OfferWhen::AllParked => "gets more only when all chats are parked",
                OfferWhen::BelowCapacity => "is at work",
                OfferWhen::Idle => "gets more only when nothing is in hand",
            };
            format!("{rule}; {interaction} is in the way")
        }
        RuledOut::SkillMissing { skill, needs } => format!("does not have {skill} (needs {needs})"),
        RuledOut::SkillTooLow { skill, has, needs } => format!("has {skill} at {has}, needs {needs}"),
        RuledOut::Declined { until } => {
            format!("declined it; left out until {}", clock(*until))
        }
    }
}

fn until(given: &Given) -> String {
    given.offer.as_ref().map_or_else(String::new, |offer| format!(" until {}", clock(offer.deadline)))
}

/// Why this agent, as far as it is still known.
fn chosen(given: &Given, naming: &Naming) -> String {
    let name = naming.agent(&given.agent);
    let strategy = match given.strategy {
        Some(Strategy::LongestIdle) => "the queue chooses who has been idle longest",
        Some(Strategy::LeastLoaded) => "the queue chooses who has least in hand",
        Some(Strategy::Sticky) => "the queue prefers who had this customer last",
        None => "no queue chose",
    };
    let preferred = if given.preferred { " had this customer last and" } else { "" };
    let skill = match given.skill {
        Some(0) => String::new(),
        Some(levels) => format!(", {levels} levels of the skills needed"),
        None => ", lacks a skill it needs and was given it by hand".to_owned(),
    };
    format!(
        "Why {name}: {strategy};{preferred} {name} has {} of {} units in hand{skill}, without new work since {}.",
        given.load,
        given.capacity,
        clock(given.idle_since)
    )
}

fn earlier(explained: &Explanation, naming: &Naming) -> Option<String> {
    let offers = explained.earlier.iter().map(|offer| {
        let fate = match offer.fate {
            Fate::Accepted => "accepted",
            Fate::Rejected => "rejected",
            Fate::Missed => "missed",
            Fate::Withdrawn => "taken back",
        };
        format!("{} ({fate})", naming.agent(&offer.agent))
    });
    let offers: Vec<String> = offers.collect();
    (!offers.is_empty()).then(|| format!("Offered before to {}.", offers.join(", ")))
}

pub(super) fn presence_words(presence: &Presence) -> String {
    match presence {
        Presence::Offline => "Offline".to_owned(),
        Presence::Available => "Available".to_owned(),
        Presence::OnBreak { reason } => format!("On Break ({reason})"),
        Presence::StopNew => "Stop New".to_owned(),
    }
}
