//! Logs: one line an event, JSON where a machine reads them, never content. Traces, where settings want them.

use crate::drive::trace::TARGET;
use crate::settings::Telemetry;
use anyhow::Context as _;
use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use std::io::IsTerminal;
use std::time::Duration;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

/// What is logged unless `TIELINE_LOG` says otherwise.
const FILTER: &str =
    "info,lapin=off,sqlx=warn,hyper=warn,reqwest=warn,opentelemetry=warn,opentelemetry_sdk=warn";
/// Longest wait for the collector.
const EXPORT_WITHIN: Duration = Duration::from_secs(10);

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// Traces that are being sent; the last ones go when it ends.
pub(super) struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Sends what is left. Call outside of the async threads' way: it waits for the collector, up to its time limit.
    pub(super) fn finish(self) {
        if let Some(provider) = self.0
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Starts logging to standard error, and tracing if settings name a collector. `TIELINE_LOG` sets what is logged
/// (`info`, `tieline=debug`). Call inside the runtime that sends the traces.
///
/// # Errors
/// The collector's address or the HTTP client will not do.
pub(super) fn start(format: Format, settings: &Telemetry) -> anyhow::Result<Traces> {
    let filter = EnvFilter::try_from_env("TIELINE_LOG").unwrap_or_else(|_| EnvFilter::new(FILTER));
    let not_traces = filter.and(filter_fn(|meta| meta.target() != TARGET));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let lines = match format {
        Format::Text => lines.boxed(),
        Format::Json => lines.json().boxed(),
    };
    let provider = settings.otlp_endpoint.as_deref().map(|to| provider(to, settings)).transpose()?;
    let traces = provider.as_ref().map(|provider| {
        let only_traces = Targets::new().with_target(TARGET, LevelFilter::TRACE);
        tracing_opentelemetry::layer().with_tracer(provider.tracer("tieline")).with_filter(only_traces)
    });
    let started = tracing_subscriber::registry().with(lines.with_filter(not_traces)).with(traces).try_init();
    // A second start in one process (tests) keeps the first one's.
    drop(started);
    Ok(Traces(provider))
}

fn provider(endpoint: &str, settings: &Telemetry) -> anyhow::Result<SdkTracerProvider> {
    let headers =
        settings.otlp_headers.iter().map(|(name, value)| (name.clone(), value.reveal().to_owned())).collect();
    let client = reqwest::Client::builder()
        .timeout(EXPORT_WITHIN)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .context("`telemetry.otlp_endpoint`: no HTTP client")?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(OnRuntime { client, runtime: tokio::runtime::Handle::current() })
        .with_endpoint(endpoint)
        .with_protocol(Protocol::HttpBinary)
        .with_headers(headers)
        .with_timeout(EXPORT_WITHIN)
        .build()
        .context("`telemetry.otlp_endpoint`")?;
    let resource = Resource::builder()
        .with_service_name(settings.service_name.clone())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    // By the id and not by the parent: the interaction's own id decides, the same in every process.
    let sampler = Sampler::TraceIdRatioBased(settings.sample_ratio);
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(sampler)
        .with_resource(resource)
        .build())
}

/// Spans are sent from a thread of their own, which has no runtime; the client needs one.
#[derive(Debug)]
struct OnRuntime {
    client: reqwest::Client,
    runtime: tokio::runtime::Handle,
}

#[async_trait]
impl HttpClient for OnRuntime {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move {
            let answer = client.execute(request).await?;
            let mut response = Response::builder().status(answer.status());
            if let Some(headers) = response.headers_mut() {
                headers.clone_from(answer.headers());
            }
            Ok::<_, reqwest::Error>((response, answer.bytes().await?))
        });
        let (response, body) = sent.await??;
        Ok(response.body(body)?)
    }
}
