//! The pure contact-centre machine: decide, apply, next_deadline.
