//! `POST /api/calls`: notifications of calls, each sent to the worker of its call, answered when every one is durable.
//!
//! `Connection: close`, which Microsoft's samples set to spread calls over instances, is not needed: whichever ingress gets a
//! notification finds the worker of its call.

use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::future::join_all;
use serde_json::value::RawValue;
use tracing::field::Empty;
use tracing::{Instrument as _, Span, info_span};
use trunkline_cluster::trace;
use trunkline_proto::routing::{Kind, Reason};
use trunkline_store::locate_call;
use trunkline_teams::calls::{Batch, Outline, SubjectKind};
use trunkline_teams::envelope;
use trunkline_teams::identity::Verified;
use xxhash_rust::xxh3::xxh3_64;

use super::admission::Place;
use super::answer::{Outcome, Reply, reply};
use super::body::{self, BodyBounds};
use super::call_key::{is_id, key_of_path};
use super::endpoint::{Account, Edge, RequestKind, TRACEPARENT, header, source};
use super::rejection::Rejection;
use crate::config::CallsEndpoint;
use crate::exchange::{Answer, Request};
use crate::stream::Head;

/// From the head of a request to its answer. Whoever calls is told that nobody could be reached after 5 s (observed); the rest
/// is for the ways. A worker accepts within 800 ms whatever its bots do, and a dead one is replaced meanwhile.
const PATIENCE: Duration = Duration::from_secs(3);

/// Names a request of the calling platform; echoed as `Client-Request-Id`.
const MESSAGE_ID: &str = "x-microsoft-skype-message-id";
const SCENARIO_ID: &str = "scenario-id";
const CLIENT_REQUEST_ID: &str = "client-request-id";

/// The answer to a recorded person who wants to join: the bot offered room by `participantCapacity`, so yes. The type is
/// documented ("acceptJoinResponse", Microsoft Graph), the form inferred.
const ACCEPT_JOIN: &[u8] = br##"{"@odata.type":"#microsoft.graph.acceptJoinResponse"}"##;

/// `POST` at the webhook of calls.
pub(super) async fn notified(request: HttpRequest, mut payload: Payload, edge: Data<Edge>) -> HttpResponse {
    let span = info_span!(
        "POST",
        otel.kind = "server",
        otel.name = "POST /api/calls",
        http.request.method = "POST",
        http.response.status_code = Empty,
        trunkline.bot = Empty,
        trunkline.kind = "call",
        trunkline.scenario = Empty,
        trunkline.outcome = Empty,
    );
    trace::adopt(&span, header(&request, TRACEPARENT));
    let mut account = Account {
        metrics: &edge.shared().metrics,
        started: Instant::now(),
        kind: RequestKind::Call,
        outcome: Outcome::Gone,
    };
    let handled = handle(&request, &mut payload, &edge, account.started, &span).instrument(span.clone());
    let handled = handled.await;
    if handled.is_ok() {
        account.metrics.notified(account.started.elapsed());
    }
    let mut response = edge
        .conclude(&request, &mut payload, handled, &mut account, &span)
        .await;
    for (theirs, ours) in [(MESSAGE_ID, CLIENT_REQUEST_ID), (SCENARIO_ID, SCENARIO_ID)] {
        if let Some(value) = request
            .headers()
            .get(theirs)
            .filter(|value| value.to_str().is_ok_and(is_id))
        {
            response
                .headers_mut()
                .insert(HeaderName::from_static(ours), value.clone());
        }
    }
    response
}

async fn handle(
    request: &HttpRequest,
    payload: &mut Payload,
    edge: &Edge,
    received: Instant,
    span: &Span,
) -> Result<Reply, Rejection> {
    let shared = edge.shared();
    let limits = shared.config.limits;
    // The path exists only where this is configured.
    let endpoint = shared.config.calls.as_ref().ok_or(Rejection::NoCallKey)?;
    source(request, shared)?;
    let mut place = Place::take(&shared.metrics, limits.into())?;
    let named = match request.match_info().get("call") {
        Some(segment) => Some(key_of_path(segment).ok_or(Rejection::NoCallKey)?),
        None => None,
    };
    let authorization = request.headers().get_all(AUTHORIZATION).map(HeaderValue::as_bytes);
    let verified = endpoint
        .verifier
        .check(authorization, shared.config.clock.now())
        .await?;
    span.record("trunkline.bot", verified.bot());
    span.record(
        "trunkline.scenario",
        header(request, SCENARIO_ID).filter(|id| is_id(id)),
    );
    let bounds = BodyBounds {
        bytes: endpoint.body_bytes,
        time: limits.body_time.min(PATIENCE),
    };
    let body = body::receive(request, payload, bounds, &mut place).await?;
    envelope::check_object(&body, limits.body_depth)?;
    shared.metrics.body(body.len());
    let notifications: Vec<Notification> = match Batch::read(&body) {
        Batch::Notifications(all) if !all.is_empty() => {
            all.into_iter().map(|raw| Notification::of(raw, &body)).collect()
        }
        Batch::Legacy => return Ok(answered(StatusCode::NO_CONTENT, Outcome::Done)),
        Batch::Notifications(_) | Batch::Nothing => return Err(Rejection::NoNotifications),
    };
    let calls = split(endpoint, &verified, named.as_deref(), notifications)?;
    if calls.iter().all(|call| call.key.is_none()) {
        return Err(Rejection::NoCall);
    }
    let sender = Sender {
        edge,
        verified: &verified,
        received,
        id: header(request, MESSAGE_ID).filter(|id| is_id(id)),
        own_id: rand::random(),
        traceparent: trace::passed_on(span, header(request, TRACEPARENT)),
    };
    Ok(sender.send(&calls).await)
}

