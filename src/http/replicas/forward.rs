//! The public listener: what is for a contact centre that another replica serves goes there, one hop.

use super::super::answer::{self, closing};
use super::super::limits::From;
use super::super::server::Peer;
use super::super::{App, Shared};
use super::measured::{Kind, Outcome};
use super::pool::{Failed, Pool};
use super::{COME_BACK, EPOCH, FORWARDED_FOR, MOVED, away, is_elsewhere, splice, whose};
use crate::drive::Whereabouts;
use crate::journal::Epoch;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use hyper::body::Incoming;
use std::net::IpAddr;
use std::time::Duration;
use tieline_model::TenantId;
use tokio_util::sync::CancellationToken;

/// How much longer than the owner's own limit is waited, so that it is the owner who says that it took too long.
const LONGER: Duration = Duration::from_secs(2);
/// Where files go; they may take longer.
const FILES: &str = "/api/v1/{tenant}/chats/{id}/files";
/// What belongs to one connection and not to what is said over it (RFC 9110, 7.6.1); `expect` has been answered here.
const ONE_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::EXPECT,
];

/// The replica that serves a contact centre, as this one believes.
struct Owner {
    address: String,
    epoch: Epoch,
    /// Cancelled when it does so no longer.
    line: CancellationToken,
}

/// Serves a request here, or forwards it to the replica that serves its contact centre. What only a replica may say is
/// taken off first.
pub(in crate::http) async fn or_serve(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    parts.headers.remove(FORWARDED_FOR);
    parts.headers.remove(EPOCH);
    let Some(replicas) = &app.replicas else { return next.run(Request::from_parts(parts, body)).await };
    let tenant = whose::tenant(&app, &mut parts).await;
    let request = Request::from_parts(parts, body);
    let Some(tenant) = tenant.filter(|tenant| app.parts.settings.tenant(tenant).is_some()) else {
        return next.run(request).await;
    };
    let kind = if is_socket(&request) { Kind::Socket } else { Kind::Request };
    let (address, epoch) = match app.parts.drive.whereabouts(&tenant) {
        Whereabouts::Here => return here(&app, &tenant, request, next).await,
        Whereabouts::There { address, epoch } => (address, epoch),
        Whereabouts::Nowhere => return failed(&app, kind, Outcome::Nowhere),
    };
    let Some(pool) = replicas.others.pool() else { return failed(&app, kind, Outcome::Nowhere) };
    if app.stop.is_cancelled() {
        return answer::draining();
    }
    let owner = Owner { line: replicas.lines.to(&tenant, epoch), address, epoch };
    match kind {
        Kind::Request => forward(&app, pool, &owner, request).await,
        Kind::Socket => connect(&app, pool, &owner, request).await,
    }
}

async fn here(app: &App, tenant: &TenantId, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    // It went to another replica in between; what was looked for is there.
    if response.status() == StatusCode::NOT_FOUND && is_elsewhere(app, tenant) {
        return come_back();
    }
    response
}

async fn forward(app: &App, pool: &Pool, owner: &Owner, request: Request) -> Response {
    let http = &app.parts.settings.http;
    let route = request.extensions().get::<MatchedPath>();
    let is_file = route.is_some_and(|route| route.as_str().starts_with(FILES));
    let limit = if is_file { http.file_within.std() } else { http.request_within.std() };
    let asked = pool.ask(&owner.address, outgoing(request, owner.epoch, &[]));
    match wait(asked, limit + LONGER, owner).await {
        Ok(response) => answered(app, Kind::Request, response, &[]),
        Err(outcome) => failed(app, Kind::Request, outcome),
    }
}

/// A live socket: the limit of its address is kept where it comes in, and it has a connection of its own.
async fn connect(app: &Shared, pool: &Pool, owner: &Owner, mut request: Request) -> Response {
    if let Err(refused) = app.origins.check(request.headers()) {
        return refused.into_response();
    }
    let (Some(peer), Some(from)) = (extension::<Peer>(&request), extension::<From>(&request)) else {
        return failed(app, Kind::Socket, Outcome::Broken);
    };
    let place = match app.sockets.enter(from.0) {
        Ok(place) => place,
        Err(refused) => return refused.into_response(),
    };
    let ours = hyper::upgrade::on(&mut request);
    let kept = [header::CONNECTION, header::UPGRADE];
    let asked = pool.ask_alone(&owner.address, outgoing(request, owner.epoch, &kept));
    let mut response = match wait(asked, app.parts.settings.http.header_within.std(), owner).await {
        Ok(response) => response,
        Err(outcome) => return failed(app, Kind::Socket, outcome),
    };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return answered(app, Kind::Socket, response, &[]);
    }
    let theirs = hyper::upgrade::on(&mut response);
    let ends = splice::Ends { ours, theirs, line: owner.line.clone(), place, peer };
    ends.splice(app);
    answered(app, Kind::Socket, response, &kept)
}

