//! Owns the engines: mailbox -> decide -> journal -> answer. The only way to change anything.
//!
//! Inside a turn commands are applied speculatively, one after another; answers, views and pushes wait for the
//! commit. A failed or unknown commit throws the speculative state away, reloads, and decides again.

mod digest;
mod handle;
mod keeper;
mod measure;
mod meter;
#[cfg(test)]
mod moves;
mod run;
mod tenant;
#[cfg(test)]
mod tests;
pub mod trace;
mod turn;
mod verify;

use crate::journal::{self, NewContent, Recorded};
pub use handle::{Handle, Whereabouts};
pub use keeper::{Crew, Keeper, OpenedWith};
pub use measure::{content, person};
pub use meter::Meter;
pub use run::{Drive, Error, InForce, Stopped};
use tieline_engine::Engine;
use tieline_model::{Command, ConversationId, Seq, TenantId};
pub use verify::{StateHash, Verified, replay, verify, verify_at_rest};

/// A command on its way to the engine, with the content its wish refers to.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which contact centre.
    pub tenant: TenantId,
    /// What is wished.
    pub command: Command,
    /// Content that the wish refers to by id; kept only if the wish is carried out.
    pub content: Vec<NewContent>,
    /// What its conversation can be found by later.
    pub handles: Vec<(ConversationId, journal::Handle)>,
}

impl Request {
    /// A request without content.
    #[must_use]
    pub fn new(tenant: TenantId, command: Command) -> Self {
        Self { tenant, command, content: Vec::new(), handles: Vec::new() }
    }
}

/// What a command came to, once it is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The tenant's head after it.
    pub seq: Seq,
    /// It had been carried out before; nothing happened this time.
    pub repeated: bool,
    /// What happened; empty when repeated or when nothing had to.
    pub events: Vec<Recorded>,
}

/// Sees every commit of this process, in order, with the engine as it stands right after. Must be quick: it runs in
/// the owner's loop. The live sockets' hub is one.
pub trait Observer: Send {
    /// Rows of one tenant became durable.
    fn committed(&mut self, tenant: &TenantId, engine: &Engine, rows: &[Recorded], content: &[NewContent]);
    /// The engine of a tenant was (re)loaded; whoever shows its state must show it anew.
    fn reloaded(&mut self, tenant: &TenantId, engine: &Engine);
    /// A tenant is served by another process from now on; who shows it here must let go.
    fn left(&mut self, _tenant: &TenantId) {}
    /// Commits fail, and why; `None` once they go through again.
    fn trouble(&mut self, _why: Option<&str>) {}
}

/// Sees nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Blind;

impl Observer for Blind {
    fn committed(&mut self, _: &TenantId, _: &Engine, _: &[Recorded], _: &[NewContent]) {}
    fn reloaded(&mut self, _: &TenantId, _: &Engine) {}
}
