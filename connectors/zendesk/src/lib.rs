//! Tieline's connector for Zendesk: look-ups by phone, e-mail and ticket number, one ticket per interaction with
//! the account as a private comment, pops from the server. `README.md` has settings, fields, rights and limits.

mod auth;
mod calls;
mod check;
mod client;
mod connector;
mod deliver;
pub mod map;
mod said;
pub mod settings;
mod under;

pub use client::Usage;
pub use connector::Zendesk;
pub use settings::{Invalid, Settings};
