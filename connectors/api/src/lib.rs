//! What a connector is: the trait, its outcomes, the HTTP client it uses, the conformance kit.
