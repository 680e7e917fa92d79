//! The edge as browsers, producers and attackers meet it: real listeners, real sockets, the real engines, with the
//! journal in memory and a clock that tests may move.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

#[path = "http/attachments.rs"]
mod attachments;
#[path = "http/customers.rs"]
mod customers;
#[path = "http/desk.rs"]
mod desk;
#[path = "http/desks.rs"]
mod desks;
#[path = "http/lanes.rs"]
mod lanes;
#[path = "http/mirror.rs"]
mod mirror;
#[path = "support/papers.rs"]
mod papers;
#[path = "http/pops.rs"]
mod pops;
#[path = "http/replicas.rs"]
mod replicas;
#[path = "http/requests.rs"]
mod requests;
#[path = "http/sockets.rs"]
mod sockets;
#[path = "http/world.rs"]
mod world;
