//! Whether the indexes say what the state says. Nothing in the daemon asks; tests do, after every step.

use crate::state::{Agent, Engine};
use tieline_model::AgentId;

impl Engine {
    /// What is wrong with the indexes, if anything is: each part is compared with one made anew from the state.
    #[must_use]
    pub fn index_fault(&self) -> Option<String> {
        let mut anew = self.clone().restored();
        // Lanes and lines in which nobody waits may be kept or not; what they hold must be right all the same.
        for (number, line) in self.index.lines.iter() {
            let Some(made) = anew.index.lines.get_mut(number) else { continue };
            for needs in line.lanes.keys() {
                made.lane(number, needs.clone(), &anew.agents);
            }
        }
        let (is, should) = (&self.index, &anew.index);
        let fault = |what: &str, is: &dyn std::fmt::Debug, should: &dyn std::fmt::Debug| {
            Some(format!("{what} of the index: {is:?}, but the state says {should:?}"))
        };
        let standing =
            |(id, agent): &(&AgentId, &Agent)| (anew.agents.get(*id) != Some(*agent)).then_some(());
        if let Some((id, agent)) = self.agents.iter().find(|entry| standing(entry).is_some()) {
            return fault(&format!("agent {id}"), agent, &anew.agents.get(id));
        }
        if let Some((number, line)) =
            is.lines.iter().find(|(number, line)| should.lines.get(*number) != Some(line))
        {
            return fault("line", line, &should.lines.get(number));
        }
        if is.lines != should.lines {
            return fault("lines", &is.lines, &should.lines);
        }
        if (&is.ready, &is.unserved) != (&should.ready, &should.unserved) {
            return fault("queues", &(&is.ready, &is.unserved), &(&should.ready, &should.unserved));
        }
        if is.deadlines != should.deadlines {
            return fault("deadlines", &is.deadlines, &should.deadlines);
        }
        if is.skills != should.skills {
            return fault("skills", &is.skills, &should.skills);
        }
        (self.chats != anew.chats).then(|| "a chat's own deadline is not the one in the index".to_owned())
    }
}
