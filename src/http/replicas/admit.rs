//! The inner listener: what another replica forwarded is served here or refused, never forwarded again.

use super::super::Shared;
use super::super::answer::Answer;
use super::super::limits::From;
use super::measured::Taken;
use super::{COME_BACK, EPOCH, FORWARDED_FOR, INNER, MOVED, away, is_elsewhere, whose};
use crate::drive::Whereabouts;
use crate::journal::Epoch;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::net::IpAddr;
use std::str::FromStr;
use tieline_model::{Code, Refusal, TenantId};

/// Takes what another replica forwarded for a contact centre that is served here under the epoch it believes in, and
/// notes the address that it says.
pub(in crate::http) async fn admit(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let counts = &app.counts.replicas;
    let tenant = whose::tenant(&app, &mut parts).await;
    // What a replica asks for its own sake comes from nobody else.
    let own = parts.extensions.get::<MatchedPath>().is_some_and(|route| route.as_str() == INNER);
    let nobody = own.then_some(IpAddr::from([0; 4]));
    let address: Option<IpAddr> = said(&parts.headers, &FORWARDED_FOR).or(nobody);
    let epoch: Option<i64> = said(&parts.headers, &EPOCH);
    let (Some(tenant), Some(address), Some(epoch)) = (tenant, address, epoch) else {
        counts.taken(Taken::Misdirected);
        return misdirected();
    };
    if !serves(&app, &tenant, Epoch(epoch)) {
        counts.taken(Taken::Moved);
        return moved();
    }
    parts.headers.remove(FORWARDED_FOR);
    parts.headers.remove(EPOCH);
    parts.extensions.insert(From(address.to_canonical()));
    let response = next.run(Request::from_parts(parts, body)).await;
    if response.status() == StatusCode::NOT_FOUND && is_elsewhere(&app, &tenant) {
        // It went in between; what was looked for is somewhere else.
        counts.taken(Taken::Moved);
        return moved();
    }
    counts.taken(Taken::Served);
    response
}

/// Whoever forwards by an older picture than ours, or by a newer one, looks again first.
fn serves(app: &Shared, tenant: &TenantId, epoch: Epoch) -> bool {
    let drive = &app.parts.drive;
    drive.whereabouts(tenant) == Whereabouts::Here && drive.epoch_of(tenant) == Some(epoch)
}

fn said<T: FromStr>(headers: &HeaderMap, name: &HeaderName) -> Option<T> {
    let mut all = headers.get_all(name).into_iter();
    match (all.next(), all.next()) {
        (Some(only), None) => only.to_str().ok()?.parse().ok(),
        (Some(_) | None, _) => None,
    }
}

fn moved() -> Response {
    let mut response = away().into_response();
    response.headers_mut().insert(MOVED, HeaderValue::from_static("1"));
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(COME_BACK));
    response
}

fn misdirected() -> Response {
    let message = "this address is for what other replicas forward; use the public one";
    let refusal = Refusal::new(Code::Invalid, message);
    Answer::new(StatusCode::MISDIRECTED_REQUEST, refusal).into_response()
}
