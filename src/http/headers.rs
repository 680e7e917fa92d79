//! Headers that say what a browser may do with our answers.

use axum::response::Response;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue};

/// For everything that is not a page: it loads nothing and stands in no frame.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Adds what every answer carries; a page's own policy stays.
pub(super) async fn add(mut response: Response, secure: bool) -> Response {
    let headers = response.headers_mut();
    or_insert(headers, header::CONTENT_SECURITY_POLICY, NOTHING);
    or_insert(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    or_insert(headers, header::REFERRER_POLICY, "same-origin");
    or_insert(headers, header::CACHE_CONTROL, "no-store");
    let no_devices = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()";
    or_insert(headers, HeaderName::from_static("permissions-policy"), no_devices);
    or_insert(headers, HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    if secure {
        or_insert(headers, header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response
}

fn or_insert(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}

/// The policy of a page: it runs our own scripts and those of `script_hosts`, and stands in frames of `frame_hosts`
/// and our own only. Both come from checked settings, never from a request.
pub(super) fn page_policy(script_hosts: &[String], frame_hosts: &[String]) -> HeaderValue {
    let list = |hosts: &[String]| hosts.iter().flat_map(|host| [" ", host]).collect::<String>();
    let policy = format!(
        "default-src 'none'; script-src 'self'{}; style-src 'self'; img-src 'self' data:; font-src 'self'; \
         media-src 'self'; connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'self'{}",
        list(script_hosts),
        list(frame_hosts)
    );
    HeaderValue::from_str(&policy).expect("checked origins are printable ASCII")
}
