//! Tieline's connector for Salesforce: look-ups by phone, e-mail and case number, one case per interaction with the
//! transcript as a file. `README.md` has settings, fields, rights and limits.

mod auth;
mod call;
mod check;
mod client;
mod connector;
mod deliver;
pub mod map;
pub mod settings;

pub use client::Usage;
pub use connector::Salesforce;
pub use settings::{Invalid, Settings};
