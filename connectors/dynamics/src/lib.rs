//! Tieline's connector for Dynamics 365.