/// One notification of a body.
struct Notification {
    outline: Outline,
    /// The element of `value`, byte for byte.
    body: Bytes,
}

impl Notification {
    fn of(raw: &RawValue, whole: &Bytes) -> Self {
        let element = raw.get().as_bytes();
        Self {
            outline: Outline::read(element),
            body: whole.slice_ref(element),
        }
    }
}

/// A notification, with what it needs to find its call.
struct Addressed {
    /// `None` if nothing says which call it is about.
    key: Option<String>,
    tenant: String,
    notification: Notification,
}

/// The call and the verified tenant of each notification.
fn split(
    endpoint: &CallsEndpoint,
    verified: &Verified,
    named: Option<&str>,
    notifications: Vec<Notification>,
) -> Result<Vec<Addressed>, Rejection> {
    let address = |notification: Notification| {
        let tenant = endpoint
            .verifier
            .check_call(verified, notification.outline.tenant.as_deref())?
            .to_owned();
        let key = named
            .map(ToOwned::to_owned)
            .or_else(|| notification.outline.call.clone());
        Ok(Addressed {
            key,
            tenant,
            notification,
        })
    };
    notifications.into_iter().map(address).collect()
}

/// What all notifications of a request have in common.
struct Sender<'a> {
    edge: &'a Edge,
    verified: &'a Verified,
    received: Instant,
    /// The platform's name of this request.
    id: Option<&'a str>,
    /// Ours, where there is none.
    own_id: u64,
    traceparent: String,
}

impl Sender<'_> {
    /// Sends all of them, those of one call in their order, and waits for the last.
    async fn send(&self, calls: &[Addressed]) -> Reply {
        let metrics = &self.edge.shared().metrics;
        let mut sent = Vec::with_capacity(calls.len());
        for (index, call) in calls.iter().enumerate() {
            match &call.key {
                Some(key) => {
                    let request = self.prepare(call, key, index);
                    let answer = self.edge.streams.forward(request);
                    sent.push(async move { (call, key, answer.await) });
                }
                None => metrics.notification(call.notification.outline.kind, Outcome::Rejected),
            }
        }
        let mut whole = answered(StatusCode::ACCEPTED, Outcome::Accepted);
        if calls
            .iter()
            .any(|call| call.notification.outline.kind == SubjectKind::Joining)
        {
            whole.status = StatusCode::OK;
            whole.body = Bytes::from_static(ACCEPT_JOIN);
        }
        for (call, key, answer) in join_all(sent).await {
            if let Answer::Poisoned { workers } = &answer {
                let (bot, kind) = (self.verified.bot(), call.notification.outline.kind.name());
                tracing::error!(
                    bot,
                    call = %key,
                    kind,
                    workers = ?workers,
                    "two workers died while this notification was with them: it is refused, so that no third is risked"
                );
            }
            let is_unreadable = matches!(
                &answer,
                Answer::Refused {
                    reason: Reason::Malformed,
                    ..
                }
            );
            let reply = reply(Kind::Call, answer);
            metrics.notification(call.notification.outline.kind, reply.outcome);
            let is_durable = matches!(reply.outcome, Outcome::Done | Outcome::Accepted | Outcome::Repeated);
            if !is_durable && whole.status.is_success() {
                let retry_after = reply.retry_after.unwrap_or(Duration::from_secs(1));
                whole = Reply {
                    // Nothing else helps a platform that may come again.
                    status: if is_unreadable {
                        StatusCode::BAD_REQUEST
                    } else {
                        StatusCode::SERVICE_UNAVAILABLE
                    },
                    retry_after: (!is_unreadable).then_some(retry_after),
                    ..reply
                };
            }
        }
        whole
    }

    fn prepare(&self, call: &Addressed, key: &str, index: usize) -> Request {
        let (shard, place) = locate_call(self.verified.bot(), key, self.edge.streams.shards());
        let head = Head {
            shard: shard.0,
            key: &place.0,
            dedupe: Some(self.repeat_key(index)),
            delivery_id: rand::random(),
            traceparent: &self.traceparent,
            kind: Kind::Call,
            bot: self.verified.bot(),
            tenant: &call.tenant,
            service_url: "",
            verified: self.verified.is_verified(),
            conversation: key,
        };
        Request {
            shard,
            deadline: self.received + PATIENCE,
            head: head.encode(),
            activity: call.notification.body.clone(),
            is_deferrable: true,
            notified_at: Some(self.received),
        }
    }

    /// The same over our resends, and over a repeat by the platform under the same name. That it gives a repeat the same name
    /// is not documented: the call's own order of states is what makes others harmless.
    fn repeat_key(&self, index: usize) -> u64 {
        let id = self.id.map_or_else(|| self.own_id.to_string(), str::to_ascii_lowercase);
        xxh3_64(format!("{id}/{index}").as_bytes())
    }
}

fn answered(status: StatusCode, outcome: Outcome) -> Reply {
    Reply {
        status,
        retry_after: None,
        body: Bytes::new(),
        outcome,
    }
}
