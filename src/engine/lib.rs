//! The pure contact-centre machine: decide, apply, next_deadline.

/// One tenant.
#[derive(Debug)]
pub struct Engine;