/// Waits for the head of an answer, for so long and while the owner is the owner.
async fn wait(
    asked: impl Future<Output = Result<hyper::Response<Incoming>, Failed>>,
    limit: Duration,
    owner: &Owner,
) -> Result<hyper::Response<Incoming>, Outcome> {
    let outcome = tokio::select! {
        asked = tokio::time::timeout(limit, asked) => asked,
        () = owner.line.cancelled() => return Err(Outcome::Moved),
    };
    match outcome {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(failed)) => {
            tracing::warn!(owner = owner.address, error = %failed, "something could not be forwarded");
            Err(match failed {
                Failed::Unreachable(_) => Outcome::Unreachable,
                Failed::Broken(_) => Outcome::Broken,
            })
        }
        Err(_) => Err(Outcome::Late),
    }
}

/// The same request for the owner, with the address of whoever sent it.
fn outgoing(request: Request, epoch: Epoch, kept: &[HeaderName]) -> http::Request<Body> {
    let from = extension::<From>(&request).map_or(IpAddr::from([0; 4]), |from| from.0);
    let (parts, body) = request.into_parts();
    let mut outgoing = http::Request::new(body);
    *outgoing.method_mut() = parts.method;
    let path = parts.uri.path_and_query().cloned();
    *outgoing.uri_mut() = path.map(Uri::from).unwrap_or_default();
    let headers = outgoing.headers_mut();
    *headers = one_hop(parts.headers, kept);
    let text = |text: String| HeaderValue::from_str(&text).expect("addresses and numbers are ASCII");
    headers.insert(FORWARDED_FOR, text(from.to_string()));
    headers.insert(EPOCH, text(epoch.0.to_string()));
    outgoing
}

/// The owner's answer, as ours.
fn answered(app: &App, kind: Kind, response: hyper::Response<Incoming>, kept: &[HeaderName]) -> Response {
    let (parts, body) = response.into_parts();
    let moved = parts.headers.contains_key(MOVED);
    app.counts.replicas.forwarded(kind, if moved { Outcome::Moved } else { Outcome::Done });
    // It does not read what is left of the request; neither do we.
    let closes = kept.is_empty() && has(&parts.headers, &header::CONNECTION, "close");
    let mut response = Response::new(Body::new(body));
    *response.status_mut() = parts.status;
    *response.headers_mut() = one_hop(parts.headers, kept);
    response.headers_mut().remove(MOVED);
    if closes { closing(response) } else { response }
}

/// Without what belongs to the connection it came over, but for what is kept.
fn one_hop(mut headers: HeaderMap, kept: &[HeaderName]) -> HeaderMap {
    let named: Vec<HeaderName> =
        words(&headers, &header::CONNECTION).filter_map(|w| w.parse().ok()).collect();
    for name in named.iter().chain(&ONE_HOP).filter(|name| !kept.contains(name)) {
        headers.remove(name);
    }
    headers
}

fn is_socket(request: &Request) -> bool {
    let headers = request.headers();
    let route = request.extensions().get::<MatchedPath>();
    route.is_some_and(|route| route.as_str().starts_with("/ws/"))
        && has(headers, &header::CONNECTION, "upgrade")
        && has(headers, &header::UPGRADE, "websocket")
}

fn has(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    words(headers, name).any(|said| said.eq_ignore_ascii_case(word))
}

fn words(headers: &HeaderMap, name: &HeaderName) -> impl Iterator<Item = String> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(|word| word.trim().to_owned()).collect::<Vec<_>>().into_iter()
}

fn extension<T: Clone + Send + Sync + 'static>(request: &Request) -> Option<T> {
    request.extensions().get::<T>().cloned()
}

fn failed(app: &App, kind: Kind, outcome: Outcome) -> Response {
    app.counts.replicas.forwarded(kind, outcome);
    come_back()
}

fn come_back() -> Response {
    let mut response = away().into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(COME_BACK));
    closing(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_one_connection_is_not_passed_on() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "Keep-Alive, X-Secret"),
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("keep-alive", "timeout=5"),
            ("x-secret", "1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("authorization", "Bearer t"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        assert!(has(&headers, &header::CONNECTION, "Upgrade"));
        let names = |headers: HeaderMap| {
            let mut names: Vec<String> = headers.keys().map(ToString::to_string).collect();
            names.sort();
            names
        };
        assert_eq!(names(one_hop(headers.clone(), &[])), ["authorization"]);
        let kept = [header::CONNECTION, header::UPGRADE];
        assert_eq!(names(one_hop(headers, &kept)), ["authorization", "connection", "upgrade"]);
    }
}
