//! The pure contact-centre machine of one tenant.
//!
//! `decide` looks at a command and says what happens, changing nothing; `apply` makes it so and cannot fail; `route`
//! and `expire` say what follows by itself. No async, no clock, no randomness, no hash maps, no I/O: replaying the
//! journal gives the same state, byte for byte.

mod apply;
mod decide;
mod explain;
mod index;
mod lines;
mod read;
mod route;
mod sound;
mod state;
mod table;
mod timers;

pub use state::{
    Agent, AgentDay, Call, CallState, Chat, Closed, EndedCall, Engine, Found, Gone, Left, Offer, OfferFate,
    QueueDay, QueueFigures, Silence, Stage, Talk, Transfer, Turned, WrapClock,
};
pub use timers::Deadline;
