//! Stand-ins of the CRMs for tests and the demo: strict where the CRM is strict, with faults on demand.
