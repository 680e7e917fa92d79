//! The pure contact-centre machine of one tenant.
//!
//! `decide` looks at a command and says what happens, changing nothing; `apply` makes it so and cannot fail; `route`
//! and `expire` say what follows by itself. No async, no clock, no randomness, no hash maps, no I/O: replaying the
//! journal gives the same state, byte for byte.

mod apply;
mod decide;
mod index;
mod read;
mod route;
mod state;
mod timers;

pub use state::{
    Agent, Call, CallState, Chat, Closed, EndedCall, Engine, Found, Offer, OfferFate, Stage, Talk, WrapClock,
};
pub use timers::Deadline;
