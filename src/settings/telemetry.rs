//! Section `telemetry`.

use super::{Problems, Secret};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Traces by OpenTelemetry. Logs go to standard error and metrics to `/metrics` whatever stands here.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// Where spans are sent as OTLP over HTTP (protobuf), with the path (`http://127.0.0.1:4318/v1/traces`).
    /// Default none: no traces.
    pub otlp_endpoint: Option<String>,
    /// Headers sent along, such as a collector's key. Default none.
    #[schemars(with = "BTreeMap<String, String>")]
    pub otlp_headers: BTreeMap<String, Secret>,
    /// How this process is called in traces. Default `tieline`.
    pub service_name: String,
    /// Of all interactions, this share is traced, each whole or not at all; from 0 to 1. Default 1.
    pub sample_ratio: f64,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            otlp_endpoint: None,
            otlp_headers: BTreeMap::new(),
            service_name: "tieline".to_owned(),
            sample_ratio: 1.0,
        }
    }
}

impl Telemetry {
    pub(super) fn validate(&self, problems: &mut Problems) {
        if let Some(endpoint) = &self.otlp_endpoint
            && !endpoint
                .parse::<http::Uri>()
                .is_ok_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")))
        {
            problems.add(
                "telemetry.otlp_endpoint",
                format!("is \"{endpoint}\""),
                "write the whole address, such as http://127.0.0.1:4318/v1/traces",
            );
        }
        for name in self.otlp_headers.keys() {
            if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
                problems.add(
                    format!("telemetry.otlp_headers.{name}"),
                    "is no name of a header",
                    "write letters, digits and dashes",
                );
            }
        }
        problems.text("telemetry.service_name", &self.service_name, 80);
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            problems.add(
                "telemetry.sample_ratio",
                format!("is {}", self.sample_ratio),
                "choose a number from 0 to 1",
            );
        }
    }
}
