//! Room: dispatch.
