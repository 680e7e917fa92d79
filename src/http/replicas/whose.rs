//! Which contact centre a request is about.

use super::super::App;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams};
use http::Uri;
use http::request::Parts;
use tieline_model::TenantId;

/// What replicas ask of each other for their own sake.
pub(in crate::http) const INNER: &str = "/inner/{tenant}/{verb}";

/// The contact centre whose engine a request needs; `None` if it needs none: pages, their files, health, and
/// addresses where there is nothing.
pub(super) async fn tenant(app: &App, parts: &mut Parts) -> Option<TenantId> {
    let route = parts.extensions.get::<MatchedPath>()?.as_str().to_owned();
    if matches!(route.as_str(), "/ws/agent" | "/ws/customer") {
        return said_in_address(&parts.uri);
    }
    // A text that is not UTF-8 names nothing.
    let params = RawPathParams::from_request_parts(parts, &()).await.ok()?;
    let param = |name: &str| params.iter().find(|(key, _)| *key == name).map(|(_, value)| value);
    if route.starts_with("/api/v1/{tenant}/") || route == INNER {
        return TenantId::new(param("tenant")?).ok();
    }
    if route == "/share/{token}" {
        return app.parts.auth.tokens().read_share(param("token")?).ok().map(|pass| pass.tenant);
    }
    None
}

/// `?tenant=` in the address of a live socket. Ids need no percent-encoding.
pub(in crate::http) fn said_in_address(uri: &Uri) -> Option<TenantId> {
    let mut pairs = uri.query()?.split('&');
    let said = pairs.find_map(|pair| pair.strip_prefix("tenant="))?;
    TenantId::new(said).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_says_its_contact_centre_in_its_address() {
        let said = |text: &'static str| said_in_address(&Uri::from_static(text));
        assert_eq!(said("/ws/agent?tenant=acme").unwrap().as_str(), "acme");
        assert_eq!(said("/ws/agent?v=2&tenant=north-wind").unwrap().as_str(), "north-wind");
        for none in [
            "/ws/agent",
            "/ws/agent?",
            "/ws/agent?tenant=",
            "/ws/agent?subtenant=acme",
            "/ws/agent?tenant=A/B",
        ] {
            assert_eq!(said(none), None, "{none}");
        }
    }
}
