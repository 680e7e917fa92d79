//! House rules as tests: which room may import what, how long files and functions may be, what may be depended on,
//! what may not be written. Each check is tried on a fixture that breaks it, so that it can be seen to fail.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]
#![expect(clippy::wildcard_enum_match_arm, reason = "syn's enums are open")]

#[path = "tidy/buffers.rs"]
mod buffers;
#[path = "tidy/connectors.rs"]
mod connectors;
#[path = "tidy/dependencies.rs"]
mod dependencies;
#[path = "tidy/rooms.rs"]
mod rooms;
#[path = "tidy/sizes.rs"]
mod sizes;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/words.rs"]
mod words;
