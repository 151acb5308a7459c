//! Spans of turns, joined to the request that brought the activity (W3C Trace Context).

use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use trunkline_store::key::Key;

/// The span of one turn. The conversation is named by its key, which is a hash; no text of users stands in it.
pub(crate) fn turn_span(traceparent: &str, bot: Option<&str>, route: Option<&str>, attempt: u32, key: Key) -> Span {
    let span = tracing::info_span!("turn", bot, route, attempt, conversation = %key);
    if let Some(parent) = parse(traceparent) {
        let parent = opentelemetry::Context::new().with_remote_span_context(parent);
        // Fails only when no layer records spans.
        let _ = span.set_parent(parent);
    }
    span
}

/// The span of one try at the Connector, or at another actor.
pub(crate) fn send_span(traceparent: &str, operation: &'static str) -> Span {
    let span = tracing::info_span!("send", otel.kind = "client", operation);
    if let Some(parent) = parse(traceparent) {
        let parent = opentelemetry::Context::new().with_remote_span_context(parent);
        // Fails only when no layer records spans.
        let _ = span.set_parent(parent);
    }
    span
}

/// The `traceparent` that goes out below `span`: its own, or `incoming` where no layer records spans.
pub(crate) fn passed_on(span: &Span, incoming: String) -> String {
    let context = span.context();
    let own = context.span().span_context().clone();
    if !own.is_valid() {
        return incoming;
    }
    format!(
        "00-{}-{}-{:02x}",
        own.trace_id(),
        own.span_id(),
        own.trace_flags().to_u8()
    )
}

/// Reads `version-trace-parent-flags`; later versions may append more.
fn parse(traceparent: &str) -> Option<SpanContext> {
    let mut parts = traceparent.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if version.len() != 2 || version == "ff" {
        return None;
    }
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(parent).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
        true,
        TraceState::NONE,
    );
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_context_is_passed_on_as_it_came_where_nothing_is_recorded() {
        let incoming = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(passed_on(&send_span(incoming, "post"), incoming.to_owned()), incoming);
    }

    #[test]
    fn a_trace_context_is_read_and_a_broken_one_is_left_out() {
        let read = parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        assert_eq!(
            read.map(|context| context.trace_id().to_string()).as_deref(),
            Some("4bf92f3577b34da6a3ce929d0e0e4736")
        );
        for broken in [
            "",
            "00-zz-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        ] {
            assert!(parse(broken).is_none(), "{broken}");
        }
    }
}
