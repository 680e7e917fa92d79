//! What replicas ask of each other for their own sake: connections that run apart from the engines they serve.

use super::super::answer::Answer;
use super::super::{Shared, api};
use super::pool::Failed;
use super::{EPOCH, Others, away};
use crate::drive::{self, Whereabouts};
use async_trait::async_trait;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::Value;
use std::time::Duration;
use tieline_model::{Code, Refusal, TenantId};

/// Longest answer; a contact centre's whole policy is the longest there is.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Longest question; a look-up's matches are the longest there is.
const QUESTION_BYTES_MAX: u32 = 1 << 20;

/// What another replica asks of this one, for a contact centre that is served here.
#[async_trait]
pub trait Inner: Send + Sync {
    /// Carries out a verb (`situation`) with its arguments.
    ///
    /// # Errors
    /// The verb is unknown, its arguments do not fit, or it cannot be done.
    async fn call(&self, tenant: &TenantId, verb: &str, arguments: Value) -> Result<Value, Refusal>;
}

/// `POST /inner/{tenant}/{verb}` on the inner listener alone.
pub(in crate::http) async fn inner(
    State(app): State<Shared>,
    Path((tenant, verb)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Response> {
    let nothing = || Answer::from(Refusal::new(Code::NotFound, "there is nothing at this address"));
    let inner = app.parts.inner.as_ref().ok_or_else(|| nothing().into_response())?;
    let (tenant, _) = api::find(&app, &tenant).map_err(IntoResponse::into_response)?;
    let arguments = api::json(&headers, body, QUESTION_BYTES_MAX).await?;
    inner.call(&tenant, &verb, arguments).await.map(Json).map_err(|r| Answer::from(r).into_response())
}

impl Others {
    /// Asks the replica that serves a contact centre, and waits so long for its answer.
    ///
    /// # Errors
    /// What it refuses; `unavailable` when nobody serves the contact centre at this moment, or whoever does cannot be
    /// asked. Whether it was done is unknown then.
    pub async fn ask(
        &self,
        engines: &drive::Handle,
        tenant: &TenantId,
        verb: &str,
        arguments: &Value,
        within: Duration,
    ) -> Result<Value, Refusal> {
        let unavailable = |why: String| Refusal::new(Code::Unavailable, why);
        let Whereabouts::There { address, epoch } = engines.whereabouts(tenant) else {
            return Err(away().into());
        };
        let pool = self.pool().ok_or_else(|| {
            unavailable("`cluster.cert_file` is not set, so other replicas cannot be asked".to_owned())
        })?;
        let mut request = http::Request::new(Body::from(arguments.to_string()));
        *request.method_mut() = Method::POST;
        let path = format!("/inner/{tenant}/{verb}");
        *request.uri_mut() = path.parse().map_err(|_| unavailable(format!("`{path}` is no address")))?;
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::HOST, HeaderValue::from_static("tieline"));
        headers.insert(EPOCH, HeaderValue::from(epoch.0));
        let asked = async { read(pool.ask(&address, request).await?).await };
        match tokio::time::timeout(within, asked).await {
            Ok(Ok((StatusCode::OK, answer))) => Ok(answer),
            Ok(Ok((_, refusal))) => Err(serde_json::from_value(refusal)
                .unwrap_or_else(|_| unavailable("the other replica's refusal cannot be read".to_owned()))),
            Ok(Err(failed)) => Err(unavailable(failed.to_string())),
            Err(_) => Err(unavailable("the other replica did not answer in time".to_owned())),
        }
    }
}

async fn read(response: hyper::Response<Incoming>) -> Result<(StatusCode, Value), Failed> {
    let (parts, body) = response.into_parts();
    let read = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let bytes: Bytes = read.map_err(|e| Failed::Broken(e.to_string()))?.to_bytes();
    let value = serde_json::from_slice(&bytes).map_err(|e| Failed::Broken(e.to_string()))?;
    Ok((parts.status, value))
}
