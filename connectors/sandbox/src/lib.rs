//! Stand-ins of the CRMs for tests and the demo: strict where the CRM is strict, with faults on demand.
//!
//! Shared by all of them: [`faults`], [`admin`] (the HTTP surface that drives a stand-in and is no part of a CRM),
//! [`listen`] and [`keys`] (sockets, TLS), [`people`] (invented data). Each CRM has its own module.

pub mod admin;
pub mod dynamics;
pub mod faults;
pub mod keys;
pub mod listen;
pub mod people;
pub mod salesforce;
pub mod zendesk;
