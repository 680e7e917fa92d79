//! Tieline's connector for Microsoft Dynamics 365: look-ups by phone, e-mail and case number, one case per chat with
//! the transcript as a note, one phone call activity per call. `README.md` has settings, fields, rights and limits.

mod auth;
mod check;
mod client;
mod connector;
mod deliver;
pub mod map;
mod notes;
mod queries;
pub mod settings;

pub use connector::Dynamics;
pub use settings::{Invalid, Settings};
