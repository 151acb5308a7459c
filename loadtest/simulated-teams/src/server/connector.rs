//! The Connector over HTTP: bearer token, path, faults, answer.

use std::time::Instant;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{Bytes, Data},
};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use serde_json::Value;

use super::path::{self, Query};
use crate::{
    config::FaultTime,
    connector::{Reply, refusal},
    login::token::Resource,
    shared::{Shared, now},
    traffic::{Direction, Exchange},
    world::people::BotNumber,
};

/// Answers any request below the service URL.
pub(super) async fn serve(shared: Data<Shared>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let (at, started) = (now(), Instant::now());
    let prefix = shared.config.region.len() + shared.config.tenant.len() + 2;
    let below = request.path().get(prefix..).unwrap_or("");
    let Some(segments) = path::segments(below) else {
        return HttpResponse::BadRequest().finish();
    };
    let query = Query::parse(request.query_string());
    let bearer = bearer(&request);
    let (bot, reply) = shared.with(|state, now| {
        let bearer = bearer.and_then(|token| state.login.bearer(token, Resource::Connector, now));
        let Some((bot, _)) = bearer else {
            let text = "Authorization has been denied for this request.";
            return (None, refusal::error(401, "AuthorizationError", text));
        };
        let Some(call) = path::call(request.method().as_str(), &segments, &query, &body) else {
            return (Some(bot), Reply::empty(404));
        };
        if query.is_targeted {
            // To show it to everybody would be worse than to refuse it.
            return (
                Some(bot),
                refusal::error(400, "BadArgument", "Targeted messages are not simulated."),
            );
        }
        let strike = state.faults.strike();
        let reply = match strike {
            Some(strike) if strike.when == FaultTime::BeforeStore => strike.reply,
            Some(strike) => {
                state.world.serve(&mut state.limiter, bot, call, now);
                strike.reply
            }
            None => state.world.serve(&mut state.limiter, bot, call, now),
        };
        (Some(bot), reply)
    });
    let correlation = format!("{}.0", STANDARD_NO_PAD.encode(rand::random::<[u8; 16]>()));
    if let Some(bot) = bot {
        let microseconds = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        shared.record(|| {
            exchange(
                &shared,
                bot,
                (&request, &segments, &body),
                &reply,
                (at, microseconds, &correlation),
            )
        });
    }
    respond(reply, &correlation)
}

/// The scheme in any letter case.
pub(super) fn bearer(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn respond(reply: Reply, correlation: &str) -> HttpResponse {
    let mut response = HttpResponse::build(StatusCode::from_u16(reply.status).unwrap_or(StatusCode::BAD_GATEWAY));
    response
        .insert_header(("ms-cv", correlation))
        .insert_header((header::SERVER, "Microsoft-HTTPAPI/2.0"));
    if let Some(seconds) = reply.retry_after {
        response.insert_header((header::RETRY_AFTER, seconds.to_string()));
    }
    match reply.body {
        Some(body) => response
            .content_type("application/json; charset=utf-8")
            .body(body.to_string()),
        None => response.finish(),
    }
}

fn exchange(
    shared: &Shared,
    bot: BotNumber,
    (request, segments, body): (&HttpRequest, &[String], &[u8]),
    reply: &Reply,
    (at, microseconds, correlation): (u64, u64, &str),
) -> Exchange {
    let mut headers = vec![("ms-cv".to_owned(), correlation.to_owned())];
    if let Some(seconds) = reply.retry_after {
        headers.push(("retry-after".to_owned(), seconds.to_string()));
    }
    let sent = if body.is_empty() { None } else { Some(readable(body)) };
    Exchange {
        number: 0,
        at,
        direction: Direction::FromBot,
        bot: shared.config.bots[bot.0].name.clone(),
        title: title(request.method().as_str(), segments, sent.as_ref()),
        url: segments.join("/"),
        headers,
        request: sent,
        status: Some(reply.status),
        response: reply.body.clone(),
        microseconds,
        attempt: 1,
        failure: None,
    }
}

pub(super) fn readable(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

/// What a call is about: the path without ids, and the type of the activity. The whole path stands beside it.
fn title(method: &str, segments: &[String], sent: Option<&Value>) -> String {
    let mut names = segments.iter().skip(1).step_by(2).map(String::as_str);
    let what = names.next_back().unwrap_or("");
    match sent.and_then(|sent| sent.get("type")).and_then(Value::as_str) {
        Some(kind) => format!("{method} {what} \u{b7} {kind}"),
        None => format!("{method} {what}"),
    }
}
