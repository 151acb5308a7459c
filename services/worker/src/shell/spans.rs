//! Spans of turns, joined to the request that brought the activity (W3C Trace Context).

use tracing::Span;
use trunkline_cluster::trace;
use trunkline_store::key::Key;

/// The span of one turn. The conversation is named by its key, which is a hash; no text of users stands in it.
pub(crate) fn turn_span(traceparent: &str, bot: Option<&str>, route: Option<&str>, attempt: u32, key: Key) -> Span {
    let span = tracing::info_span!("turn", bot, route, attempt, conversation = %key);
    trace::adopt(&span, Some(traceparent));
    span
}

/// The span of one try at the Connector, or at another actor.
pub(crate) fn send_span(traceparent: &str, operation: &'static str) -> Span {
    let span = tracing::info_span!("send", otel.kind = "client", operation);
    trace::adopt(&span, Some(traceparent));
    span
}
