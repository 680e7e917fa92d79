//! Where somebody comes from, and how much of it is allowed.

use super::Shared;
use super::answer::Answer;
use super::server::Peer;
use crate::auth::Network;
use crate::settings::Http;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, StatusCode, header};
use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use tieline_model::{Code, Refusal};

/// The address a request comes from: the peer's, or what a trusted proxy says.
#[derive(Debug, Clone, Copy)]
pub(super) struct From(pub(super) IpAddr);

/// Notes the address for handlers.
pub(super) async fn name_address(State(app): State<Shared>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.address.ip());
    let peer = peer.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED)).to_canonical();
    let address = seen_address(peer, request.headers(), &app.parts.settings.http.trusted_proxies);
    request.extensions_mut().insert(From(address));
    next.run(request).await
}

/// The last address in `X-Forwarded-For` that is not a trusted proxy's, if the peer is one; what stands before it
/// anyone can have written.
fn seen_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    if !trusted.contains(&peer) {
        return peer;
    }
    let lines = headers.get_all("x-forwarded-for").into_iter().filter_map(|line| line.to_str().ok());
    let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).collect();
    let mut seen = peer;
    for hop in hops.into_iter().rev() {
        let Ok(address) = hop.trim().parse::<IpAddr>() else { break };
        seen = address.to_canonical();
        if !trusted.contains(&seen) {
            break;
        }
    }
    seen
}

/// The origins of our own pages, as browsers write them. Compared whole: no suffixes, no `null`.
pub(super) struct Origins(BTreeSet<String>);

impl Origins {
    pub(super) fn new(http: &Http, bound: SocketAddr) -> Self {
        let mut origins = BTreeSet::from([http.origin(bound)]);
        if http.public_url.is_none() && bound.ip().is_loopback() {
            origins.insert(format!("http://localhost:{}", bound.port()));
        }
        Self(origins)
    }

    /// Browsers reach us over TLS.
    pub(super) fn secure(&self) -> bool {
        self.0.iter().any(|origin| origin.starts_with("https://"))
    }

    /// The request was made by one of our own pages.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Answer> {
        let mut said = headers.get_all(header::ORIGIN).into_iter();
        match (said.next(), said.next()) {
            (Some(origin), None) if origin.to_str().is_ok_and(|origin| self.0.contains(origin)) => Ok(()),
            (Some(_) | None, _) => {
                let message = "this is only for Tieline's own pages; `http.public_url` in the settings must be \
                               the address they are opened under";
                Err(Answer::new(StatusCode::FORBIDDEN, Refusal::new(Code::NotPermitted, message)))
            }
        }
    }

    /// As [`Self::check`], but a caller that is no browser and says no origin may pass.
    pub(super) fn check_if_any(&self, headers: &HeaderMap) -> Result<(), Answer> {
        if headers.contains_key(header::ORIGIN) { self.check(headers) } else { Ok(()) }
    }
}

/// A live socket's place among those of its address. Sockets that another replica forwards were counted where they came
/// in.
pub(super) fn place(app: &Shared, peer: &Peer, address: IpAddr) -> Result<Option<Place>, Answer> {
    if peer.forwards { Ok(None) } else { app.sockets.enter(address).map(Some) }
}

/// Live sockets by network.
#[derive(Clone)]
pub(super) struct Sockets {
    open: Arc<Mutex<HashMap<Network, u32>>>,
    max: u32,
}

/// A live socket's place; free again when dropped.
pub(super) struct Place {
    sockets: Sockets,
    network: Network,
}

impl Sockets {
    pub(super) fn new(max: u32) -> Self {
        Self { open: Arc::default(), max }
    }

    pub(super) fn enter(&self, address: IpAddr) -> Result<Place, Answer> {
        let network = Network::of(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(network).or_insert(0);
        if *count >= self.max {
            return Err(Answer::too_often(
                "too many connections from this address; close other tabs and try again",
            ));
        }
        *count += 1;
        Ok(Place { sockets: self.clone(), network })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.sockets.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_about_its_own_caller() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", HeaderValue::from_static("10.9.9.9, 203.0.113.7"));
        headers.append("x-forwarded-for", HeaderValue::from_static("127.0.0.2"));
        let trusted = [ip("127.0.0.1"), ip("127.0.0.2")];
        assert_eq!(seen_address(ip("127.0.0.1"), &headers, &trusted), ip("203.0.113.7"));
        assert_eq!(seen_address(ip("198.51.100.1"), &headers, &trusted), ip("198.51.100.1"));
        assert_eq!(seen_address(ip("127.0.0.1"), &HeaderMap::new(), &trusted), ip("127.0.0.1"));
    }

    #[test]
    fn look_alike_origins_are_strangers() {
        let http = Http { public_url: Some("https://chat.example.com".to_owned()), ..Http::default() };
        let origins = Origins::new(&http, "127.0.0.1:8080".parse().unwrap());
        let check = |origin: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            origins.check(&headers).is_ok()
        };
        assert!(check("https://chat.example.com"));
        for other in [
            "null",
            "http://chat.example.com",
            "https://chat.example.com.evil.test",
            "https://evil-chat.example.com",
            "https://chat.example.com:8443",
            "https://chat.example.com/",
            "https://CHAT.example.com",
            "http://127.0.0.1:8080",
            "",
        ] {
            assert!(!check(other), "{other}");
        }
        assert!(origins.check(&HeaderMap::new()).is_err());
        assert!(origins.check_if_any(&HeaderMap::new()).is_ok());
        let mut twice = HeaderMap::new();
        twice.append(header::ORIGIN, HeaderValue::from_static("https://chat.example.com"));
        twice.append(header::ORIGIN, HeaderValue::from_static("https://evil.test"));
        assert!(origins.check(&twice).is_err());
    }

    #[test]
    fn an_address_has_so_many_sockets() {
        let sockets = Sockets::new(2);
        let first = sockets.enter(ip("192.0.2.1")).ok();
        let _second = sockets.enter(ip("192.0.2.1")).ok().unwrap();
        assert!(sockets.enter(ip("192.0.2.1")).is_err());
        assert!(sockets.enter(ip("192.0.2.2")).is_ok());
        drop(first);
        assert!(sockets.enter(ip("192.0.2.1")).is_ok());
    }
}
