//! `POST /api/messages`: who sent it, what it is, where it goes, what came of it.

use std::net::{IpAddr, Ipv6Addr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix_web::http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use tracing::field::Empty;
use tracing::{Instrument as _, Span, info_span};
use trunkline_cluster::trace;
use trunkline_proto::routing::Kind;
use trunkline_store::locate_conversation;
use trunkline_teams::envelope::{self, Envelope, MAX_DEPTH};
use trunkline_teams::identity::{Body, Refusal, Verified, Verifier};

use super::admission::Place;
use super::answer::{Outcome, Reply, reply};
use super::body::{self, BodyBounds};
use super::deadline::time_to_answer;
use super::refusal_log::RefusalLog;
use super::rejection::Rejection;
use crate::config::IngressConfig;
use crate::exchange::{Answer, Request};
use crate::metrics::RequestMetrics;
use crate::readiness::Readiness;
use crate::stream::{Head, Streams};

const FORWARDED_FOR: &str = "x-forwarded-for";
pub(super) const TRACEPARENT: &str = "traceparent";

/// What all threads of an ingress share; nothing of it is locked while a request runs.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: IngressConfig,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) metrics: RequestMetrics,
    pub(crate) readiness: Readiness,
    pub(crate) refusals: RefusalLog,
}

/// What one thread has for its requests.
#[derive(Debug)]
pub(crate) struct Edge {
    shared: Arc<Shared>,
    pub(super) streams: Rc<Streams>,
}

/// Label of a request in the counters: the kind of its activity, as far as it was learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum RequestKind {
    /// Refused before its body was read.
    Unknown,
    Message,
    Invoke,
    Event,
    Transient,
    Call,
}

impl RequestKind {
    /// Every kind, in the order of their numbers.
    pub(crate) const ALL: [Self; 6] = [
        Self::Unknown,
        Self::Message,
        Self::Invoke,
        Self::Event,
        Self::Transient,
        Self::Call,
    ];

    /// Value of the label.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Message => "message",
            Self::Invoke => "invoke",
            Self::Event => "event",
            Self::Transient => "transient",
            Self::Call => "call",
        }
    }
}

impl From<Kind> for RequestKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Unspecified => Self::Unknown,
            Kind::Message => Self::Message,
            Kind::Invoke => Self::Invoke,
            Kind::Event => Self::Event,
            Kind::Transient => Self::Transient,
            Kind::Call => Self::Call,
        }
    }
}

impl Edge {
    pub(crate) fn new(shared: Arc<Shared>, streams: Rc<Streams>) -> Self {
        Self { shared, streams }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Makes the response of what came of a request, and says so in its span and its account.
    pub(super) async fn conclude(
        &self,
        request: &HttpRequest,
        payload: &mut Payload,
        handled: Result<Reply, Rejection>,
        account: &mut Account<'_>,
        span: &Span,
    ) -> HttpResponse {
        let response = match handled {
            Ok(reply) => {
                account.outcome = reply.outcome;
                reply.into_response(self.shared.readiness.sends_away())
            }
            Err(rejection) => {
                account.outcome = Outcome::Rejected;
                if !rejection.closes_connection() {
                    body::discard(request, payload).await;
                }
                self.refuse(request, &rejection)
            }
        };
        span.record("http.response.status_code", response.status().as_u16());
        span.record("trunkline.outcome", account.outcome.name());
        response
    }

    /// Refuses: counts, writes a line, and answers with a body that says nothing.
    fn refuse(&self, request: &HttpRequest, rejection: &Rejection) -> HttpResponse {
        let shared = &self.shared;
        shared.metrics.refused(rejection.code());
        shared.refusals.note(rejection, request, source(request, shared).ok());
        let mut response = HttpResponse::build(rejection.status());
        if rejection.closes_connection() || shared.readiness.sends_away() {
            response.force_close();
        }
        if let Some(after) = rejection.retry_after() {
            response.insert_header((RETRY_AFTER, after.as_secs()));
        }
        if matches!(rejection, Rejection::Method(_)) {
            response.insert_header((ALLOW, "POST"));
        }
        response
            .insert_header((CONTENT_TYPE, "application/json; charset=utf-8"))
            .body(Refusal::BODY)
    }
}

/// Any method but `POST` at the messaging endpoint.
pub(super) async fn other_method(request: HttpRequest, edge: Data<Edge>) -> HttpResponse {
    let rejection = Rejection::Method(request.method().as_str().chars().take(32).collect());
    edge.refuse(&request, &rejection)
}

/// `POST` at the messaging endpoint.
pub(super) async fn messages(request: HttpRequest, mut payload: Payload, edge: Data<Edge>) -> HttpResponse {
    let traceparent = header(&request, TRACEPARENT);
    let span = info_span!(
        "POST",
        otel.kind = "server",
        otel.name = "POST /api/messages",
        http.request.method = "POST",
        http.response.status_code = Empty,
        trunkline.bot = Empty,
        trunkline.kind = Empty,
        trunkline.shard = Empty,
        trunkline.outcome = Empty,
    );
    trace::adopt(&span, traceparent);
    let mut account = Account {
        metrics: &edge.shared.metrics,
        started: Instant::now(),
        kind: RequestKind::Unknown,
        outcome: Outcome::Gone,
    };
    let handled = handle(&request, &mut payload, &edge, &mut account, &span)
        .instrument(span.clone())
        .await;
    edge.conclude(&request, &mut payload, handled, &mut account, &span)
        .await
}

/// Counts a request when it ends, however it ends: a caller who leaves drops it without an answer.
pub(super) struct Account<'a> {
    pub(super) metrics: &'a RequestMetrics,
    pub(super) started: Instant,
    pub(super) kind: RequestKind,
    pub(super) outcome: Outcome,
}

