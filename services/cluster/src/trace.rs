//! The W3C trace context that joins spans across processes: taken from what came in, passed on with what goes out.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Length of a `traceparent` of version 00 ("Trace Context", W3C recommendation, section 3.2).
const LENGTH: usize = 55;

/// Makes `span` a child of the caller's, if what came in names one.
pub fn adopt(span: &Span, traceparent: Option<&str>) {
    if span.is_disabled() {
        return;
    }
    if let Some(parent) = traceparent.and_then(parse) {
        // Fails where nobody exports traces; then there is nothing to adopt.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }
}

/// The `traceparent` that goes out below `span`: the caller's own where nothing is traced here; empty where there is none.
pub fn passed_on(span: &Span, incoming: Option<&str>) -> String {
    let context = span.context();
    let current = context.span().span_context().clone();
    let own = current.is_valid().then_some(current);
    own.or_else(|| incoming.and_then(parse))
        .map(|context| format(&context))
        .unwrap_or_default()
}

fn format(context: &SpanContext) -> String {
    format!(
        "00-{}-{}-{:02x}",
        context.trace_id(),
        context.span_id(),
        context.trace_flags().to_u8()
    )
}

/// Reads version 00; a later version is read as far as 00 goes, as the recommendation asks.
fn parse(traceparent: &str) -> Option<SpanContext> {
    let is_plain = traceparent.is_ascii() && traceparent.len() >= LENGTH;
    if !is_plain || traceparent.starts_with("ff") {
        return None;
    }
    let is_later = !traceparent.starts_with("00");
    let is_followed_well = traceparent.len() == LENGTH || (is_later && traceparent.as_bytes()[LENGTH] == b'-');
    let mut parts = traceparent[..LENGTH].split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_shaped = [version.len(), trace.len(), span.len(), flags.len()] == [2, 32, 16, 2] && is_followed_well;
    let is_lower_hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !is_shaped || ![version, trace, span, flags].into_iter().all(is_lower_hex) {
        return None;
    }
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
        true,
        TraceState::NONE,
    );
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt as _;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_trace_context_is_passed_on_as_it_came_where_nothing_is_traced() {
        assert_eq!(passed_on(&Span::none(), Some(GOOD)), GOOD);
        assert_eq!(passed_on(&Span::none(), None), "");
    }

    #[test]
    fn a_broken_trace_context_is_ignored() {
        let later = GOOD.replacen("00", "01", 1) + "-more";
        assert_eq!(
            passed_on(&Span::none(), Some(&later)),
            GOOD,
            "a later version is read as far as it is known"
        );
        for broken in [
            "",
            "00",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333\u{e9}-01",
        ] {
            assert_eq!(passed_on(&Span::none(), Some(broken)), "", "{broken}");
        }
    }

    #[test]
    fn a_traced_request_is_a_child_of_the_callers_and_passes_itself_on() {
        let provider = SdkTracerProvider::builder().build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = tracing::info_span!("request");
            adopt(&span, Some(GOOD));
            let passed = passed_on(&span, Some(GOOD));
            assert_eq!(passed.len(), LENGTH);
            assert_eq!(
                (&passed[..36], &passed[52..]),
                (&GOOD[..36], "-01"),
                "the caller's trace, sampled as there"
            );
            assert_ne!(passed[36..52], GOOD[36..52], "but a span of its own");
            let alone = passed_on(&tracing::info_span!("request"), None);
            assert!(parse(&alone).is_some_and(|context| context.is_valid()), "{alone}");
        });
    }
}
