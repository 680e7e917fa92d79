//! Tieline's connector for Zendesk.
