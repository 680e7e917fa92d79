//! Tieline, the daemon between a contact centre and its CRMs.
