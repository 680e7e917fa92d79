//! The whole daemon as its users meet it: the shipped binary, a real sandbox over HTTP, real sockets, real kills.
//! This process is the other one that outlives the daemon and remembers what was acknowledged.

mod backup;
mod bad_input;
mod broker;
mod calls;
mod crms;
mod daemon;
mod doctor;
mod drain;
mod kill;
mod kills;
mod load;
mod machines;
mod mischief;
mod panel;
#[path = "../support/papers.rs"]
mod papers;
#[path = "../support/postgres.rs"]
mod postgres;
mod reload;
mod several;
mod shim;
mod small_disk;
mod sockets;
mod sync;
mod talk;
mod telemetry;
mod visitor;
mod wall_clock;
