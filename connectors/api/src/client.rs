//! The HTTP client connectors share: bounded in time and size, no redirects, no cookies, and one place that says
//! what a transport error means.

use crate::outcome::{Failure, Known};
use std::time::Duration;

/// Limits of a connector's HTTP client.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Longest wait for a connection.
    pub connect: Duration,
    /// Longest wait for a whole answer.
    pub request: Duration,
    /// Largest answer read, in bytes.
    pub answer_bytes_max: usize,
    /// A certificate authority to trust beside the system's, PEM.
    pub extra_ca_pem: Option<Vec<u8>>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(30),
            answer_bytes_max: 4 << 20,
            extra_ca_pem: None,
        }
    }
}

/// Builds a client.
///
/// # Errors
/// The machine has no CA certificates, or `extra_ca_pem` is not a certificate.
pub fn build(limits: &Limits) -> Result<reqwest::Client, reqwest::Error> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("Tieline/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(limits.connect)
        .timeout(limits.request)
        .redirect(reqwest::redirect::Policy::none())
        .pool_idle_timeout(Duration::from_secs(50));
    if let Some(pem) = &limits.extra_ca_pem {
        builder = builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(pem)?);
    }
    builder.build()
}

/// What a transport error means. Only a failed connection is known not to have reached the CRM.
#[must_use]
pub fn classify(host: &str, error: &reqwest::Error) -> Failure {
    let (known, what) = if error.is_connect() {
        (Known::NotDone, "cannot be reached")
    } else if error.is_timeout() {
        (Known::Unknown, "did not answer in time")
    } else {
        (Known::Unknown, "broke off in mid-answer")
    };
    Failure::Retry { after: None, known, reason: format!("{host} {what}") }
}

/// Reads an answer's body up to a limit.
///
/// # Errors
/// The connection broke (outcome unknown), or the answer is larger than the limit.
pub async fn read_body(host: &str, mut answer: reqwest::Response, max: usize) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|e| classify(host, &e))? {
        if body.len() + chunk.len() > max {
            return Err(Failure::unknown(format!("{host} answered with more than {max} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