impl Drop for Account<'_> {
    fn drop(&mut self) {
        self.metrics.ended(self.kind, self.outcome, self.started.elapsed());
    }
}

async fn handle(
    request: &HttpRequest,
    payload: &mut Payload,
    edge: &Edge,
    account: &mut Account<'_>,
    span: &Span,
) -> Result<Reply, Rejection> {
    let shared = &*edge.shared;
    let limits = shared.config.limits;
    source(request, shared)?;
    let mut place = Place::take(&shared.metrics, limits.into())?;
    let authorization = request.headers().get_all(AUTHORIZATION).map(HeaderValue::as_bytes);
    let verified = shared.verifier.check(authorization, shared.config.clock.now()).await?;
    let bounds = BodyBounds {
        bytes: limits.body_bytes,
        time: limits.body_time,
    };
    let activity = body::receive(request, payload, bounds, &mut place).await?;
    let received = Instant::now();
    let envelope = Envelope::parse(&activity, limits.body_depth)?;
    let kind = wire_kind(envelope.kind());
    account.kind = kind.into();
    shared.verifier.check_body(&verified, &claimed(&envelope))?;
    shared.metrics.body(activity.len());
    span.record("trunkline.bot", verified.bot());
    span.record("trunkline.kind", account.kind.name());
    let forwarded = prepare(&edge.streams, &verified, &envelope, &activity, received, || {
        trace::passed_on(span, header(request, TRACEPARENT))
    });
    span.record("trunkline.shard", forwarded.shard.0);
    drop(envelope);
    let answer = edge.streams.forward(forwarded).await;
    if let Answer::Poisoned { workers } = &answer {
        name_poison(verified.bot(), &activity, workers);
    }
    Ok(reply(kind, answer))
}

/// The line by which an operator finds what may have killed two workers.
fn name_poison(bot: &str, activity: &Bytes, workers: &[u64]) {
    let Ok(envelope) = Envelope::parse(activity, MAX_DEPTH) else {
        return;
    };
    tracing::error!(
        bot,
        conversation = %envelope.conversation_id,
        activity = envelope.id.as_deref(),
        kind = ?envelope.kind(),
        bytes = activity.len(),
        workers = ?workers,
        "two workers died while this activity was with them: it is refused, so that no third is risked"
    );
}

/// Everything that a worker needs, encoded once.
fn prepare(
    streams: &Streams,
    verified: &Verified,
    envelope: &Envelope<'_>,
    activity: &Bytes,
    received: Instant,
    traceparent: impl FnOnce() -> String,
) -> Request {
    let tenant = envelope.tenant_id.as_deref().unwrap_or_default();
    let (shard, key) = locate_conversation(verified.bot(), tenant, &envelope.conversation_id, streams.shards());
    let service_url = verified.service_url().or(envelope.service_url.as_deref());
    let head = Head {
        shard: shard.0,
        key: &key.0,
        dedupe: envelope.repeat_key(activity),
        delivery_id: rand::random(),
        traceparent: &traceparent(),
        kind: wire_kind(envelope.kind()),
        bot: verified.bot(),
        tenant,
        service_url: service_url.unwrap_or_default(),
        verified: verified.is_verified(),
        conversation: &envelope.conversation_id,
    };
    let time = time_to_answer(head.kind, envelope.name.as_deref());
    Request {
        shard,
        deadline: received + time,
        head: head.encode(),
        activity: activity.clone(),
        is_deferrable: matches!(head.kind, Kind::Message | Kind::Event),
        notified_at: None,
    }
}

fn wire_kind(kind: envelope::Kind) -> Kind {
    match kind {
        envelope::Kind::Message => Kind::Message,
        envelope::Kind::Invoke => Kind::Invoke,
        envelope::Kind::Event => Kind::Event,
        envelope::Kind::Transient => Kind::Transient,
    }
}

/// What the body claims of itself, for the comparison with the token.
fn claimed<'a>(envelope: &'a Envelope<'_>) -> Body<'a> {
    Body {
        service_url: envelope.service_url.as_deref(),
        channel_id: envelope.channel_id.as_deref(),
        tenant: envelope.tenant_id.as_deref(),
    }
}

/// The address that counts, if it is allowed.
pub(super) fn source(request: &HttpRequest, shared: &Shared) -> Result<IpAddr, Refusal> {
    // A connection without a peer address is none of TCP; it is in no network that could be allowed.
    let peer = request
        .peer_addr()
        .map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |peer| peer.ip());
    let hops = request.headers().get_all(HeaderName::from_static(FORWARDED_FOR));
    // What is not ASCII is no address, and is refused as such.
    shared
        .config
        .sources
        .check(peer, hops.map(|value| value.to_str().unwrap_or("not ASCII")))
}

pub(super) fn header<'a>(request: &'a HttpRequest, name: &'static str) -> Option<&'a str> {
    request.headers().get(HeaderName::from_static(name))?.to_str().ok()
}
