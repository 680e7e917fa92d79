//! Traces: one per interaction, whatever process, connection or retry a part of it runs in. The trace's id is the
//! interaction's, so that whoever holds one has the other, and nothing needs to be carried along.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tieline_model::InteractionId;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The target under which spans for traces are made. Nobody listens to it unless `telemetry.otlp_endpoint` is set,
/// and then they cost nothing.
pub const TARGET: &str = "tieline::trace";

/// Puts a span, not yet entered, into its interaction's trace.
#[must_use]
pub fn belongs_to(interaction: InteractionId, span: Span) -> Span {
    if span.is_disabled() {
        return span;
    }
    let bytes = interaction.0.into_bytes();
    let mut first = [0; 8];
    // The last half of an id is the random one.
    first.copy_from_slice(&bytes[8..]);
    let root = SpanContext::new(
        TraceId::from_bytes(bytes),
        SpanId::from_bytes(first),
        TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    );
    // Refused only for a span that no layer of OpenTelemetry sees: then there is no trace to belong to.
    let _ = span.set_parent(Context::new().with_remote_span_context(root));
    span
}
