//! The conformance kit: what every connector must do, tried against its sandbox with faults.
