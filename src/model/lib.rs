//! The nouns of Tieline: what things are, and how they are written down.
//!
//! Here live ids, times, policies, commands (wishes), events (facts in the past tense), the frames of the live
//! sockets, and the envelope of the bus. Nothing here decides, keeps, moves or shows anything.

pub mod command;
pub mod content;
pub mod crm;
pub mod deed;
pub mod desk;
pub mod envelope;
pub mod event;
pub mod explain;
pub mod ids;
pub mod library;
pub mod live;
pub mod panel;
pub mod policy;
pub mod refusal;
pub mod time;
pub mod timeline;

pub use command::{Actor, CallFact, Command, Wish};
pub use event::Event;
pub use ids::*;
pub use refusal::{Code, Refusal};
pub use time::{Clock, Millis, Timestamp};
