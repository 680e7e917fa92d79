//! Room: bus.
