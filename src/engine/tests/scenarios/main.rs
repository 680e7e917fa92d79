//! The rules of the contact centre, one small script each. A script reads like its rule; what happened is read back
//! as text. Times in the text are milliseconds from the moment of the event.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    unreachable_pub,
    reason = "a test may fail loudly"
)]

mod abuse;
mod availability;
mod call_facts;
mod call_interplay;
mod call_wrap_up;
mod calls;
mod cases;
mod centre;
mod classification;
mod delivery;
mod explain;
mod figures;
mod files;
mod found;
mod hours;
mod inbox;
mod lease;
mod offers;
mod outcomes;
mod overflow;
mod position;
mod presence;
mod restart;
mod returning;
mod routing;
mod scripts;
mod service;
mod silence;
mod skills;
mod soak;
mod soundness;
mod staff;
mod supervisor;
mod transfer;
mod verbs;
mod warm;
mod wrap_up;
