//! Answers that are not what was hoped for: a status, and a refusal as JSON.

use super::Shared;
use axum::Json;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use tieline_model::{Code, Refusal};

/// Seconds after which somebody who came while the daemon drained tries again.
const COME_BACK: &str = "5";

/// A refusal with its status.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    refusal: Refusal,
}

impl Answer {
    pub(super) fn new(status: StatusCode, refusal: Refusal) -> Self {
        Self { status, refusal }
    }

    /// Names nothing this caller may see: absent and forbidden alike.
    pub(super) fn no_tenant() -> Self {
        Refusal::new(Code::NotFound, "there is no contact centre of this name here").into()
    }

    pub(super) fn invalid(field: &str, message: impl Into<String>) -> Self {
        Refusal::new(Code::Invalid, message).field(field).into()
    }

    pub(super) fn too_often(message: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, Refusal::new(Code::Busy, message))
    }

    pub(super) fn not_signed_in(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, Refusal::new(Code::NotPermitted, message))
    }
}

impl From<Answer> for Refusal {
    fn from(answer: Answer) -> Self {
        answer.refusal
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal.code {
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::NotPermitted | Code::Blocked => StatusCode::FORBIDDEN,
            Code::Taken
            | Code::Expired
            | Code::Withdrawn
            | Code::WrongState
            | Code::NotActive
            | Code::NoExtensionsLeft
            | Code::AtCapacity
            | Code::NeedsConfirmation
            | Code::TargetUnavailable
            | Code::IdReused => StatusCode::CONFLICT,
            Code::TooLong | Code::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Code::Busy | Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Code::Full => StatusCode::INSUFFICIENT_STORAGE,
        };
        Self { status, refusal }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let wait = match self.status {
            StatusCode::TOO_MANY_REQUESTS => Some("60"),
            StatusCode::SERVICE_UNAVAILABLE => Some("2"),
            // Somebody has to make room first.
            StatusCode::INSUFFICIENT_STORAGE => Some("30"),
            _ => None,
        };
        let mut response = (self.status, Json(self.refusal)).into_response();
        let headers = response.headers_mut();
        if let Some(wait) = wait {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(wait));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The connection ends with this response: what is left of the request is not read.
pub(super) fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Refuses new work while the daemon drains (F3), and says when to come back: by then another process listens.
pub(super) async fn unless_draining(State(app): State<Shared>, request: Request, next: Next) -> Response {
    if app.stop.is_cancelled() { draining() } else { next.run(request).await }
}

/// That the daemon stops, and when to come back.
pub(super) fn draining() -> Response {
    let message = format!("the daemon is stopping; come back in {COME_BACK} seconds");
    let mut response = Answer::from(Refusal::new(Code::Unavailable, message)).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(COME_BACK));
    closing(response)
}

pub(super) async fn no_such_address() -> Answer {
    Refusal::new(Code::NotFound, "there is nothing at this address").into()
}

pub(super) async fn wrong_method(request: Request) -> Answer {
    let message = format!("{} is not what this address takes", request.method());
    Answer::new(StatusCode::METHOD_NOT_ALLOWED, Refusal::new(Code::Invalid, message))
}
