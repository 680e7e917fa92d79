//! Tieline's connector for Salesforce.
