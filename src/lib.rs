//! Tieline, the daemon between a contact centre and its CRMs.
//!
//! One way, no back doors: a command comes in, the engine decides events, the journal keeps them, and only then
//! anything is answered, published or pushed. The rooms below stand in reading order; `docs/architecture.md` says
//! what each may import, and `tests/tidy.rs` checks it.

pub mod settings;

pub mod journal;

pub mod drive;

pub mod bus;

pub mod dispatch;

pub mod auth;

pub mod http;

pub mod daemon;
