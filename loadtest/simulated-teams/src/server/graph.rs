//! Graph over HTTP: the calls API, and recordings.

use std::time::{Duration, Instant};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{self, Bytes, Data, Path, ServiceConfig},
};
use serde_json::{Value, json};

use super::{connector, path};
use crate::{
    calls::{GraphReply, GraphRequest, Refusal, Root},
    login::token::Resource,
    shared::{Shared, now},
    traffic::{Direction, Exchange},
    world::{
        id,
        people::BotNumber,
        time::{self, Precision},
    },
};

/// Where the calls API is on this server.
const CALLS: &str = "/graph/v1.0/communications/calls";

/// Where the meetings of people are.
const USERS: &str = "/graph/v1.0/users";

/// How long an answer waits for the notification that is to overtake it.
const LONGEST_HOLD: Duration = Duration::from_secs(10);

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/graph/v1.0/recordings/{id}", web::get().to(recording))
        .service(web::scope(CALLS).default_service(web::to(serve_calls)))
        .service(web::scope(USERS).default_service(web::to(serve_users)));
}

/// The ids that an answer carries.
struct Trail {
    request: String,
    client: String,
    scenario: Option<String>,
}

async fn serve_calls(shared: Data<Shared>, request: HttpRequest, body: Bytes) -> HttpResponse {
    serve((Root::Calls, CALLS), shared, request, body).await
}

async fn serve_users(shared: Data<Shared>, request: HttpRequest, body: Bytes) -> HttpResponse {
    serve((Root::Users, USERS), shared, request, body).await
}

async fn serve((root, prefix): (Root, &str), shared: Data<Shared>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let (at, started) = (now(), Instant::now());
    let below = request.path().get(prefix.len()..).unwrap_or("").trim_end_matches('/');
    let segments = if below.is_empty() {
        Some(Vec::new())
    } else {
        path::segments(below)
    };
    let Some(segments) = segments else {
        return HttpResponse::BadRequest().finish();
    };
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let mut trail = Trail {
        request: guid(),
        client: text("client-request-id").map_or_else(guid, str::to_owned),
        scenario: text("scenario-id").map(str::to_owned),
    };
    let known = connector::bearer(&request).and_then(|token| {
        shared.with(|state, now| {
            let bearer = state.login.bearer(token, Resource::Graph, now);
            bearer.map(|(bot, tenant)| (bot, tenant.to_owned()))
        })
    });
    let Some((bot, tenant)) = known else {
        let refusal = Refusal::word(401, "InvalidAuthenticationToken", "Access token is empty or invalid.");
        return respond(&unauthorized(refusal), &trail);
    };
    let reply = shared.with_calls(|calls, now| {
        let request = GraphRequest {
            root,
            method: request.method().as_str(),
            segments: &segments,
            body: &body,
            scenario: trail.scenario.as_deref(),
            tenant: &tenant,
        };
        calls.serve(bot, request, now)
    });
    trail.scenario = trail.scenario.or_else(|| reply.scenario.clone());
    if let Some((call, count)) = reply.hold {
        let told = shared.until(|| shared.with_calls(|calls, _| calls.has_told_more(call, count)));
        // If the notification does not come, the answer does all the same.
        let _ = tokio::time::timeout(LONGEST_HOLD, told).await;
    }
    let microseconds = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    shared.record(|| exchange(&shared, bot, (&request, &body), &reply, (at, microseconds, &trail)));
    respond(&reply, &trail)
}

/// The clip of a recordResponse, to whoever shows the token of its operation.
async fn recording(shared: Data<Shared>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    let token = connector::bearer(&request);
    shared.with(|state, _| match state.calls.clip(&id) {
        None => HttpResponse::NotFound().finish(),
        Some(clip) if token != Some(&clip.token) => HttpResponse::Unauthorized().finish(),
        Some(clip) => HttpResponse::Ok()
            .content_type("application/octet-stream")
            .body(clip.wav()),
    })
}

fn unauthorized(refusal: Refusal) -> GraphReply {
    GraphReply {
        operation: "unknown",
        status: refusal.status,
        body: None,
        refusal: Some(refusal),
        location: None,
        retry_after: None,
        hold: None,
        scenario: None,
    }
}

fn respond(reply: &GraphReply, trail: &Trail) -> HttpResponse {
    let mut response = HttpResponse::build(StatusCode::from_u16(reply.status).unwrap_or(StatusCode::BAD_GATEWAY));
    response
        .insert_header(("request-id", trail.request.as_str()))
        .insert_header(("client-request-id", trail.client.as_str()))
        .insert_header(("strict-transport-security", "max-age=31536000"))
        .insert_header((
            "x-ms-ags-diagnostic",
            r#"{"ServerInfo":{"DataCenter":"Simulated","Slice":"E","Ring":"5","ScaleUnit":"000","RoleInstance":"SIM0"}}"#,
        ));
    if let Some(scenario) = &trail.scenario {
        response.insert_header(("scenario-id", scenario.as_str()));
    }
    if let Some(location) = &reply.location {
        response.insert_header((header::LOCATION, location.as_str()));
    }
    if let Some(seconds) = &reply.retry_after {
        response.insert_header((header::RETRY_AFTER, seconds.as_str()));
    }
    match body(reply, trail) {
        Some(body) => response
            .content_type("application/json; charset=utf-8")
            .body(body.to_string()),
        None => response.finish(),
    }
}

fn body(reply: &GraphReply, trail: &Trail) -> Option<Value> {
    let Some(refusal) = &reply.refusal else {
        return reply.body.clone();
    };
    let date = time::utc(now(), Precision::Event);
    Some(json!({ "error": {
        "code": refusal.code, "message": refusal.message,
        "innerError": {
            "date": date.split('.').next(), "request-id": trail.request, "client-request-id": trail.client,
        },
    } }))
}

fn exchange(
    shared: &Shared,
    bot: BotNumber,
    (request, sent): (&HttpRequest, &[u8]),
    reply: &GraphReply,
    (at, microseconds, trail): (u64, u64, &Trail),
) -> Exchange {
    let headers = [
        ("client-request-id", Some(&trail.client)),
        ("scenario-id", trail.scenario.as_ref()),
        ("location", reply.location.as_ref()),
        ("retry-after", reply.retry_after.as_ref()),
    ];
    let headers = headers
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.clone())));
    let url = request.path().trim_start_matches("/graph/v1.0");
    Exchange {
        number: 0,
        at,
        direction: Direction::FromBot,
        bot: shared.config.bots[bot.0].name.clone(),
        title: format!("call \u{b7} {}", reply.operation),
        url: format!("{} {url}", request.method()),
        headers: headers.collect(),
        request: (!sent.is_empty()).then(|| without_secrets(connector::readable(sent))),
        status: Some(reply.status),
        response: body(reply, trail).map(without_secrets),
        microseconds,
        attempt: 1,
        failure: None,
    }
}

/// A copy for the inspector: join tokens, tokens of clips and what lets the peer of a media host in are secrets.
pub(crate) fn without_secrets(mut body: Value) -> Value {
    hide(&mut body);
    body
}

fn hide(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::Object(members) => {
            for (name, value) in members {
                if matches!(name.as_str(), "token" | "recordingAccessToken" | "passcode" | "blob") && value.is_string()
                {
                    *value = "...".into();
                } else {
                    hide(value);
                }
            }
        }
        _ => {}
    }
}

fn guid() -> String {
    id::uuid(&["request", &rand::random::<u128>().to_string()])
}
